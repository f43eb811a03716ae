"""Spans: the formula written out, padding, nested entities."""

from __future__ import annotations

import cmath

import pytest
import torch
from torch import Tensor

from bertie.nn.losses import multilabel_ranking_loss
from bertie.nn.spans import THETA, Span, SpanHead, decode_spans, span_targets

LOWEST = torch.finfo(torch.float32).min
STATES = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def make(labels: int = 3, head_size: int = 4, scale: float = 20.0) -> SpanHead:
    """With weights that are large enough to see."""
    torch.manual_seed(0)
    head = SpanHead(8, labels, head_size=head_size).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(scale)
    return head


@torch.no_grad()
def written_out(head: SpanHead, first: Tensor, last: Tensor, distance: int) -> list[float]:
    """One span's logit for each label: features p and p + K/2 are a complex number that the distance turns."""
    half = head.head_size // 2
    ends = [head.pointers(state).tolist() for state in (first, last)]
    query, key = ends[0][: 2 * half], ends[1][2 * half :]
    product = 0.0
    for p in range(half):
        turn = cmath.exp(1j * distance * THETA ** (-2 * p / head.head_size))
        product += (complex(query[p], query[p + half]).conjugate() * turn * complex(key[p], key[p + half])).real
    labels = head.output.out_features // 2
    weight, bias = head.output.weight, head.output.bias
    vectors = torch.cat([weight[:labels], weight[labels:]], dim=1)  # (L, 4K), over [q_i; k_i; q_j; k_j]
    thought = vectors @ torch.tensor(ends[0] + ends[1]) + bias[:labels] + bias[labels:]
    return (thought + product / head.head_size**0.5).tolist()


@torch.no_grad()
def test_logits_are_the_formula() -> None:
    head = make()
    head.output.bias.uniform_()
    logits = head(STATES)
    assert logits.shape == (2, 3, 5, 5)
    for s in range(2):
        for i in range(5):
            for j in range(i, 5):
                expected = written_out(head, STATES[s, i], STATES[s, j], j - i)
                assert logits[s, :, i, j].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@torch.no_grad()
def test_backward_spans_and_padding_are_hidden() -> None:
    logits = make()(STATES, MASK)
    shown = (logits > LOWEST).all(dim=1)  # (S, T, T)
    assert shown[0].equal(torch.ones(5, 5).triu().bool())
    assert shown[1].sum() == 6 and shown[1, :3, :3].equal(torch.ones(3, 3).triu().bool())
    assert torch.isfinite(logits).all()


@torch.no_grad()
def test_no_span_starts_or_ends_at_a_masked_token_but_may_reach_over_it() -> None:
    mask = torch.tensor([[0, 1, 0, 1, 0]])  # [CLS] and [SEP] at the ends, a token of no interest between
    shown = (make()(STATES[:1], mask) > LOWEST).all(dim=1)[0]
    assert shown.nonzero().tolist() == [[1, 1], [1, 3], [3, 3]]


@pytest.mark.parametrize("more", [0, 1, 7])
@torch.no_grad()
def test_padding_changes_nothing(more: int) -> None:
    head = make()
    padded = torch.cat([STATES, torch.full((2, more, 8), 9.0)], dim=1)
    mask = torch.nn.functional.pad(MASK, (0, more))
    logits = head(padded, mask)
    torch.testing.assert_close(logits[0, :, :5, :5], head(STATES[:1])[0])
    torch.testing.assert_close(logits[1, :, :3, :3], head(STATES[1:, :3])[0])
    alone = decode_spans(head(STATES[:1])) + decode_spans(head(STATES[1:, :3]))
    found = decode_spans(logits)
    assert [[span[:3] for span in row] for row in found] == [[span[:3] for span in row] for row in alone]
    rest = torch.zeros_like(logits, dtype=torch.bool)
    whole = multilabel_ranking_loss(logits.flatten(2), rest.flatten(2))
    torch.testing.assert_close(
        whole, multilabel_ranking_loss(head(STATES, MASK).flatten(2), rest[..., :5, :5].flatten(2))
    )


