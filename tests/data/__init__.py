"""Tests of bertie.data."""
