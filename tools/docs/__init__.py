"""Fills in those parts of the documents that the code itself can tell."""
