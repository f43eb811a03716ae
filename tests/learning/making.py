"""A tiny checkpoint with the head of a masked language model."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from bertie.nn import checkpoint
from bertie.nn.language_head import LanguageHead


def masked_lm_folder(model: Path, folder: Path) -> Path:
    """The tiny model with a random head beside it, in the format of transformers."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    encoder = checkpoint.load(model).encoder
    torch.manual_seed(3)
    head = LanguageHead(encoder.config)
    with torch.no_grad():
        head.bias.normal_()
    weights = {f"masked_lm.{name}": weight for name, weight in head.state_dict().items()}
    checkpoint.save(encoder, folder, heads=weights)
    return folder
