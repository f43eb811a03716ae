"""Tests of bertie.metrics."""
