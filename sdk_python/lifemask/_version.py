"""The one place where the version is written; a test compares every other file with it."""

__version__ = "0.1.0"
