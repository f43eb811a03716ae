"""Tagged texts: rows whose target is spans of units, what a head reads of each unit, spans as entities of an answer.

In:  encoded rows with their units; states of an encoder; spans that a head found
Out: features (R, N, F), tags (R, N); entities in characters of the text
Knows nothing of tasks, files and losses. What tagging, intent with slots, and extraction share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.data.batches import Batch, Example
from bertie.data.units import SHAPES, Units, run_of
from bertie.nn.heads import normalised
from bertie.nn.losses import IGNORED
from bertie.nn.spans import Span
from bertie.nn.tag_head import tags_of_spans

# R rows, S sequences, T tokens, N units of the longest, D width, F features
AROUND = 3
"""Shapes that a head sees of each unit: that of the unit before, its own, that of the one behind."""
Place = tuple[int, int, str]
"""Start, end and label of an entity, in characters."""


@dataclass(frozen=True, kw_only=True)
class TaggedText(Example):
    """A row with the units that its sequences show; the target holds its entities as `Span`s of units."""

    text: str
    units: Units


def tagged_texts(batch: Batch) -> list[TaggedText]:
    """The rows of a batch that has no others."""
    return [cast(TaggedText, example) for example in batch.examples]


def spans_of_units(entities: Iterable[Mapping[str, Any]], units: Units, index: Mapping[str, int]) -> list[Span | None]:
    """Each entity as a span of units; None for a label that training never saw, or where the model sees nothing."""
    runs = ((run_of(units.offsets, one["start"], one["end"]), one["label"]) for one in entities)
    return [Span(*run, index[label]) if run and label in index else None for run, label in runs]


def shape_count(shapes: bool) -> int:
    """How many of the features tell how units are written."""
    return AROUND * len(SHAPES) if shapes else 0


def unit_features(states: Tensor, batch: Batch, *, shapes: bool, apart: bool = False) -> tuple[Tensor, Tensor]:
    """What a head reads of each unit (R, N, F) float32, and which of them are units and no padding (R, N) bool.

    The state (S, T, D) of the unit's piece, brought to mean 0 and deviation 1; then, with `shapes`, a one for the shape
    of the unit before, one for its own, one for that of the unit behind. `apart`: the units of each sequence (S, N, F),
    not of each row.
    """
    places, kinds, mask = _layout(batch, apart)
    found = normalised(states.flatten(0, 1)[places].float())  # (R, N, D)
    if shapes:
        found = torch.cat([found, F.one_hot(kinds, len(SHAPES)).flatten(-2).to(found.dtype)], dim=-1)
    return found, mask


def unit_mask(batch: Batch, length: int) -> Tensor:
    """Which of `length` places of each row are units, (R, N) bool."""
    device = batch.input_ids.device
    counts = torch.tensor([len(text.units) for text in tagged_texts(batch)], device=device)  # (R,)
    return torch.arange(length, device=device) < counts[:, None]


def tag_targets(batch: Batch) -> Tensor:
    """The tag of each unit (R, N) long, `losses.IGNORED` past the end of a row; of nested entities the longest."""
    texts = tagged_texts(batch)
    longest = max(1, *(len(text.units) for text in texts))
    tags = torch.full((len(texts), longest), IGNORED)  # (R, N)
    for r, text in enumerate(texts):
        tags[r, : len(text.units)] = torch.tensor(tags_of_spans(text.target, len(text.units)))
    return tags


def entities_of(spans: Iterable[Span], text: TaggedText, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Spans of units as entities of an answer, in the order of the text."""
    offsets = text.units.offsets
    found = sorted((offsets[span.start][0], offsets[span.end][1], labels[span.label], span.score) for span in spans)
    return [
        {"text": text.text[start:end], "label": label, "start": start, "end": end, "score": score}
        for start, end, label, score in found
    ]


def places(entities: Iterable[Mapping[str, Any] | Place]) -> set[Place]:
    """Entities of a row or of an answer, as strict match compares them."""
    return {place_of(one) for one in entities}


def place_of(entity: Mapping[str, Any] | Place) -> Place:
    """One of them; of an answer that was kept it is the entity itself, which comes out of a JSON file as a list."""
    if isinstance(entity, Mapping):
        return entity["start"], entity["end"], entity["label"]
    start, end, label = entity
    return start, end, label


def kept_entities(entities: Iterable[Mapping[str, Any]]) -> list[Place]:
    """Entities of an answer with what a score reads of them, in half the memory of objects with names."""
    return [place_of(one) for one in entities]


def scored(entities: Iterable[Mapping[str, Any]]) -> dict[Place, float]:
    """Entities of an answer with their scores."""
    return {place_of(one): one["score"] for one in entities}


def rightness(found: Mapping[Any, float], gold: set[Any]) -> list[float]:
    """Of what was found the score, 1 - it where it is wrong; 0 for what was missed."""
    return [score if place in gold else 1.0 - score for place, score in found.items()] + [0.0] * len(gold - set(found))


def listed(text: str, found: Iterable[Place]) -> str:
    """Entities in words."""
    return ", ".join(f"{text[start:end]} ({label})" for start, end, label in sorted(found))


def _layout(batch: Batch, apart: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row, or each sequence: the place of each unit among S x T tokens, three shapes, whether it is a unit.

    (R, N) long, (R, N, 3) long, (R, N) bool.
    """
    lines: list[list[tuple[int, ...]]] = []
    width, offset = batch.input_ids.shape[1], 0
    for text in tagged_texts(batch):
        units = text.units
        framed = (0, *units.shapes, 0)
        first = [(offset + w) * width for w in range(len(units.windows))]
        if apart:
            for start, window in zip(first, units.windows, strict=True):
                numbered = enumerate(window.tokens, start=window.first)
                lines.append([(start + token, *framed[unit : unit + AROUND]) for unit, token in numbered])
        else:
            numbered_places = enumerate(units.carriers)
            lines.append([(first[w] + token, *framed[unit : unit + AROUND]) for unit, (w, token) in numbered_places])
        offset += len(units.windows)
    counts = torch.tensor([len(line) for line in lines])  # (R,)
    mask = torch.arange(max(int(counts.max()), 1)) < counts[:, None]  # (R, N)
    table = torch.zeros(*mask.shape, 1 + AROUND, dtype=torch.long)  # (R, N, 4)
    table[mask] = torch.tensor([unit for line in lines for unit in line], dtype=torch.long).view(-1, 1 + AROUND)
    table, mask = table.to(batch.input_ids.device), mask.to(batch.input_ids.device)
    return table[..., 0], table[..., 1:], mask
