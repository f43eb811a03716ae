"""Fewer layers: a smaller encoder that starts from some of the blocks of a larger one.

In:  an encoder, how many of its blocks to keep
Out: an encoder of these blocks, with the same embeddings
Knows nothing of training or of teachers.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from bertie.core.errors import UsageError
from bertie.nn.encoder import Encoder

BLOCK = "layers."


def kept_layers(all_layers: int, count: int) -> list[int]:
    """Evenly spaced from the first to the last: 0, 2, 4, 7, 9, 11 of twelve, the choice of Sanh et al. 2019; of one
    layer the first."""
    return [round(n * (all_layers - 1) / max(count - 1, 1)) for n in range(count)]


def with_layers(encoder: Encoder, count: int) -> Encoder:
    """An encoder of `count` blocks in their order, a copy.

    Raises:
        UsageError: there are fewer blocks, or they differ in kind or share their weights, so that one cannot stand for
            another.
    """
    old = encoder.config
    if not 1 <= count <= old.layers:
        raise UsageError(f"layers is {count}, the encoder has {old.layers}; choose 1 to {old.layers}")
    if old.unique_layers or old.local_window is not None or old.norm == "pre":
        raise UsageError(
            f"the layers of {old.family} share weights or differ in kind, so none can be left out; take all of them "
            "(layers=0), or a model of the BERT or RoBERTa kind"
        )
    place = {str(layer): str(n) for n, layer in enumerate(kept_layers(old.layers, count))}
    weights = {}
    for name, weight in encoder.state_dict().items():
        layer, _, rest = name.removeprefix(BLOCK).partition(".")
        if not name.startswith(BLOCK):
            weights[name] = weight.clone()
        elif layer in place:
            weights[f"{BLOCK}{place[layer]}.{rest}"] = weight.clone()
    with torch.device("meta"):
        made = Encoder(replace(old, layers=count))
    made.load_state_dict(weights, assign=True)
    for parameter in made.parameters():
        parameter.requires_grad_(True)
    return made.train(encoder.training)
