"""Generates the Python stubs of the contract and checks it for drift, style and compatibility."""
