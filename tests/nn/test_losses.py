"""Losses against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from bertie.nn.losses import (
    IGNORED,
    balanced_positive_weights,
    balanced_weights,
    binary_cross_entropy,
    cosine_order,
    cross_entropy,
    focal_loss,
    in_batch_contrastive,
    listwise_cross_entropy,
    multilabel_ranking_loss,
)

LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 2, IGNORED, 1])
WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


def test_plain_is_torchs_cross_entropy() -> None:
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS), F.cross_entropy(LOGITS, LABELS))
    expected = F.cross_entropy(LOGITS, LABELS, weight=WEIGHTS, label_smoothing=0.1)
    found = cross_entropy(LOGITS, LABELS, class_weights=WEIGHTS, label_smoothing=0.1)
    torch.testing.assert_close(found, expected)


def test_focal_without_gamma_is_cross_entropy() -> None:
    expected = cross_entropy(LOGITS, LABELS, class_weights=WEIGHTS)
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, gamma=0.0, class_weights=WEIGHTS), expected)


def test_focal_is_equation_5() -> None:
    kept = LABELS != IGNORED
    right = LOGITS.softmax(-1)[kept, LABELS[kept]]
    expected = (-((1 - right) ** 2) * right.log()).mean()
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, gamma=2.0), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_finite_gradients_when_sure(gamma: float) -> None:
    logits = torch.tensor([[50.0, -50.0], [-50.0, 50.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([0, 0]), gamma=gamma).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("function", [cross_entropy, focal_loss])
def test_nothing_labelled_is_zero_not_nan(function: Callable[..., Tensor]) -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = function(logits, torch.full((6,), IGNORED))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_binary_is_torchs_and_skips_the_unknown() -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0]] * 6)
    expected = F.binary_cross_entropy_with_logits(LOGITS, targets, pos_weight=WEIGHTS)
    torch.testing.assert_close(binary_cross_entropy(LOGITS, targets, positive_weights=WEIGHTS), expected)
    targets[:, 1] = float("nan")
    expected = F.binary_cross_entropy_with_logits(LOGITS[:, [0, 2]], targets[:, [0, 2]])
    torch.testing.assert_close(binary_cross_entropy(LOGITS, targets), expected)


def test_balanced_weights_give_each_class_the_same_say() -> None:
    weights = balanced_weights(torch.tensor([8, 2, 0]))
    torch.testing.assert_close(weights, torch.tensor([10 / 16, 10 / 4, 0.0]))


def test_balanced_positive_weights_give_yes_and_no_the_same_say() -> None:
    weights = balanced_positive_weights(torch.tensor([2, 8, 10, 0]), 10)
    torch.testing.assert_close(weights, torch.tensor([4.0, 0.25, 0.1, 0.0]))


@given(seed=st.integers(0, 1000), rows=st.integers(1, 4), classes=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_ranking_is_the_formula(seed: int, rows: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=generator) * 5
    yeses = torch.rand(rows, classes, generator=generator) < 0.3
    expected = 0.0
    for scores, right in zip(logits.tolist(), yeses.tolist(), strict=True):
        expected += math.log(1 + sum(math.exp(-s) for s, yes in zip(scores, right, strict=True) if yes))
        expected += math.log(1 + sum(math.exp(s) for s, yes in zip(scores, right, strict=True) if not yes))
    found = multilabel_ranking_loss(logits, yeses)
    assert found.item() == pytest.approx(expected / rows, rel=1e-4, abs=1e-6)
    assert torch.equal(found, multilabel_ranking_loss(logits, yeses.float()))
    torch.testing.assert_close(found, multilabel_ranking_loss(logits[:, None], yeses[:, None]))


def test_ranking_with_one_right_class_compares_it_with_zero_and_the_rest() -> None:
    """Two classes, one right: cross-entropies of each against the zero that divides them."""
    logits = torch.tensor([[2.0, -1.0]])
    expected = F.softplus(torch.tensor(-2.0)) + F.softplus(torch.tensor(-1.0))
    torch.testing.assert_close(multilabel_ranking_loss(logits, torch.tensor([[True, False]])), expected)


def test_ranking_leaves_out_the_unknown_and_the_hidden() -> None:
    logits, yeses = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[1.0, 0.0, 0.0]])
    expected = multilabel_ranking_loss(logits[:, :2], yeses[:, :2])
    unknown = yeses.index_fill(1, torch.tensor([2]), torch.nan)
    torch.testing.assert_close(multilabel_ranking_loss(logits, unknown), expected)
    hidden = logits.index_fill(1, torch.tensor([2]), torch.finfo(torch.float32).min).requires_grad_()
    loss = multilabel_ranking_loss(hidden, yeses)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert hidden.grad is not None and torch.isfinite(hidden.grad).all() and hidden.grad[0, 2] == 0
    all_hidden = torch.full((1, 3), torch.finfo(torch.float32).min)
    assert multilabel_ranking_loss(all_hidden, torch.zeros(1, 3)) == 0


def test_ranking_far_from_zero_stays_finite_and_exact() -> None:
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    assert multilabel_ranking_loss(logits, torch.tensor([[True, False]])) == 0
    wrong = multilabel_ranking_loss(logits, torch.tensor([[False, True]]))
    wrong.backward()
    assert wrong.item() == 2e4
    assert logits.grad is not None and logits.grad.tolist() == [[1, -1]]
    assert multilabel_ranking_loss(logits.bfloat16(), torch.tensor([[True, False]])).dtype is torch.float32


def test_ranking_gradients() -> None:
    logits = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    yeses = torch.rand(3, 5) < 0.5
    assert torch.autograd.gradcheck(lambda scores: multilabel_ranking_loss(scores, yeses), logits)


def test_ranking_of_nothing_is_zero_with_a_gradient() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = multilabel_ranking_loss(logits, torch.zeros(0, 3))
    assert loss == 0 and loss.requires_grad


def test_cosine_order_is_the_formula() -> None:
    cosines, gold = torch.tensor([0.9, 0.2, 0.5]), torch.tensor([1.0, 3.0, 1.0])
    expected = math.log(1 + math.exp(20 * (0.9 - 0.2)) + math.exp(20 * (0.5 - 0.2)))
    assert cosine_order(cosines, gold).item() == pytest.approx(expected, rel=1e-5)
    assert cosine_order(cosines, -gold).item() == pytest.approx(0.0, abs=0.01)
    equal = torch.tensor([0.9, 0.2], requires_grad=True)
    loss = cosine_order(equal, torch.ones(2))
    loss.backward()
    assert loss.item() == 0.0 and equal.grad is not None


def test_listwise_is_cross_entropy_of_each_row() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0, 0.5, -1.0], requires_grad=True)
    row, right = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0.0, 1, 0, 1, 0])
    expected = (F.cross_entropy(scores[:3], torch.tensor(1)) + F.cross_entropy(scores[3:], torch.tensor(0))) / 2
    torch.testing.assert_close(listwise_cross_entropy(scores, right, row, 2), expected)
    both = listwise_cross_entropy(scores[:3], torch.tensor([1.0, 1, 0]), row[:3], 1)
    torch.testing.assert_close(both, -scores[:3].log_softmax(0)[:2].mean())


def test_listwise_stays_finite_and_without_a_right_one_is_zero() -> None:
    scores = torch.tensor([1e4, -1e4], requires_grad=True)
    assert listwise_cross_entropy(scores, torch.tensor([1.0, 0]), torch.zeros(2, dtype=torch.long), 1) == 0
    assert listwise_cross_entropy(scores, torch.tensor([0.0, 1]), torch.zeros(2, dtype=torch.long), 1) == 2e4
    assert listwise_cross_entropy(scores, torch.zeros(2), torch.zeros(2, dtype=torch.long), 1) == 0


def test_in_batch_contrast_computes_in_float32_under_bfloat16() -> None:
    vectors = F.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    identities = (torch.tensor([4, 5, 6, 7]), torch.tensor([1, 2, 2, 3]), torch.tensor([8]))
    given = (vectors, vectors.flip(0), vectors[:1], identities, 0.05)
    with torch.autocast("cpu", torch.bfloat16):
        found = in_batch_contrastive(*given)
    torch.testing.assert_close(found, in_batch_contrastive(*given))


@pytest.mark.parametrize(
    ("asked", "right", "wrong", "told"),
    [
        ([1, 2, 3], [11, 12, 13], [21, 22], {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}),
        ([1, 2, 3], [11, 11, 13], [21, 22], {(0, 2), (1, 2), (2, 0), (2, 1)}),  # two queries of one text
        ([1, 1, 3], [11, 12, 13], [21, 22], {(0, 2), (1, 2), (2, 0), (2, 1)}),  # two texts of one query
        ([1, 1, 3], [11, 12, 12], [21, 22], {(2, 0)}),  # known by the second row
        ([1, 2, 3], [2, 1, 13], [21, 22], {(0, 2), (1, 2), (2, 0), (2, 1)}),  # one pair both ways round
    ],
)
def test_in_batch_contrast_tells_from_what_is_wrong_for_sure(
    asked: list[int], right: list[int], wrong: list[int], told: set[tuple[int, int]]
) -> None:
    """By hand; `told` are the queries with the other rows' positives that count against them."""
    drawn = F.normalize(torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), dim=-1)
    queries, positives, negatives = drawn[:3], drawn[3:6], drawn[6:]
    losses = []
    for i in range(3):
        own = float(queries[i] @ positives[i])
        against = [float(queries[i] @ positives[j]) for k, j in told if k == i]
        against += [float(queries[i] @ one) for one in negatives]
        back = [float(queries[k] @ positives[i]) for k, j in told if j == i]
        losses += [math.log(sum(math.exp((one - own) / 0.1) for one in [own, *some])) for some in (against, back)]
    identities = (torch.tensor(asked), torch.tensor(right), torch.tensor(wrong))
    found = in_batch_contrastive(queries, positives, negatives, identities, 0.1)
    assert found.item() == pytest.approx(sum(losses) / 6, rel=1e-4)


def test_in_batch_contrast_spares_negatives_that_are_right() -> None:
    """The own positive, that of another row of the query, and the query; of the second query none of them."""
    one, other = torch.eye(3)[:1], torch.eye(3)[1:2]
    queries, positives = torch.cat([one, one, other]), torch.cat([one, one, other])
    identities = (torch.tensor([1, 1, 2]), torch.tensor([11, 12, 13]), torch.tensor([11, 12, 1]))
    found = in_batch_contrastive(queries, positives, one.expand(3, 3), identities, 0.05)
    assert found.item() == pytest.approx(0.0, abs=1e-6)
    identities = (identities[0], identities[1], torch.tensor([11, 12, 21]))
    assert in_batch_contrastive(queries, positives, one.expand(3, 3), identities, 0.05).item() > 0.2
