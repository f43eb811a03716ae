"""Tests of `bertie.training.regularization`."""
