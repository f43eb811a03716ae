"""Tests of bertie/cli."""
