"""Rank 1: answers to numbers. Pure numpy and scikit-learn; knows no tensors and no files."""
