"""The time of a worker's trials: what a stopped one had, what must fit, and what a stop writes down."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from optuna.trial import TrialState

from bertie.bundle.checksums import SEAL
from bertie.core.errors import Stopped
from bertie.training.checkpoints import Checkpoint, save
from bertie.training.state import State
from bertie.trials import run
from bertie.trials.budget import Costs
from bertie.trials.ledger import open_ledger
from bertie.trials.measure import floors_seconds, frozen_seconds
from bertie.trials.run import Search
from bertie.trials.space import Kind, Variation

COSTS = Costs(trial=5.0, least=34.0, finish=10.0)
SLOW = Costs(trial=9.0, least=312.0, finish=100.0)
DEFAULT = Variation(model="m")
KINDS: tuple[Kind, Kind] = ("frozen", "tuned")


class Fields:
    """Two models, of which the first one's floors are fitted."""

    default, allowed, stood, varied = DEFAULT, ["m", "slow"], ["m"], dict[str, Any]()
    request = SimpleNamespace(memory_bytes=None, trials=None)
    splits = SimpleNamespace(train=range(1000))

    def stands(self, model: str) -> bool:
        return model in self.stood

    def standing(self, model: str) -> None:
        self.stood = [*self.stood, model]


class Asked(list[Any]):
    """The ledger's part in a stop."""

    def asked(self, trial: Any) -> None:
        self.append(trial)


def search(folder: Path, left: float) -> Any:
    session = SimpleNamespace(
        field=Fields(), ledger=Asked(), costs=COSTS, left=lambda: left, seen=lambda: None, take_up=lambda: None
    )
    live = SimpleNamespace(show=lambda text: None, doing=lambda text: None)
    return Search(session, folder, SimpleNamespace(name="a"), live, lambda line: None)  # type: ignore[arg-type]


def test_a_stopped_trial_has_its_seconds_on_top_of_what_it_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def trained(field: Any, variation: Variation, run: Any, seconds: float, hooks: Any) -> Any:
        given.append(seconds)
        raise Stopped("stopped by SIGINT", 2)

    monkeypatch.setattr(run, "train", trained)
    one, trial = search(tmp_path, 1000.0), SimpleNamespace(number=7, user_attrs={"continues": 3})
    optimizer = {"state": {}, "param_groups": []}
    state = State(step=30, seconds=900.0)
    save(tmp_path / "0003" / "checkpoints", Checkpoint({"w": torch.zeros(1)}, optimizer, state, []))
    with pytest.raises(Stopped, match="the search goes on with --resume"):
        one._do(trial, DEFAULT, 750.0)
    assert given[0] == pytest.approx(1650.0, abs=5.0)
    assert one.ledger == [trial], "a person asked for the stop"
    with pytest.raises(Stopped):
        one._do(SimpleNamespace(number=8, user_attrs={}), DEFAULT, 750.0)
    assert given[1] == pytest.approx(750.0, abs=5.0)


def test_a_frozen_encoder_is_read_only_where_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "rough", lambda field, model: SLOW)
    slow, quick = Variation(kind="frozen", model="slow"), Variation(kind="frozen", model="m")
    needed = frozen_seconds(SLOW) + floors_seconds(Fields(), SLOW)  # type: ignore[arg-type]
    assert needed > frozen_seconds(COSTS) > COSTS.trial
    assert search(tmp_path, COSTS.finish + needed - 1)._seconds(slow) is None
    assert search(tmp_path, COSTS.finish + needed + 1)._seconds(slow) == pytest.approx(needed + 1)
    assert search(tmp_path, COSTS.finish + frozen_seconds(COSTS) + 1)._seconds(quick) is not None
    assert search(tmp_path, COSTS.finish + 1)._seconds(quick) is None
    assert search(tmp_path, COSTS.finish + 1)._seconds(Variation(kind="words")) == pytest.approx(1.0)


def ended(variation: Variation, state: TrialState = TrialState.COMPLETE, **facts: Any) -> Any:
    return SimpleNamespace(state=state, user_attrs={"variation": variation.as_json(), **facts})


