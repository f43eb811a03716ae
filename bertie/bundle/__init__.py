"""Rank 5: a folder that is a model, and proves on loading that it is the one that was saved."""
