"""Objectives of pre-training: one file each, and the task that composes them."""
