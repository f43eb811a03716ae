"""Tagged texts: spans of units from entities, features in the order of the row, entities from spans."""

from __future__ import annotations

import json

import torch

from bertie.data.batches import stack
from bertie.data.tagged import (
    TaggedText,
    entities_of,
    kept_entities,
    listed,
    places,
    rightness,
    scored,
    shape_count,
    spans_of_units,
    tag_targets,
    unit_features,
    unit_mask,
)
from bertie.data.units import units_of
from bertie.nn.heads import normalised
from bertie.nn.spans import Span
from bertie.text.tokenizer import Encoded

INDEX = {"人": 0, "地": 1}


def text(of: str, *entities: tuple[int, int, str]) -> TaggedText:
    """A row in which every character is a token, between two that are not of the text."""
    size = len(of) + 2
    sequence = Encoded(
        ids=[1] * size,
        type_ids=[0] * size,
        offsets=[(0, 0), *((i, i + 1) for i in range(len(of))), (0, 0)],
        sequence=[None, *[0] * len(of), None],
        truncated=False,
    )
    units = units_of(of, (sequence,))
    found = spans_of_units([{"start": a, "end": b, "label": label} for a, b, label in entities], units, INDEX)
    return TaggedText(sequences=(sequence,), target=[span for span in found if span], text=of, units=units)


def test_entities_to_spans_and_back() -> None:
    one = text("李安去北京 ok", (0, 2, "人"), (3, 5, "地"), (6, 8, "物"))
    assert [span[:3] for span in one.target] == [(0, 1, 0), (3, 4, 1)], "物 was never seen"
    found = entities_of([Span(3, 4, 1, 0.5), Span(0, 1, 0, 0.9)], one, list(INDEX))
    assert [(entity["text"], entity["label"], entity["score"]) for entity in found] == [
        ("李安", "人", 0.9),
        ("北京", "地", 0.5),
    ]
    assert places(found) == {(0, 2, "人"), (3, 5, "地")} and listed(one.text, places(found)) == "李安 (人), 北京 (地)"
    assert sorted(rightness(scored(found), {(0, 2, "人"), (6, 8, "物")})) == [0.0, 0.5, 0.9]
    assert spans_of_units([{"start": 5, "end": 6, "label": "人"}], one.units, INDEX) == [None], "a space is no unit"


def test_features_are_the_states_of_the_units_with_their_shapes() -> None:
    batch = stack([text("去A国", (2, 3, "地")), text("好")], 0)
    states = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    features, mask = unit_features(states, batch, shapes=True)
    assert features.shape == (2, 3, 8 + shape_count(True)) and mask.tolist() == [[True] * 3, [True, False, False]]
    torch.testing.assert_close(features[0, :, :8], normalised(states[0, 1:4]))
    assert torch.equal(features[..., 8:].sum(-1)[mask], torch.full((4,), 3.0))
    assert unit_features(states, batch, shapes=False)[0].shape[-1] == 8 and shape_count(False) == 0
    assert torch.equal(unit_mask(batch, 3), mask)
    assert tag_targets(batch).tolist() == [[0, 0, 3], [0, -100, -100]]


def test_kept_entities_are_the_same_out_of_a_file() -> None:
    found = [{"text": "我", "start": 0, "end": 1, "label": "人", "score": 0.5}]
    kept = kept_entities(found)
    assert places(json.loads(json.dumps(kept))) == places(kept) == places(found) == {(0, 1, "人")}
