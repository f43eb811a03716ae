"""Tests of bertie/tasks."""
