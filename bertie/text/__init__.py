"""Rank 1: text to pieces with offsets: normalise, language, words, tokenizer."""
