"""Rank 9: predictors over HTTP, on this machine only; knows `predict` and never `training`."""
