"""Whole commands, in processes of their own."""
