"""Rank 6: the training loop and what it stands on."""
