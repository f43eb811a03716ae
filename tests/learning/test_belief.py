"""Descriptions are believed where they are right about the rows, and have no say where they are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bertie.learning.belief import Belief, Head, Seen, believe, left_out
from bertie.nn.heads import normalised

NAMES = ["a", "b", "c"]
WIDTH = 24


def rows(each: int, noise: float, seed: int = 0) -> tuple[Seen, torch.Tensor]:
    """Rows around three directions, and the directions."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, WIDTH)).astype(np.float32)
    features = np.repeat(centres, each, axis=0) + noise * rng.normal(size=(3 * each, WIDTH)).astype(np.float32)
    labels = [name for name in NAMES for _ in range(each)]
    return Seen.of(features.astype(np.float32), labels, NAMES), normalised(torch.from_numpy(centres))


def head(weight: torch.Tensor) -> Head:
    return Head(weight / WIDTH, torch.zeros(len(weight)))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_right_is_believed_and_what_is_wrong_is_not(seed: int) -> None:
    seen, centres = rows(4, 2.0, seed)
    assert believe(seen, head(centres)).share >= 0.5
    assert believe(seen, head(centres.roll(1, dims=0))).share == 0.0


def test_a_row_has_no_say_about_itself() -> None:
    """The scores are those of the means of the others, made one by one."""
    seen, _ = rows(3, 1.0)
    found, classes = left_out(seen), seen.targets.matrix.argmax(axis=1)
    for i in range(9):
        others = np.delete(np.arange(9), i)
        means = torch.stack([seen.inputs[others[classes[others] == c]].mean(dim=0) for c in range(3)])
        means = normalised(means)
        expected = (means - means.mean(dim=0)) @ seen.inputs[i] / WIDTH
        np.testing.assert_allclose(found[i], expected.numpy(), atol=1e-5)


def test_a_class_of_one_row_is_likened_to_nothing() -> None:
    seen, centres = rows(1, 0.5)
    assert np.isfinite(left_out(seen)).all() and np.isfinite(believe(seen, head(centres)).scale)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_both_opinions_are_equally_loud_in_one_head(share: float) -> None:
    seen, centres = rows(4, 1.0)
    learned, described = Head(7.0 * centres, torch.tensor([1.0, 2.0, 3.0])), head(centres.flip(0))
    mixed = Belief(share, 3.0).mixed(learned, described, seen).logits(seen)
    parts = []
    for one in (learned, described):
        logits = one.logits(seen)
        parts.append((logits - seen.class_means(logits).mean(dim=0)) / logits.std(correction=0))
    torch.testing.assert_close(mixed, 3.0 * ((1 - share) * parts[0] + share * parts[1]), atol=1e-4, rtol=1e-4)
