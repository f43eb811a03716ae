"""The rounds of a pre-training: as many as the time holds, and what a resume with another time makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertie.core.errors import UsageError
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow import pretrain
from bertie.workflow.pretrain_request import PretrainRecipe, PretrainRequest
from tests.data.test_passages import HOW
from tests.workflow.test_pretrain_judging import HeldOut

PER_ROUND = 285.0
"""Seconds of a round in whose size a pass is divided first."""


def ready(lengths: list[int], **recipe: Any) -> Any:
    corpus = SimpleNamespace(train=HeldOut(lengths), fingerprint="x")
    found = PretrainRecipe(**recipe)
    encoder = SimpleNamespace(config=SimpleNamespace(hidden_size=256))
    return SimpleNamespace(corpus=corpus, how=replace(HOW, length=128), recipe=found, general=None, encoder=encoder)


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "estimate_seconds", lambda *of: SimpleNamespace(per_epoch=PER_ROUND))


@pytest.mark.parametrize("lengths", [[50_000] * 32, [1_600_000], [400] * 4_000], ids=["long", "one", "short"])
def test_where_the_time_holds_few_rounds_they_are_smaller(lengths: list[int]) -> None:
    found = pretrain.rounds_for(ready(lengths), None, Training(), 650.0)  # type: ignore[arg-type]
    fitting = 650.0 / PER_ROUND * found["a_pass"] / 2  # of two rounds a pass each takes 285 s
    assert 10 <= fitting <= found["rounds"] <= 13 and found["short_share"] == 0.6


def test_where_they_cannot_be_smaller_none_is_short() -> None:
    found = pretrain.rounds_for(ready([100] * 8), None, Training(), 0.5 * PER_ROUND)  # type: ignore[arg-type]
    assert found == {"rounds": 1, "a_pass": 1, "short_share": 0.0}


def test_much_time_holds_as_many_rounds_as_before() -> None:
    found = pretrain.rounds_for(ready([400] * 4_000), None, Training(), 40 * PER_ROUND)  # type: ignore[arg-type]
    assert found == {"rounds": 44, "a_pass": 2, "short_share": 0.6}
    assert pretrain.rounds_for(ready([400] * 4_000), None, Training(epochs=3), 1.0)["rounds"] == 3  # type: ignore[arg-type]


def test_a_resume_may_ask_for_another_time(tmp_path: Path) -> None:
    one, lines = ready([400] * 4_000), list[str]()
    request = PretrainRequest(corpus=("c.txt",), budget="30m")
    with RunFolder(tmp_path / "run") as run:

        def seconds(request: PretrainRequest, left: float = 0.0) -> float:
            training, rounds = pretrain.plan(one, None, request, run, left, lines.append)  # type: ignore[arg-type]
            assert training.epochs == rounds.pace.rounds == 14
            return training.seconds or 0.0

        assert seconds(request, 1700.0) == seconds(request) == seconds(replace(request, budget=None)) == 1700.0
        assert seconds(replace(request, budget="12m")) == 620.0 and not lines
        assert seconds(replace(request, budget="4h")) == 14_300.0
        [line] = lines
        assert line.startswith("more time: 14300 s instead of 620 s, for the 14 rounds that were planned")
        run.write("result", {"end": "time"})
        with pytest.raises(UsageError, match="the run has ended, another time changes nothing"):
            seconds(request)


def test_a_run_that_an_earlier_version_planned_goes_on(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.write("plan", {"seconds": 500.0, "rounds": 7, "a_pass": 2})
        request = PretrainRequest(corpus=("c.txt",), budget="30m")
        training, rounds = pretrain.plan(ready([400] * 4_000), None, request, run, 1.0, print)  # type: ignore[arg-type]
    assert (training.seconds, training.epochs, rounds.pace.short) == (500.0, 7, (64, 0.6))


def test_the_short_rounds_are_told() -> None:
    one = ready([400] * 4_000)
    training, rounds = Training(seconds=60.0), pretrain.Pace(rounds=10, a_pass=2, short=(64, 0.6))
    told = "training: 10 rounds of about 800,000 tokens, the first 6 in passages of at most 64 tokens, 60 s at most"
    assert pretrain.forecast(one, training, rounds) == told
    assert "passages" not in pretrain.forecast(one, training, replace(rounds, short=(128, 0.6)))
