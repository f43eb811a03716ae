"""Parts: many sequences through an encoder, a bounded number of tokens at a time, where no gradient is asked for.

In:  token ids, attention mask, segment ids of any number of sequences
Out: the sequences in parts, those of similar length together; what is read of the states of each, in their order
Knows nothing of tasks, of rows, or of what an encoder is made of.

One row may bring a thousand candidates, or sixty windows for each of its choices. What the layers make of all of them
at once takes gigabytes; what they make of a part is given back before the next one.
"""

# S sequences, T tokens, D width, s sequences of a part, t tokens of its longest

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

TOKENS = 8192
"""Most padded tokens of a part, unless one sequence has more: twice those of a usual batch of rows to be answered,
which therefore stays whole."""


@dataclass(frozen=True)
class SequencePart:
    """Some of the sequences, padded to the longest of these."""

    places: Tensor | slice
    """Which of all they are, (s,)."""
    input_ids: Tensor  # (s, t) long
    attention_mask: Tensor | None  # (s, t), None: nothing is padded
    token_type_ids: Tensor | None  # (s, t) long


def too_many(encoder: nn.Module, input_ids: Tensor) -> bool:
    """Whether these sequences (S, T) are to be read in parts. Never in training: dropout would draw other numbers."""
    if torch.is_grad_enabled() or encoder.training:
        return False
    return len(input_ids) > 1 and input_ids.numel() > TOKENS


def parts(input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None) -> Iterator[SequencePart]:
    """All sequences (S, T), the short ones first."""
    lengths = _lengths(input_ids, attention_mask)  # (S,)
    order = lengths.argsort(stable=True)
    for first, last in _cuts(lengths[order].tolist()):
        places = order[first : last + 1]
        longest = int(lengths[order[last]])
        mask = None if attention_mask is None else attention_mask[places, :longest]
        yield SequencePart(
            places,
            input_ids[places, :longest],
            None if mask is None or bool((mask != 0).all()) else mask,
            None if token_type_ids is None else token_type_ids[places, :longest],
        )


def read_states(
    encoder: nn.Module,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
    read: Callable[[Tensor, SequencePart], Tensor],
) -> Tensor:
    """What `read` makes of the states (s, t, D) of the sequences of a part, (s, ...), for all of them, (S, ...).

    So the states of all sequences are never held at once where these are too many.
    """
    if not too_many(encoder, input_ids):
        whole = SequencePart(slice(None), input_ids, attention_mask, token_type_ids)
        return read(encoder(input_ids, attention_mask, token_type_ids), whole)
    found: Tensor | None = None
    for part in parts(input_ids, attention_mask, token_type_ids):
        made = read(encoder(part.input_ids, part.attention_mask, part.token_type_ids), part)  # (s, ...)
        if found is None:
            found = made.new_empty(len(input_ids), *made.shape[1:])
        found[part.places] = made
    assert found is not None, "there are sequences, so there is a part"
    return found


def _lengths(input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Tokens of each sequence up to its last one that is no padding, (S,), at least 1."""
    if attention_mask is None:
        return torch.full_like(input_ids[:, 0], input_ids.shape[1])
    numbered = torch.arange(1, input_ids.shape[1] + 1, device=input_ids.device)  # (T,)
    return ((attention_mask != 0) * numbered).amax(dim=1).clamp(min=1)


def _cuts(lengths: list[int]) -> Iterator[tuple[int, int]]:
    """First and last sequence of each part; of rising lengths the last one is the longest."""
    first = 0
    for last, length in enumerate(lengths):
        if last > first and length * (last - first + 1) > TOKENS:
            yield first, last - 1
            first = last
    yield first, len(lengths) - 1
