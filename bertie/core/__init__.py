"""Rank 0: errors, registry, config and runtime. No torch except in `runtime`."""
