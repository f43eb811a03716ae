"""Tests of bertie/bundle."""
