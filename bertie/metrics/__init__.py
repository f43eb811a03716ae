"""Rank 1: answers to numbers. numpy and SciPy, in `generation` sacrebleu and rouge-score; no tensors and no files."""