def knowing(one: Any, trials: list[Any]) -> Any:
    """The search with these trials in its ledger."""
    one.ledger = SimpleNamespace(trials=lambda *states: [trial for trial in trials if trial.state in states])
    return one


def test_without_the_default_recipe_others_have_the_time_of_the_longest(tmp_path: Path) -> None:
    other, frozen = Variation(model="slow"), ended(Variation(kind="frozen", model="m"), training_seconds=900.0)
    stopped, one = ended(DEFAULT, TrialState.PRUNED, peak_memory=9e9), search(tmp_path, 2000.0)
    assert knowing(one, [frozen, ended(DEFAULT, training_seconds=60.0)])._default_seconds() == 60.0
    assert knowing(one, [frozen, ended(DEFAULT, TrialState.RUNNING)])._default_seconds() == COSTS.least
    assert knowing(one, [frozen, stopped])._default_seconds() is None
    assert one._seconds(None) == pytest.approx((2000.0 - COSTS.finish) * 0.95 - COSTS.trial), "all that is left"
    both = [ended(other, training_seconds=300.0), ended(other, training_seconds=200.0)]
    assert knowing(one, [frozen, stopped, *both])._default_seconds() == 300.0
    assert one._seconds(None) == pytest.approx(450.0)


def test_no_more_is_tried_where_everything_was_over_the_memory(tmp_path: Path) -> None:
    one, said = search(tmp_path, 2000.0), list[str]()
    one.say = said.append
    over = [ended(DEFAULT, TrialState.PRUNED, peak_memory=2e9) for _ in range(run.IN_VAIN)]
    frozen, lagging = (ended(Variation(kind=kind, model="m"), TrialState.PRUNED, peak_memory=1e8) for kind in KINDS)

    def more(trials: list[Any], limit: float | None = 1e9) -> bool:
        one.field.request = SimpleNamespace(memory_bytes=limit, trials=None)
        knowing(one, trials).ledger.waiting = lambda: None
        return one._next() is not None

    assert more(over[1:]) and more([*over, lagging]) and not said
    assert more(over, None) and more(over, 3e9), "a resume may allow more"
    assert not more([*over, frozen])
    assert said == ["15 trainings took more than --max-memory allows, and none less: no more are tried"]


def test_another_limit_or_a_missing_bundle_publishes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[float] = []
    monkeypatch.setattr(run, "conclude", lambda field, ledger, trials, seconds: published.append(seconds))
    monkeypatch.setattr(run, "load", lambda folder, device: None)
    for name in ("metrics.json", SEAL):
        (tmp_path / name).write_text(json.dumps({"search": {"lines": []}}))
    ledger, _ = open_ledger(f"sqlite:///{tmp_path / 'trials.db'}", 0)
    for limit, taken in ((None, False), (None, False), (0.005, False), (0.005, False), (0.005, True)):
        if taken:  # the bundle, while its trials are left
            (tmp_path / SEAL).unlink()
        request = SimpleNamespace(folder=tmp_path, latency_seconds=limit)
        recipe = SimpleNamespace(training=SimpleNamespace(device="cpu"))
        field = SimpleNamespace(request=request, recipe=recipe)
        session: Any = SimpleNamespace(field=field, ledger=ledger, used=lambda: 1.0, seen=lambda: None)
        worker: Any = SimpleNamespace(others=set)
        run._published(session, tmp_path, worker, lambda line: None)
    assert len(published) == 3


def test_floors_are_fitted_before_a_waiting_trial_gets_its_time(tmp_path: Path) -> None:
    one = search(tmp_path, 1000.0)
    one.field.stood = []
    times = iter([1000.0, 900.0])
    one.session.left = lambda: next(times)
    assert one._seconds(DEFAULT) == pytest.approx((900.0 - COSTS.finish) * 0.95 - COSTS.trial)
    assert one.field.stood == ["m"]
    one.session.left = lambda: 1.0
    one.field.stood = []
    assert one._seconds(DEFAULT) is None and one.field.stood == [], "not where nothing fits"
