"""Arguments of Python become the request that the command line would have made."""

from __future__ import annotations

import pytest

import bertie
from bertie.core.errors import ConfigError
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
