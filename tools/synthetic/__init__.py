"""Synthetic people from the command line: footage with truth, and measurements on it."""
