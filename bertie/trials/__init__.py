"""Rank 9: trials of whole trainings within a budget, and the one that is kept."""
