"""Measurements of personal shapes."""
