"""Tests of bertie/e2e."""
