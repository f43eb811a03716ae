"""transformers without a network, and code that comes with a folder kept out of the user's cache."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_MODULES_CACHE", tempfile.mkdtemp(prefix="bertie-modules-"))

import torch

torch.set_num_threads(1)
