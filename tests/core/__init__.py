"""Tests of bertie.core."""
