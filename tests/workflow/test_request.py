"""A request: which settings hold where several say something."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertie.core.errors import UsageError
from bertie.tasks.base import Defaults
from bertie.training.estimate import Estimate
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow import train
from bertie.workflow.preparation import read_splits
from bertie.workflow.request import Recipe, TrainRequest
from tests.workflow.rows import write


def test_the_seed_is_the_options_then_the_settings_then_the_recipes(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("[training]\nseed = 5\n")
    one = TrainRequest(data="a.csv", recipe=tmp_path / "recipe.toml")
    requests = [TrainRequest(data="a.csv"), one, replace(one, overrides=("training.seed=7",)), replace(one, seed=0)]
    assert [request.settings().training.seed for request in requests] == [Training().seed, 5, 7, 0]


def test_the_split_follows_that_seed(tmp_path: Path) -> None:
    request = TrainRequest(data=str(write(tmp_path / "data.csv", 80)))

    def dev(request: TrainRequest) -> str:
        return read_splits(request, request.settings().training.seed, lambda line: None).dev.fingerprint()

    assert dev(request) == dev(replace(request, seed=Training().seed))
    assert dev(replace(request, overrides=("training.seed=7",))) == dev(replace(request, seed=7)) != dev(request)


@pytest.mark.parametrize("budget", ["soon", "", 0, -5, float("nan"), True])
def test_a_budget_that_is_no_time_is_refused_where_it_is_given(budget: str | float) -> None:
    with pytest.raises(UsageError, match="expected a time such as 90s, 10m or 2h"):
        TrainRequest(data="a.csv", budget=budget)


def test_what_is_estimated_before_the_training_takes_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, tuned = [100.0], list[Training]()

    def slow(*of: Any) -> Estimate:
        now[0] += 80.0
        return Estimate(per_step=1.0, per_epoch=60.0, steps_per_epoch=60)

    def tune(*parts: Any) -> None:
        tuned.append(parts[3])
        raise KeyboardInterrupt

    prepared: Any = SimpleNamespace(
        recipe=Recipe(training=Training(epochs=3)), method=None, test=[0], splits=SimpleNamespace(dev=[0]),
        task=SimpleNamespace(defaults=Defaults()), examples=[],
    )  # fmt: skip
    said, memory = list[str](), SimpleNamespace(line=lambda: "memory: enough")
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: now[0]))
    model = SimpleNamespace(eval=lambda: None)
    parts = {"prepare": prepared, "make_predictor": None, "begin": model, "judging_seconds": 10.0}
    for name, found in {**parts, "estimate_memory": memory}.items():
        monkeypatch.setattr(train, name, lambda *of, found=found: found)
    monkeypatch.setattr(train, "fill", lambda training, *of: training)
    monkeypatch.setattr(train.Extent, "of", lambda prepared: None)
    monkeypatch.setattr(train, "estimate_seconds", slow)
    monkeypatch.setattr(train, "tune", tune)
    with pytest.raises(KeyboardInterrupt):
        train.run_training(TrainRequest(data="a.csv", budget=200, out=tmp_path / "m"), said.append)
    left = 200 - 80 - train.RESERVE - 2 * 10
    assert tuned[0].seconds == left
    assert said[0] == "memory: enough" and f"; {left:.0f} s are left of the budget" in said[1]


@pytest.mark.parametrize(
    ("asked", "budget", "expected"),
    [(None, "60s", 40.0), (500.0, "60s", 40.0), (5.0, "60s", 5.0), (500.0, None, 500.0)],
)
def test_a_budget_that_is_given_bounds_the_time_of_a_recipe(
    asked: float | None, budget: str | None, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a resume too, whichever session it was given to."""
    monkeypatch.setattr(train, "judging_seconds", lambda *of: 0.0)
    monkeypatch.setattr(train, "fill", lambda training, *of: training)
    monkeypatch.setattr(train.Extent, "of", lambda prepared: None)
    prepared: Any = SimpleNamespace(
        recipe=Recipe(training=Training(seconds=asked)), method=None, test=[0], splits=SimpleNamespace(dev=[0]),
        task=SimpleNamespace(defaults=Defaults()),
    )  # fmt: skip
    request, predictor = TrainRequest(data="a.csv", budget=budget), SimpleNamespace()
    with RunFolder(tmp_path / "run") as run:
        for one, seconds in ((request, expected), (replace(request, budget="30s"), min(expected, 10.0))):
            found = train.plan(prepared, predictor, run, one, time.monotonic())  # type: ignore[arg-type]
            assert found.seconds == pytest.approx(seconds, abs=0.5)