@torch.no_grad()
def test_the_place_in_the_text_does_not_matter_only_the_distance() -> None:
    head = make()
    same = STATES[:1, :1].expand(1, 9, 8)  # every token alike
    logits = head(same)[0, 0]
    for distance in range(9):
        diagonal = logits.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=1e-4)
    assert (logits[0] - logits[0, 0]).abs()[1:].min() > 1e-3, "and the distance does"


def test_gradients_reach_every_weight_and_no_padding() -> None:
    head = make()
    states = STATES.clone().requires_grad_()
    targets = span_targets([[Span(0, 2, 1)], [Span(1, 1, 0)]], labels=3, length=5)
    multilabel_ranking_loss(head(states, MASK).flatten(2), targets.flatten(2)).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.parameters())
    assert states.grad is not None and states.grad[MASK == 0].abs().max() == 0
    assert (states.grad[MASK == 1].abs().amax(dim=-1) > 0).all()


def test_learns_nested_entities_by_heart() -> None:
    """Inside each other, with the same start, of one token, two labels for one span."""
    gold = [
        [Span(0, 5, 0), Span(0, 1, 1), Span(3, 5, 1), Span(4, 4, 0)],
        [Span(1, 3, 0), Span(1, 3, 1)],
        [],
    ]
    torch.manual_seed(0)
    head = SpanHead(16, 2, head_size=16, dropout=0.0)
    states, mask = torch.randn(3, 7, 16), torch.arange(7) < torch.tensor([[7], [5], [4]])
    targets = span_targets(gold, labels=2, length=7).flatten(2)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        multilabel_ranking_loss(head(states, mask).flatten(2), targets).backward()
        optimizer.step()
    found = decode_spans(head(states, mask))
    assert [[span[:3] for span in spans] for spans in found] == [sorted(span[:3] for span in spans) for spans in gold]
    assert all(span.score > 0.5 for spans in found for span in spans)


def test_decoding_is_above_zero_with_the_sigmoid() -> None:
    logits = torch.full((2, 2, 3, 3), LOWEST)
    logits[0, 1, 0, 2], logits[0, 0, 0, 2], logits[0, 0, 0, 1], logits[0, 0, 2, 2] = 1.0, 2.0, 0.0, 0.5
    spans = decode_spans(logits)
    assert [span[:3] for span in spans[0]] == [(0, 2, 0), (0, 2, 1), (2, 2, 0)]
    assert [span.score for span in spans[0]] == pytest.approx([0.8808, 0.7311, 0.6225], abs=1e-4)
    assert spans[1] == []


@pytest.mark.parametrize("span", [Span(2, 1, 0), Span(0, 3, 0), Span(-1, 0, 0), Span(0, 0, 2)])
def test_spans_that_cannot_be_are_refused(span: Span) -> None:
    with pytest.raises(ValueError, match=r"sequence 1: Span.* does not fit 3 tokens and 2 labels"):
        span_targets([[], [span]], labels=2, length=3)


@torch.no_grad()
def test_float32_under_autocast() -> None:
    head = make()
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(STATES.bfloat16(), MASK)
    assert logits.dtype is torch.float32
    assert torch.equal(logits, head(STATES.bfloat16().float(), MASK))


@torch.no_grad()
def test_every_tensor_is_made_where_the_states_are() -> None:
    """With another default device a tensor made without one would not fit to the rest."""
    head = make()
    with torch.device("meta"):
        logits = head(STATES, MASK)
        loss = multilabel_ranking_loss(logits.flatten(2), torch.zeros_like(logits).flatten(2))
        assert len(decode_spans(logits)) == 2
    assert logits.device.type == loss.device.type == "cpu"


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="head_size is 3, expected an even number"):
        SpanHead(8, 2, head_size=3)
