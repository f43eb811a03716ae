"""AdaLoRA: one budget of ranks for the whole encoder, spent where the gradient says that they matter.

In:  an encoder, ranks to begin and to end with, the steps
Out: the same with layers in the form of a singular value decomposition; in the end low-rank layers of different ranks
Knows nothing of the loop: steps and gradients are handed in.
"""

# O outputs, I inputs, R rank

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.low_rank import LowRankLinear, merged_weights, plain, put, take_over
from bertie.tuning.base import TARGETS, Method, Target, bare, freeze, refuse_rank, replace_linears

FACTORS = ("left", "values", "right")
DEVIATION = 0.02
"""Of the random vectors that P and Q begin with."""


class SingularLinear(nn.Linear):
    """y = (W + s P diag(v) Q) x + b with P (O, R), v (R,) and Q (R, I) (Zhang et al. 2023, equation 3).

    v starts at zero. For each factor the sensitivity of its entries and how much that varies are followed (equations 9
    and 10), in the `state_dict`, so that a resume goes on with them.
    """

    def __init__(self, base: nn.Linear, rank: int, scaling: float) -> None:
        take_over(self, base)
        like, self.scaling = base.weight, scaling
        self.left = nn.Parameter(like.new_empty(base.out_features, rank).normal_(0.0, DEVIATION))
        self.values = nn.Parameter(like.new_zeros(rank))
        self.right = nn.Parameter(like.new_empty(rank, base.in_features).normal_(0.0, DEVIATION))
        for name in FACTORS:
            for kind in ("sensitivity", "variation"):
                self.register_buffer(f"{name}_{kind}", torch.zeros_like(self.get_parameter(name)))
        self.kept: Tensor
        self.register_buffer("kept", torch.ones(rank, dtype=torch.bool, device=like.device))

    def forward(self, states: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        inner = F.linear(states, self.right) * (self.values * self.scaling)  # (..., R)
        made: Tensor = F.linear(states, self.weight, self.bias) + F.linear(inner, self.left)
        return made

    @torch.no_grad()
    def follow(self, smoothing: float) -> None:
        """Takes the gradients of this step into the running means."""
        for name in FACTORS:
            parameter = self.get_parameter(name)
            if parameter.grad is None:
                continue
            now = (parameter * parameter.grad).abs()  # equation 8
            mean, variation = self.get_buffer(f"{name}_sensitivity"), self.get_buffer(f"{name}_variation")
            mean.lerp_(now, 1.0 - smoothing)
            variation.lerp_((now - mean).abs(), 1.0 - smoothing)

    def importance(self) -> Tensor:
        """Of each triplet of a value and its two vectors, (R,): equation 7, with the score of equation 11."""
        score = {
            name: self.get_buffer(f"{name}_sensitivity") * self.get_buffer(f"{name}_variation") for name in FACTORS
        }
        return score["values"] + score["left"].mean(dim=0) + score["right"].mean(dim=1)

    @torch.no_grad()
    def keep(self, kept: Tensor) -> None:
        """Sets the values of all other triplets to zero; their vectors stay, so that they may come back."""
        self.kept.copy_(kept)
        self.values.mul_(kept)

    def overlap(self) -> Tensor:
        """How far P and Q are from having orthogonal vectors (equation 4)."""
        identity = torch.eye(len(self.values), device=self.values.device)
        left, right = self.left.T @ self.left - identity, self.right @ self.right.T - identity
        return left.square().sum() + right.square().sum()

    @torch.no_grad()
    def settled(self) -> nn.Linear:
        """A low-rank layer of the rank that is left, or, where none is, a plain one."""
        chosen = self.kept & (self.values != 0)
        rank = int(chosen.sum())
        if rank == 0:
            return plain(self)
        layer = LowRankLinear(self, rank, self.scaling)
        layer.lora_a.copy_(self.right[chosen])
        layer.lora_b.copy_(self.left[:, chosen] * self.values[chosen])
        return layer


@dataclass(frozen=True, kw_only=True)
class AdaLora(Method):
    """Adaptive budget allocation (Zhang et al. 2023)."""

    name: ClassVar[str] = "adalora"
    about: ClassVar[str] = "low-rank matrices whose ranks are moved to where they matter"
    rate_factor: ClassVar[float] = 20.0
    keeps_last: ClassVar[bool] = True
    constant: ClassVar[bool] = False

    rank: int = 6
    """Mean rank of a matrix in the end."""
    first_rank: int = 9
    """Rank of each matrix in the beginning; the paper takes one and a half times the last."""
    alpha: float = 16.0
    """The product is multiplied by alpha / rank."""
    targets: tuple[Target, ...] = tuple(TARGETS)  # type: ignore[arg-type]
    """Which matrices of each block compete for the budget, as with LoRA."""
    begin: float = 0.1
    """Part of all steps before the budget falls."""
    end: float = 0.3
    """Part of all steps, the last ones, in which the ranks stay as they are."""
    every: int = 10
    """Steps from one allocation to the next."""
    smoothing: float = 0.85
    """Memory of the sensitivity, and of how much it varies."""
    orthogonality: float = 0.1
    """Weight of the penalty that keeps the vectors of a matrix orthogonal."""

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= self.first_rank or not self.alpha > 0.0:
            raise ValueError(
                f"rank is {self.rank}, first_rank {self.first_rank} and alpha {self.alpha}, expected 1 <= rank <= "
                "first_rank and alpha more than 0"
            )
        if not (self.begin >= 0.0 and self.end >= 0.0 and self.begin + self.end < 1.0):
            raise ValueError(f"begin is {self.begin} and end {self.end}, expected parts of 1 that leave some between")
        if self.every < 1 or not 0.0 <= self.smoothing < 1.0 or self.orthogonality < 0.0:
            raise ValueError("every, smoothing or orthogonality is out of range: at least 1, 0 to below 1, at least 0")
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ValueError(f"targets is {list(self.targets)}, expected some of {', '.join(TARGETS)}, each once")

    def refuse(self, config: EncoderConfig) -> None:
        refuse_rank("first_rank", self.first_rank, config)

    def apply(self, encoder: Encoder) -> None:
        self.refuse(encoder.config)
        freeze(encoder)
        scaling = self.alpha / self.rank
        replace_linears(encoder, self.targets, lambda base: SingularLinear(base, self.first_rank, scaling))

    def after_gradient(self, encoder: Encoder) -> None:
        for layer in _layers(encoder):
            layer.follow(self.smoothing)

    def after_step(self, encoder: Encoder, done: int, total: int) -> None:
        """Gives the budget of this step to the most important triplets of the whole encoder (algorithm 1)."""
        layers = list(_layers(encoder))
        budget, final = self.budget(done / total, len(layers)), done >= (1.0 - self.end) * total
        if final and sum(int(layer.kept.sum()) for layer in layers) <= budget:
            for layer in layers:  # what is out stays out: the optimiser moves its value all the same
                layer.keep(layer.kept)
        elif final or done % self.every == 0:
            scores = torch.cat([layer.importance() for layer in layers])
            chosen = torch.zeros_like(scores, dtype=torch.bool)
            chosen[scores.topk(budget).indices] = True
            for layer, kept in zip(layers, torch.split(chosen, self.first_rank), strict=True):
                layer.keep(kept)

    def budget(self, part: float, layers: int) -> int:
        """Triplets of all layers after this part of the steps: a cubic way down (equation 12)."""
        left = 1.0 - (part - self.begin) / (1.0 - self.begin - self.end)
        left = min(max(left, 0.0), 1.0)
        return round(layers * (self.rank + (self.first_rank - self.rank) * left**3))

    def penalty(self, encoder: Encoder) -> Tensor | None:
        layers = list(_layers(encoder))
        return self.orthogonality * torch.stack([layer.overlap() for layer in layers]).mean()

    def settle(self, encoder: Encoder) -> None:
        replace_linears(
            encoder, self.targets, lambda layer: layer.settled() if isinstance(layer, SingularLinear) else layer
        )

    def restore(self, encoder: Encoder, added: Mapping[str, Tensor]) -> None:
        freeze(encoder)
        for name in sorted(one.removesuffix(".lora_a") for one in added if one.endswith(".lora_a")):
            put(encoder, name, (added[f"{name}.lora_a"], added[f"{name}.lora_b"], None), self.alpha / self.rank)

    def merge(self, encoder: Encoder) -> Encoder:
        return bare(encoder, merged_weights(encoder))


def ranks(encoder: Encoder) -> dict[str, int]:
    """The rank that each matrix has now, by the name of its layer."""
    return {
        name: int(module.kept.sum()) for name, module in encoder.named_modules() if isinstance(module, SingularLinear)
    }


def _layers(encoder: Encoder) -> Iterator[SingularLinear]:
    return (module for module in encoder.modules() if isinstance(module, SingularLinear))
