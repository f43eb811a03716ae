"""Arguments of Python become the request that the command line would have made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.core.errors import ConfigError, UsageError
from bertie.workflow import api
from bertie.workflow.request import TrainRequest


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[TrainRequest]:
    """The requests; no training follows."""
    requests: list[TrainRequest] = []
    monkeypatch.setattr(api, "run_trainings", lambda request, say: requests.append(request))
    return requests


def test_values_are_settings_as_they_are(asked: list[TrainRequest]) -> None:
    settings = {
        "training": {"trackers": (), "optimizer": {"rate": 1e-3, "name": "sgd"}, "epochs": 4},
        "training.optimizer.betas": [0.8, 0.9],
        "linear_start": False,
        "task.class_weights": "balanced",
    }
    bertie.train("a.csv", settings=settings)
    recipe = asked[0].settings()
    assert (recipe.linear_start, recipe.task) == (False, {"class_weights": "balanced"})
    assert (recipe.training.trackers, recipe.training.epochs) == ((), 4)
    optimizer = recipe.training.optimizer
    assert (optimizer.rate, optimizer.name, optimizer.betas) == (1e-3, "sgd", (0.8, 0.9))


def test_what_no_recipe_can_say_is_refused_by_name(asked: list[TrainRequest]) -> None:
    with pytest.raises(ConfigError, match=r"training\.seconds is None, which no recipe can say"):
        bertie.train("a.csv", settings={"training.seconds": None})


def test_a_budget_may_be_a_number_of_seconds(asked: list[TrainRequest]) -> None:
    bertie.train("a.csv", budget=600)
    bertie.train("a.csv", budget=1.5)
    bertie.train("a.csv", budget="2m")
    assert [request.seconds for request in asked] == [600.0, 1.5, 120.0]


@pytest.mark.parametrize(
    ("function", "arguments", "own"),
    [
        (bertie.train, {"data": "a.csv"}, "folds"),
        (bertie.find_rate, {"data": "a.csv"}, "lowest"),
        (bertie.search, {"data": "a.csv"}, "max_latency"),
        (bertie.few_shot, {"data": "a.csv"}, "examples"),
        (bertie.pretrain, {}, "objective"),
    ],
    ids=["train", "find_rate", "search", "few_shot", "pretrain"],
)
def test_an_unknown_option_is_told_where_settings_go(
    function: Callable[..., object], arguments: dict[str, str], own: str
) -> None:
    with pytest.raises(UsageError) as caught:
        function(**arguments, epochs=3, seed=1, batch_size=16)
    name, said = function.__name__, str(caught.value)
    assert f"bertie.{name}: found epochs, batch_size, expected no other options than " in said
    assert f"{own}, " in said and ' as settings={"training.epochs": 3}' in said
    listed = said.partition("options than ")[2].partition(";")[0].split(", ")
    assert not {"data", "corpus", "reading", "training"} & set(listed)


def test_an_unknown_option_where_there_are_no_settings() -> None:
    with pytest.raises(UsageError, match=r"bertie\.evaluate: found seed, .* than text_column, .*, time_column$"):
        bertie.evaluate("model", "a.csv", seed=1)
    with pytest.raises(
        UsageError, match=r"bertie\.train_tokenizer: found epochs, .* than out, size, kind, .*, overwrite$"
    ):
        bertie.train_tokenizer("a.txt", out="v", size=100, epochs=3)


def test_every_field_of_a_request_is_still_an_option(asked: list[TrainRequest]) -> None:
    bertie.train("a.csv", overrides=("training.epochs=2",), text_column="t", dev="d.csv", seed=3, settings={})
    assert (asked[0].dev, asked[0].seed, asked[0].reading.text_column) == ("d.csv", 3, "t")
    assert asked[0].settings().training.epochs == 2


FILES = ("out", "recipe", "descriptions", "words", "tokenizer", "plot")
"""Fields that hold a path; all others hold the text of a name."""


@pytest.mark.parametrize(
    ("function", "runs", "names"),
    [
        (bertie.train, "bertie.workflow.api.run_trainings", ("data", "dev", "test", "model", "task", "out", "recipe")),
        (bertie.find_rate, "bertie.workflow.api.run_rate", ("data", "dev", "test", "model", "plot")),
        (bertie.search, "bertie.trials.api.run", ("data", "dev", "test", "model", "out", "recipe")),
        (bertie.few_shot, "bertie.learning.api.run_few_shot", ("data", "test", "model", "out", "descriptions")),
        (
            bertie.pretrain,
            "bertie.workflow.api.run_pretraining",
            ("model", "teacher", "task", "tokenizer", "words", "out"),
        ),
    ],
    ids=["train", "find_rate", "search", "few_shot", "pretrain"],
)
def test_a_path_may_stand_for_every_name(
    function: Callable[..., Any], runs: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(runs, lambda request, say: asked.append(request))
    options = {name: Path(name) for name in names}
    function(*([Path("a.txt"), "b.txt"] if function is bertie.pretrain else []), **options)
    found = vars(asked[0])
    if function is bertie.find_rate:
        found = {**found, **vars(found["training"])}
    assert {name: found[name] for name in names} == {name: Path(name) if name in FILES else name for name in names}
    assert found.get("corpus", ("a.txt", "b.txt")) == ("a.txt", "b.txt")


def test_general_text_is_one_path_or_several(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(api, "run_pretraining", lambda request, say: asked.append(request))
    for general in (None, Path("g"), "g", ["g", Path("h")]):
        bertie.pretrain("a.txt", model="minilm", general=general)
    assert [request.general for request in asked] == [(), ("g",), ("g",), ("g", "h")]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: bertie.few_shot("a.csv", descriptions={"good": "fine"}),
            "descriptions: found a dict, expected a name",
        ),
        (lambda: bertie.pretrain(["a.txt", "b.txt"]), "corpus: found a list, expected a name"),
        (lambda: bertie.search("a.csv", out=3), "out: found a int, expected a name"),
    ],
    ids=["descriptions", "corpus", "out"],
)
def test_what_is_no_name_is_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()
