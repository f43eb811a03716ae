"""Tests of bertie.training."""
