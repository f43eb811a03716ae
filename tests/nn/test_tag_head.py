"""Tags and spans: numbers both ways, valid answers from any head, scores that are probabilities."""

from __future__ import annotations

import pytest
import torch

from bertie.nn.losses import IGNORED
from bertie.nn.spans import Span
from bertie.nn.tag_head import TagHead, flat, tag_names, tags_of_spans

FEATURES = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(6) < torch.tensor([6, 4, 0])[:, None]
TAGS = torch.tensor([[1, 2, 0, 3, 1, 0], [0, 3, 4, 4, IGNORED, IGNORED], [IGNORED] * 6])


def head(*, learned: bool) -> TagHead:
    torch.manual_seed(1)
    made = TagHead(8, 2, learned=learned, dropout=0.0)
    torch.nn.init.normal_(made.tokens.output.weight, std=0.5)
    return made


def test_numbers_are_in_the_order_of_the_names() -> None:
    assert tag_names(["人", "地"]) == ["O", "B-人", "I-人", "B-地", "I-地"]
    assert tags_of_spans([Span(0, 1, 0), Span(3, 3, 1), Span(4, 4, 0)], 6) == TAGS[0].tolist()


def test_of_nested_spans_the_longest_has_the_tags() -> None:
    spans = [Span(0, 1, 1), Span(0, 3, 0), Span(4, 4, 1), Span(3, 4, 0)]
    assert tags_of_spans(spans, 5) == [1, 2, 2, 2, 3]
    assert flat(spans) == [Span(0, 1, 1), Span(4, 4, 1)]


@pytest.mark.parametrize("learned", [False, True])
@torch.no_grad()
def test_tags_that_are_certain_come_back_as_spans(learned: bool) -> None:
    emissions = torch.zeros(3, 6, 5).scatter(2, TAGS.clamp(min=0).unsqueeze(-1), 20.0)
    found = head(learned=learned).spans(emissions, MASK)
    assert [[span[:3] for span in row] for row in found] == [
        [(0, 1, 0), (3, 3, 1), (4, 4, 0)],
        [(1, 3, 1)],
        [],
    ]
    assert all(span.score > 0.999 for row in found for span in row)


@pytest.mark.parametrize(("inside", "expected"), [(3.0, []), (7.0, [(0, 1, 1)])])
@torch.no_grad()
def test_an_inside_has_its_begin_or_is_not_answered(inside: float, expected: list[tuple[int, int, int]]) -> None:
    emissions = torch.zeros(1, 2, 5)
    emissions[0, 0, 0], emissions[0, 1, 4] = 5.0, inside
    (found,) = head(learned=False).spans(emissions, MASK[:1, :2])
    assert [span[:3] for span in found] == expected


@torch.no_grad()
def test_a_score_is_no_more_than_any_part_of_it_allows() -> None:
    """Where it is open whether an entity goes on, its tags are sure but it is not."""
    emissions = torch.zeros(1, 3, 5)
    emissions[0, 0, 1], emissions[0, 2, 0] = 20.0, 20.0
    emissions[0, 1] = torch.tensor([10.1, 0.0, 10.0, 0.0, 0.0])
    ((span,),) = head(learned=False).spans(emissions, torch.ones(1, 3, dtype=torch.bool))
    assert span[:3] == (0, 0, 0) and span.score == pytest.approx(0.525, abs=0.01)


def test_without_a_learned_field_it_is_cross_entropy() -> None:
    made = head(learned=False)
    emissions = made(FEATURES)
    expected = torch.nn.functional.cross_entropy(emissions[MASK], TAGS[MASK], reduction="sum")
    torch.testing.assert_close(made.nats(emissions, TAGS).sum(), expected)
    assert made.nats(emissions, TAGS)[2] == 0
    made.nats(emissions, TAGS).sum().backward()  # type: ignore[no-untyped-call]
    assert made.field.transitions.grad is None and made.tokens.output.weight.grad is not None


def test_a_learned_field_starts_at_zero_and_forbids_what_bio_does() -> None:
    """Of all rows of tags only the valid ones share the probability, so the right one has more of it."""
    learned, plain = head(learned=True), head(learned=False)
    emissions = plain(FEATURES)
    assert (learned.nats(emissions, TAGS)[:2] < plain.nats(emissions, TAGS)[:2]).all()
    assert learned.spans(emissions, MASK) == plain.spans(emissions, MASK)
    learned.nats(emissions, TAGS).mean().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in learned.field.parameters())
