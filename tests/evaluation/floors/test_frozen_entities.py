"""Frozen entities: a start that answers as the floor does, and no answers on another encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import ModelError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.frozen_entities import FrozenEntities
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.relation import Relation
from bertie.text.tokenizer import Tokenizer
from tests.evaluation.floors.test_tfidf_between import CHINESE, ENGLISH, rows


def ground(train: Rows, tiny_model: Path, **options: object) -> Ground:
    torch.manual_seed(0)
    task = Relation.from_rows(train, dict(options))
    task.build_head(32)
    return Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model, han_isolated=True), 48)


@pytest.mark.parametrize("marking", ["markers", "types", "none"])
@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_the_start_answers_as_the_floor(words: dict[str, str], marking: str, tiny_model: Path) -> None:
    train, test = rows(words, 120, 0), rows(words, 40, 1)
    on = ground(train, tiny_model, marking=marking)
    floor = FrozenEntities.fit(train, on)
    expected = floor.predict(test, on)
    assert floor.start(on.task)
    predictor = Predictor(Model(on.encoder, on.task, on.tokenizer, 48))
    for answer, other in zip(predictor.predict(list(test)), expected, strict=True):
        assert answer["scores"] == pytest.approx(other["scores"], abs=1e-4)
    assert on.task.score(expected, test).value > 0.5  # of six labels


def test_a_hidden_layer_has_no_place_for_it(tiny_model: Path) -> None:
    train = rows(ENGLISH, 30, 0)
    on = ground(train, tiny_model, dense=True)
    before = {name: value.clone() for name, value in on.task.state_dict().items()}
    floor = FrozenEntities.fit(train, on)
    assert not floor.start(on.task) and len(floor.predict(train, on)) == 30
    assert all(torch.equal(value, before[name]) for name, value in on.task.state_dict().items())


def test_from_a_bundle_it_answers_the_same_but_on_no_other_encoder(tiny_model: Path) -> None:
    train = rows(CHINESE, 30, 0)
    on = ground(train, tiny_model)
    floor = FrozenEntities.fit(train, on)
    again = FrozenEntities.from_state(floor.state())
    for one, other in zip(again.predict(train, on), floor.predict(train, on), strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-6)
    encoder = checkpoint.load(tiny_model).encoder
    with torch.no_grad():
        encoder.embeddings.word_embeddings.weight.mul_(1.1)
    with pytest.raises(ModelError, match="other weights than the encoder that the floor was fitted on"):
        again.predict(train, replace(on, encoder=encoder))


def test_it_reads_long_texts_as_the_task_does(tiny_model: Path) -> None:
    """Rows of many lengths and windows come back in their order, and the encoder is left as it was found."""
    train = rows(ENGLISH, 20, 0)
    long = train.with_column("text", [f"{row['text']}{' food' * (7 * i)}" for i, row in enumerate(train)])
    on = ground(train, tiny_model, long_texts="windows")
    floor = FrozenEntities.fit(train, on)
    on.encoder.train()
    together, alone = floor.predict(long, on), [floor.predict(long[i : i + 1], on)[0] for i in range(20)]
    assert on.encoder.training
    for one, other in zip(together, alone, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)
