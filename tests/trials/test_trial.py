"""One trial: its answers are scored from their file as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.bundle.folder import TASKS, Model
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.text.tokenizer import Tokenizer
from bertie.trials.trial import keep_answers, kept_answers
from bertie.workflow.sample_rows import EIGHT
from bertie.workflow.train import dev_answers


@pytest.mark.parametrize("name", sorted(EIGHT))
def test_what_was_kept_is_scored_as_the_answers_are(name: str, tiny_model: Path, tmp_path: Path) -> None:
    task, rows = TASKS.get(name).from_rows(EIGHT[name], {}), EIGHT[name]
    rows = task.accept(rows)
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=task.han_isolated)
    predictor = Predictor(Model(checkpoint.load(tiny_model).encoder, task, tokenizer, 32))
    keep_answers(tmp_path, [task.kept(answer) for answer in dev_answers(predictor, rows)])
    found, expected = task.score(kept_answers(tmp_path), rows), task.score(predictor.predict(list(rows)), rows)
    assert found.metrics == pytest.approx(expected.metrics)
