"""Rank 2: files to rows, rows to batches, names to models; knows core, text and nn."""
