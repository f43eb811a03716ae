"""Tuning methods: what of an encoder is trained, one file each."""
