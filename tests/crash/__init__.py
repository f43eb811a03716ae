"""Killed, stopped, locked out and full: what was saved stays whole."""
