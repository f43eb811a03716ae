"""Tests of bertie.evaluation."""
