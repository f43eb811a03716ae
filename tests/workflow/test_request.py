"""A request: which settings hold where several say something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bertie.core.errors import UsageError
from bertie.training.settings import Training
from bertie.workflow.preparation import read_splits
from bertie.workflow.request import TrainRequest
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
