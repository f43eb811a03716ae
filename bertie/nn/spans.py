"""Every span of a text scored for every label, so that entities may lie inside each other.

In:  states (S, T, D), attention mask (S, T) or None
Out: logits (S, L, T, T), one for each label, first and last token; the spans above zero
Knows nothing of encoders, words or metrics. Its loss is `losses.multilabel_ranking_loss`.

                last token j
               0   1   2   3
            0  x   x   x   .      x  a span that starts at i and ends at j, both inside
    first   1      x   x   .      .  padding: hidden
    token i 2          x   .         below the diagonal, an end before its start: hidden
            3              .
"""

# S sequences, T tokens, D width, K width of the pointers, L labels

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bertie.nn.attention import rotary_angles, rotate
from bertie.nn.heads import init_head

THETA = 10_000.0
"""Base of the rotary angles, as in Su et al. 2021."""


class Span(NamedTuple):
    """One found span."""

    start: int
    """First token."""
    end: int
    """Last token, which belongs to it."""
    label: int
    score: float = 1.0
    """Sigmoid of the logit: above 0.5, larger is surer. It orders spans and is no calibrated probability, since the
    loss compares logits with each other and with zero."""


class SpanHead(nn.Module):
    """The efficient Global Pointer (Su et al. 2022, "Global Pointer: Novel Efficient Span-based Approach for NER").

    Each token gets a query q and a key k. What makes tokens i and j a span is shared by all labels; which label it has
    is a vector w for each:

        logit(label, i, j) = (R_i q_i) . (R_j k_j) / sqrt(K) + w_label . [q_i; k_i; q_j; k_j]

    R turns features by the angle of the position (Su et al. 2021), so the product depends on j - i: a head without it
    joins the start of one entity to the end of another. The division by sqrt(K) is in the authors' code, not in the
    paper.

    Memory: the logits take 4 S L T^2 bytes, 84 MB for 8 sequences of 512 tokens and 10 labels; with the loss and the
    gradients a training step holds about seven times that. Halving T quarters it.
    """

    def __init__(self, hidden_size: int, labels: int, *, head_size: int = 64, dropout: float = 0.1) -> None:
        """`head_size` is K, an even number."""
        super().__init__()
        if head_size % 2:
            raise ValueError(f"head_size is {head_size}, expected an even number: rotary angles turn pairs of features")
        self.head_size = head_size
        self.dropout = nn.Dropout(dropout)
        self.pointers = nn.Linear(hidden_size, 2 * head_size)
        # Both halves of w: what a label thinks of a token as the first one, and as the last.
        self.output = nn.Linear(2 * head_size, 2 * labels)
        init_head(self, self.output)

    def forward(self, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Score all spans.

        Args:
            states: (S, T, D), last hidden states.
            attention_mask: (S, T), 1 or True for tokens at which a span may start and end; None: for all.

        Returns:
            Logits (S, L, T, T), float32, over label, first and last token; the lowest finite number where there is no
            such span.
        """
        # As in `ClassificationHead`: a logit near the threshold wants more digits than bfloat16 has.
        with torch.autocast(states.device.type, enabled=False):
            pointers = self.pointers(self.dropout(states.to(self.pointers.weight.dtype)))  # (S, T, 2K)
            query, key = pointers.chunk(2, dim=-1)  # (S, T, K) each
            rotary = rotary_angles(states.shape[1], self.head_size, THETA, query)
            is_span = rotate(query, rotary) @ rotate(key, rotary).transpose(-1, -2) * self.head_size**-0.5  # (S, T, T)
            first, last = self.output(pointers).transpose(-1, -2).chunk(2, dim=1)  # (S, L, T) each
        logits: Tensor = is_span.unsqueeze(1) + first.unsqueeze(-1)  # (S, L, T, T)
        logits += last.unsqueeze(-2)  # in place: this is the largest tensor here
        return logits.masked_fill_(_no_span(states, attention_mask), torch.finfo(logits.dtype).min)


def _no_span(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Where an end lies before its start, or either in the padding: (S or 1, 1, T, T)."""
    length = states.shape[1]
    backwards = torch.ones(length, length, dtype=torch.bool, device=states.device).tril(-1)[None, None]
    if attention_mask is None:
        return backwards
    padding = attention_mask == 0  # (S, T)
    return backwards | padding[:, None, :, None] | padding[:, None, None, :]


def decode_spans(logits: Tensor) -> list[list[Span]]:
    """Every span whose logit is above zero, for each sequence in the order of the text.

    Spans may lie inside each other or cross; who wants flat ones keeps the best of those that overlap. An untrained
    head finds about half of all spans.
    """
    found: list[list[Span]] = [[] for _ in range(logits.shape[0])]
    above = logits > 0  # (S, L, T, T)
    scores = logits[above].float().sigmoid()
    for (sequence, label, start, end), score in zip(above.nonzero().tolist(), scores.tolist(), strict=True):
        found[sequence].append(Span(start, end, label, score))
    return [sorted(spans) for spans in found]


def span_targets(spans: Sequence[Sequence[Span]], labels: int, length: int) -> Tensor:
    """What `SpanHead` shall say: (S, L, T, T) bool, True at the spans of each sequence.

    Args:
        spans: the true spans of each of the S sequences.
        labels: L.
        length: T, with padding.

    Raises:
        ValueError: a span ends before it starts, or past the length, or has no such label.
    """
    targets = torch.zeros(len(spans), labels, length, length, dtype=torch.bool)
    for sequence, members in enumerate(spans):
        for span in members:
            if not (0 <= span.start <= span.end < length and 0 <= span.label < labels):
                raise ValueError(f"sequence {sequence}: {span} does not fit {length} tokens and {labels} labels")
            targets[sequence, span.label, span.start, span.end] = True
    return targets
