"""Bertie: BERT from raw text to a running service, in Chinese and English."""

__version__ = "0.1.0"
