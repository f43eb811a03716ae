"""Rank 7: what a model is worth: floors, reports, robustness, fairness, behaviour, comparison."""
