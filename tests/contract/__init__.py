"""Tests of bertie/contract."""
