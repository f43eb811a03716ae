"""From the states of a text to one vector, and from there to scores.

In:  states (B, T, D), attention mask (B, T) or None
Out: pooled (B, D), logits (B, C)
Knows nothing of encoders, labels or losses.
"""

# B batch, T tokens, D width, C outputs

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.core.errors import ModelError
from bertie.nn.layers import ACTIVATIONS


def mean_pool(states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """The mean of the states that are not padding, (B, D); zero for a text of padding alone."""
    if attention_mask is None:
        return states.mean(dim=1)
    real = attention_mask.to(states.dtype).unsqueeze(-1)  # (B, T, 1)
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)


def normalised(pooled: Tensor) -> Tensor:
    """Each vector (..., D) to mean 0 and deviation 1; zeros stay zeros.

    Length one would serve a linear layer as well: the two differ by sqrt(D) and by the vector's mean. But this one is
    a layer norm, which every transformer layer holds, so that stock classes can compute the head (`hf_classification`).
    """
    return F.layer_norm(pooled, pooled.shape[-1:], eps=1e-12)


class MeanPooling(nn.Module):
    """The mean of the states that are not padding (Reimers & Gurevych 2019)."""

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, D)."""
        return mean_pool(states, attention_mask)


class FirstPooling(nn.Module):
    """The state of the first token, [CLS] or <s>."""

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, D)."""
        return states[:, 0]


class Pooler(nn.Module):
    """The first token through one matrix and a non-linearity, as Hugging Face's classes do (Devlin et al. 2019)."""

    def __init__(self, hidden_size: int, *, activation: str = "tanh") -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.activation = ACTIVATIONS[activation]

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, D)."""
        return self.activation(self.dense(states[:, 0]))


class AttentionPooling(nn.Module):
    """A learned weight for each token, from one hidden layer (Yang et al. 2016, equations 5 to 7)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, D)."""
        scores = self.score(torch.tanh(self.dense(states)))  # (B, T, 1)
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask.unsqueeze(-1) == 0, torch.finfo(scores.dtype).min)
        pooled: Tensor = (scores.softmax(dim=1) * states).sum(dim=1)  # (B, D)
        return pooled


POOLINGS: dict[str, Callable[[int], nn.Module]] = {
    "mean": lambda hidden_size: MeanPooling(),
    "first": lambda hidden_size: FirstPooling(),
    "attention": AttentionPooling,
    "pooler": Pooler,
}
"""Name to a function of the width; `pooler` is the one that checkpoints with a trained classifier have."""


def make_pooling(name: str, hidden_size: int, *, activation: str = "tanh") -> nn.Module:
    """A pooling by its name; `activation` is that of `pooler`. Raises ModelError naming those we know."""
    if name not in POOLINGS:
        raise ModelError(f"pooling is {name!r}, expected one of {', '.join(POOLINGS)}")
    return Pooler(hidden_size, activation=activation) if name == "pooler" else POOLINGS[name](hidden_size)


def init_head(head: nn.Module, output: nn.Linear) -> None:
    """First weights of a head: every linear layer of it as BERT's are, and no output favoured by a bias."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
    nn.init.zeros_(output.bias)


class ClassificationHead(nn.Module):
    """Pooling, dropout, one linear layer."""

    def __init__(
        self,
        hidden_size: int,
        outputs: int,
        *,
        dropout: float = 0.1,
        pooling: str = "mean",
        normalise: bool = False,
        activation: str = "tanh",
    ) -> None:
        """`normalise`: the pooled vector gets mean 0 and deviation 1 before the dropout, see `normalised`."""
        super().__init__()
        self.normalise = normalise
        self.pooling_name = pooling
        self.activation_name = activation
        self.pooling = make_pooling(pooling, hidden_size, activation=activation)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, outputs)
        init_head(self, self.output)

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Score texts.

        Args:
            states: (B, T, D), last hidden states.
            attention_mask: (B, T), None where nothing is padded.

        Returns:
            Logits (B, C).
        """
        pooled = self.pooling(states, attention_mask)  # (B, D)
        if self.normalise:
            pooled = normalised(pooled)
        # In bfloat16 a logit of 10 is rounded by 0.03; these few products are worth every digit.
        with torch.autocast(pooled.device.type, enabled=False):
            logits: Tensor = self.output(self.dropout(pooled.to(self.output.weight.dtype)))  # (B, C)
        return logits
