"""Tests of bertie/workflow."""
