"""Measurements of the identity: whose head is found, whatever the face does."""
