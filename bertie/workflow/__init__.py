"""Rank 8: what a person asks for, assembled from the rooms below; the Python API."""
