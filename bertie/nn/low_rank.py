"""Linear layers whose weight is a frozen matrix and a product of two thin ones beside it.

In:  a linear layer; a rank and a factor
Out: a layer that stands in its place, and the weight that both have together
Knows nothing of which layers are replaced, of training or of files.
"""

# O outputs, I inputs, R rank

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def take_over(layer: nn.Linear, base: nn.Linear) -> None:
    """Makes `layer`, which nobody has initialised, hold the parameters of `base` under the same names."""
    nn.Module.__init__(layer)
    layer.in_features, layer.out_features = base.in_features, base.out_features
    layer.weight, layer.bias = base.weight, base.bias
    layer.train(base.training)


def plain(layer: nn.Linear) -> nn.Linear:
    """A plain layer with the weight and bias of one that may be more."""
    made = nn.Linear.__new__(nn.Linear)
    take_over(made, layer)
    return made


class LowRankLinear(nn.Linear):
    """y = (W + s B A) x + b, with W (O, I) frozen, A (R, I) and B (O, R) trained (Hu et al. 2022, equation 3).

    With a magnitude m (O,) the sum is a direction only: each of its rows has length m (Liu et al. 2024, equation 5; the
    length is a constant to the gradient, section 4.3). B starts at zero and m at the lengths of W's rows, so that the
    layer starts as what it replaces. It holds W and b under their old names.
    """

    def __init__(
        self, base: nn.Linear, rank: int, scaling: float, *, dropout: float = 0.0, magnitude: bool = False
    ) -> None:
        take_over(self, base)
        weight = base.weight
        self.scaling = scaling
        self.dropout = dropout
        self.lora_a = nn.Parameter(weight.new_empty(rank, base.in_features))
        self.lora_b = nn.Parameter(weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.lora_magnitude = nn.Parameter(weight.detach().norm(dim=1)) if magnitude else None

    def forward(self, states: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        dropped = F.dropout(states, self.dropout, self.training)
        beside = F.linear(F.linear(dropped, self.lora_a), self.lora_b) * self.scaling  # (..., O)
        if self.lora_magnitude is None:
            plain: Tensor = F.linear(states, self.weight, self.bias) + beside
            return plain
        turned = F.linear(states, self.weight) + beside  # (..., O)
        length = self.summed().detach().norm(dim=1)  # (O,)
        scaled: Tensor = turned * (self.lora_magnitude / length)
        return scaled if self.bias is None else scaled + self.bias

    def summed(self) -> Tensor:
        """W + s B A, (O, I)."""
        summed: Tensor = self.weight + self.scaling * (self.lora_b @ self.lora_a)
        return summed

    @torch.no_grad()
    def merged(self) -> Tensor:
        """The weight (O, I) of a plain layer that gives the same."""
        summed = self.summed()
        if self.lora_magnitude is None:
            return summed
        turned: Tensor = summed * (self.lora_magnitude / summed.norm(dim=1)).unsqueeze(1)
        return turned


def put(module: nn.Module, name: str, product: tuple[Tensor, Tensor, Tensor | None], scaling: float) -> None:
    """Puts a low-rank layer with these A, B and, perhaps, magnitudes in the place of the linear layer `name`."""
    inside, _, last = name.rpartition(".")
    base, (a, b, magnitude) = module.get_submodule(name), product
    assert isinstance(base, nn.Linear), f"{name} is {type(base).__name__}"
    layer = LowRankLinear(base, len(a), scaling, magnitude=magnitude is not None)
    with torch.no_grad():
        layer.lora_a.copy_(a)
        layer.lora_b.copy_(b)
        if layer.lora_magnitude is not None and magnitude is not None:
            layer.lora_magnitude.copy_(magnitude)
    setattr(module.get_submodule(inside), last, layer)


def merged_weights(module: nn.Module) -> dict[str, Tensor]:
    """The weights that plain layers would have in the place of all low-rank ones in `module`, by name."""
    parts = module.named_modules()
    return {f"{name}.weight": part.merged() for name, part in parts if isinstance(part, LowRankLinear)}
