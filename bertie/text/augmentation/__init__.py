"""Augmentation of texts: one file a way. Synonyms, swaps, deletions, insertions, guesses of a language model, a
translation and back, homophones, typing errors.
"""
