"""Build the default head asset from MakeHuman data."""
