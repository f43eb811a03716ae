"""Parameters to groups, groups to an optimiser of torch's.

In:  an encoder and a head, the optimiser's settings
Out: `torch.optim` optimiser whose groups carry `name` and `base_rate`
Knows nothing of schedules: `set_rate` is told the factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bertie.core.errors import UsageError
from bertie.nn.encoder import Encoder
from bertie.training.settings import Optimizer
from bertie.training.used_rows import UsedRows


def parameter_groups(encoder: nn.Module, head: nn.Module, settings: Optimizer) -> list[dict[str, Any]]:
    """Trainable parameters by rate and decay, each once; a parameter that encoder and head share is the encoder's.

    No decay on vectors (biases, norms: it only shifts what they calibrate) nor on embeddings: a row that no text
    touches would fade, and every step would pay for the whole table.
    """
    modules = (*encoder.modules(), *head.modules())
    tables = {id(p) for m in modules if isinstance(m, nn.Embedding | UsedRows) for p in m.parameters(recurse=False)}
    seen: set[int] = set()
    groups: list[dict[str, Any]] = []
    for part, module, rate in _parts(encoder, head, settings):
        fresh = [p for p in module.parameters() if p.requires_grad and id(p) not in seen]
        seen.update(id(p) for p in fresh)
        decayed = [p for p in fresh if p.ndim > 1 and id(p) not in tables]
        plain = [p for p in fresh if p.ndim <= 1 or id(p) in tables]
        for kind, params, decay in (("weights", decayed, settings.weight_decay), ("rest", plain, 0.0)):
            if params:
                name = f"{part} {kind}"
                groups.append({"params": params, "name": name, "lr": rate, "base_rate": rate, "weight_decay": decay})
    if not groups:
        raise UsageError(
            "nothing is left to train: every parameter of encoder and head is frozen; choose another tuning"
        )
    return groups


def _parts(encoder: nn.Module, head: nn.Module, settings: Optimizer) -> Iterator[tuple[str, nn.Module, float]]:
    """Name, module and rate: where rates of layers differ, what has the whole rate and the layers from the top down;
    the rest of the encoder; the head."""
    rate, decay = settings.rate, settings.layer_decay or 1.0
    if decay < 1.0 and isinstance(encoder, Encoder):
        if encoder.final_norm is not None:  # above all layers
            yield "final norm", encoder.final_norm, rate
        if encoder.prompt is not None:  # all that its method trains, which chose the rate for it
            yield "prompt", encoder.prompt, rate
        layers = list(encoder.layers)
        for number in range(len(layers), 0, -1):  # one that is used several times learns as its uppermost place does
            yield f"layer {number}", layers[number - 1], rate
            rate *= decay
    yield "encoder", encoder, rate
    yield "head", head, settings.rate * (settings.head_rate_factor or 1.0)


def make_optimizer(groups: list[dict[str, Any]], settings: Optimizer) -> torch.optim.Optimizer:
    """The named method over the groups."""
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.rate, momentum=settings.momentum)
    if settings.name == "adafactor":
        # torch's default caps the rate at 0.01 / sqrt(step); our schedule decides instead.
        return torch.optim.Adafactor(groups, lr=settings.rate, beta2_decay=-0.8)
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    # Fused is one pass over memory: 23 ms against 220 for the 23 M parameters of a MiniLM, on one core.
    fused = all(p.device.type in ("cpu", "cuda", "mps") for p in parameters(groups))
    return kind(groups, lr=settings.rate, betas=settings.betas, eps=settings.epsilon, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Sets every group to its own highest rate times `factor`; returns the first group's."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_rate"] * factor
    return float(optimizer.param_groups[0]["lr"])


def clip_gradient(parameters: Sequence[Tensor], longest: float) -> float:
    """Scales the gradient down to norm `longest` (0: never) and returns the norm it had.

    torch's own clipping multiplies every gradient even by 1, a pass over memory as dear as a part of the optimiser's.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients))
    if 0.0 < longest < norm < float("inf"):
        torch.nn.utils.clip_grads_with_norm_(parameters, longest, torch.tensor(norm))
    return norm


def parameters(groups: Iterable[dict[str, Any]]) -> list[Tensor]:
    """All parameters of the groups, in order."""
    return [p for group in groups for p in group["params"]]
