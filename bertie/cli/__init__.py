"""Rank 11: a table of commands; holds no logic."""
