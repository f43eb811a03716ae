"""Tests of bertie.learning."""
