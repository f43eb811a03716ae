"""Rank 3: tasks, one file each; `base.py` is the contract and a sibling is never imported."""
