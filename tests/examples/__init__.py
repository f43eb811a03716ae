"""Tests of the examples and of what the pages promise."""
