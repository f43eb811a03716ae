"""Frozen pairs: a linear order on pairs that no training has seen, kept and proved, from which a head starts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bertie.core.errors import ModelError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.frozen_pairs import FrozenPairs
from bertie.nn import checkpoint
from bertie.nn.pair_head import cosine_weight
from bertie.tasks.reranking import Reranking
from bertie.text.tokenizer import Tokenizer

ROWS = Rows(
    [
        {"query": f"{a} {b}", "candidates": [f"slow {a}", f"good {b}", f"bad {a}"], "positives": [f"good {b}"]}
        for a, b in zip("abcdefgh快慢好坏", "hgfedcba好快坏慢", strict=True)
    ]
)


@pytest.fixture
def ground(tiny_model: Path) -> Ground:
    task = Reranking.from_rows(ROWS, {})
    task.build_head(32)
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 32)


def test_what_is_linear_is_learned_and_the_head_starts_from_it(ground: Ground) -> None:
    floor = FrozenPairs.fit(ROWS, ground)
    answers = floor.predict(ROWS, ground)
    assert ground.task.score(answers, ROWS).value > 0.95
    assert isinstance(ground.task, Reranking) and floor.start(ground.task)
    batch = ground.task.collate(ground.encode(ROWS), ground.tokenizer.pad_id)
    ground.encoder.eval()
    with torch.no_grad():
        scores = ground.task.answer(ground.task(ground.encoder, batch), batch)
    for one, other in zip(scores, answers, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-3)


def test_where_nothing_is_to_be_learned_it_is_no_worse_than_chance(ground: Ground) -> None:
    """What is alike is wrong here, in no way that words tell: the cosine in full would lose."""
    rows = Rows(
        [
            {"query": f"{a} {b}", "candidates": [f"{a} {b}", f"{b} {c}"], "positives": [f"{b} {c}"]}
            for a, b, c in zip("abcdefgh快慢好坏", "hgfedcba好快坏慢", "dbgahcfe坏好慢快", strict=True)
        ]
    )
    weight = torch.from_numpy(FrozenPairs.fit(rows, ground).weight)
    assert isinstance(ground.task, Reranking)
    batch = ground.task.collate(ground.encode(rows), ground.tokenizer.pad_id)
    ground.encoder.eval()

    def loss(start: torch.Tensor) -> float:
        ground.task.start_from(start)
        with torch.no_grad():
            return float(ground.task.loss(ground.task(ground.encoder, batch), batch))

    assert loss(weight) < math.log(2) + 1e-3 < loss(cosine_weight(32))


def test_it_is_kept_and_knows_its_encoder(ground: Ground) -> None:
    floor = FrozenPairs.fit(ROWS, ground)
    again = FrozenPairs.from_state(floor.state())
    assert again.predict(ROWS[:2], ground) == floor.predict(ROWS[:2], ground)
    tuned = replace(ground)
    with torch.no_grad():
        next(tuned.encoder.parameters()).add_(1.0)
    with pytest.raises(ModelError, match="other weights"):
        again.predict(ROWS, tuned)


def test_long_texts_are_read_by_their_first_window(tiny_model: Path, ground: Ground) -> None:
    task = Reranking.from_rows(ROWS, {"long_texts": "windows"})
    task.build_head(32)
    windows = Ground(task, ground.encoder, ground.tokenizer, 32)
    rows = Rows(
        [{**row, "candidates": [row["candidates"][0] + " padding" * 20, *row["candidates"][1:]]} for row in ROWS]
    )
    answers = FrozenPairs.fit(rows, windows).predict(rows, windows)
    assert {len(answer["scores"]) for answer in answers} == {3}
