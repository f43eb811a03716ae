"""Tests of bertie.text."""
