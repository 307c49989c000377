"""Tools for head models from users' own files."""
