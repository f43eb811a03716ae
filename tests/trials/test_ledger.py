"""The ledger: trials are dealt once, a dead worker's are taken up once, other searches are refused by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from bertie.core.errors import DataError, UsageError
from bertie.trials import ledger as ledgers
from bertie.trials.ledger import Ledger, open_ledger, open_storage
from bertie.trials.space import Variation, first_trials, suggest

IDENTITY: dict[str, Any] = {"rows": {"train": "a", "dev": "b"}, "task": "classification", "seed": 13}
FIRST = first_trials(["m"], counts_words=True)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'trials.db'}"


@pytest.fixture
def ledger(url: str) -> Ledger:
    made, first = open_ledger(url, 0)
    assert first
    made.set_up(IDENTITY, {"models": ["m"]}, FIRST)
    return made


def begin(ledger: Ledger, worker: str) -> Any:
    return ledger.begin(worker, lambda trial: suggest(trial, ["m"], {}))


def test_two_workers_are_dealt_each_trial_once(ledger: Ledger, url: str) -> None:
    other, first = open_ledger(url, 1)
    assert not first
    other.wait_until_ready()
    other.prove(IDENTITY)
    assert other.read("models") == ["m"]
    dealt = [begin(one, name) for one, name in ((ledger, "a"), (other, "b"), (ledger, "a"), (other, "b"))]
    assert [variation for _, variation in dealt[:3]] == FIRST
    assert len({trial.number for trial, _ in dealt}) == 4
    assert dealt[3][1].kind == "tuned" and dealt[3][1].method and ledger.waiting() is None
    assert ledger.trials(TrialState.RUNNING)[2].params["rate"] == 1.0, "Optuna learns from the default recipe"


def test_how_a_trial_ended_is_read_by_anybody(ledger: Ledger, url: str) -> None:
    trial, _ = begin(ledger, "a")
    ledger.end(trial, TrialState.COMPLETE, 0.9, seconds=2.5, bytes=10)
    late, _ = begin(ledger, "a")
    ledger.end(late, TrialState.PRUNED, stopped="it lagged")
    found = open_ledger(url, 1)[0].trials(TrialState.COMPLETE, TrialState.PRUNED)
    assert [one.user_attrs.get("stopped") for one in found] == [None, "it lagged"]
    assert (found[0].value, found[0].user_attrs["seconds"], found[0].user_attrs["name"]) == (
        0.9,
        2.5,
        "TF-IDF + linear",
    )


def test_trials_of_the_dead_are_queued_again_once(ledger: Ledger) -> None:
    for _ in range(3):
        begin(ledger, "dead")
    begin(ledger, "alive")
    assert ledger.take_up({"alive"}) == [str(one) for one in FIRST]
    assert ledger.take_up({"alive"}) == []
    assert ledger.waiting() == FIRST[0]
    again = [begin(ledger, "dead again") for _ in range(3)]
    assert [trial.user_attrs["continues"] for trial, _ in again] == [0, 1, 2]
    assert [variation for _, variation in again] == FIRST
    assert len(ledger.take_up({"alive"})) == 3
    assert ledger.waiting() is None, "what kills twice is not tried a third time"


def test_a_trial_that_a_person_stopped_is_queued_again_however_often(ledger: Ledger) -> None:
    for _ in range(3):
        trial, variation = begin(ledger, "stopped")
        assert trial.user_attrs.get("continues", 0) == 0 and variation == FIRST[0]
        ledger.asked(trial)
        while ledger.waiting() is not None:  # what is queued again comes after what was queued before
            ledger.end(begin(ledger, "alive")[0], TrialState.COMPLETE, 0.9)
        assert ledger.take_up({"alive"}) == [str(FIRST[0])]
    for left in (True, False):
        begin(ledger, "dead")
        ledger.take_up({"alive"})
        assert (ledger.waiting() is not None) == left, "kills count, stops do not"


def test_of_two_who_see_the_same_dead_worker_one_takes_its_trial_up(ledger: Ledger, url: str) -> None:
    begin(ledger, "dead")
    other, _ = open_ledger(url, 1)
    seen = other.trials(TrialState.RUNNING)
    assert len(ledger.take_up(set())) == 1
    queued = len(ledger.trials(TrialState.WAITING))
    other.trials = lambda *states: seen  # type: ignore[method-assign]
    assert other.take_up(set()) == []
    assert len(ledger.trials(TrialState.WAITING)) == queued


def test_another_search_is_refused_with_what_differs(ledger: Ledger) -> None:
    with pytest.raises(DataError, match=r"holds a search on other rows \(dev\); .* or another --storage"):
        ledger.prove({**IDENTITY, "rows": {"train": "a", "dev": "c"}})
    with pytest.raises(DataError, match="another split"):
        ledger.prove({**IDENTITY, "rows": {"train": "a"}})
    with pytest.raises(UsageError, match="whose seed was 13, now it is 14"):
        ledger.prove({**IDENTITY, "seed": 14})


def test_setting_up_twice_queues_once(ledger: Ledger) -> None:
    ledger.set_up(IDENTITY, {}, FIRST)
    assert len(ledger.trials(TrialState.WAITING)) == len(FIRST)


def test_who_came_first_and_never_set_up_is_not_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "PATIENCE", 0.1)
    with pytest.raises(UsageError, match="that nobody has set up; start again with --overwrite"):
        open_ledger(url, 0)[0].wait_until_ready()


def test_a_search_is_forgotten(ledger: Ledger, url: str) -> None:
    assert ledgers.exists(url)
    ledgers.forget(url)
    assert not ledgers.exists(url)
    ledgers.forget(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("trials.db", "is no URL; expected sqlite:///FILE"),
        ("redis://localhost/0", "redis is not known; expected sqlite"),
        ("mysql://root@localhost/x", "mysql is not known"),
        ("sqlite://", "names no file"),
        ("sqlite:////no/such/folder/x.db", "the folder of the file does not exist"),
    ],
)
def test_a_storage_that_cannot_be_is_refused(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_storage(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("a person's notes\n" * 100)
    with pytest.raises(UsageError, match="cannot be opened: file is not a database"):
        open_storage(f"sqlite:///{tmp_path / 'x.db'}")


def test_all_who_open_a_new_storage_at_once_may(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_storage(url), range(4)))
    assert [one.get_all_studies() for one in opened] == [[]] * 4


def test_a_password_is_never_shown() -> None:
    with pytest.raises(UsageError) as found:
        open_storage("oracle://me:secret@host/x")
    assert "secret" not in str(found.value)


def test_a_variation_survives_the_ledger(ledger: Ledger) -> None:
    made = Variation(model="m", method="lora", rate=1.25, rows=0.5, smoothing=0.1)
    for _ in FIRST:
        begin(ledger, "a")
    ledger.enqueue(made)
    assert begin(ledger, "a")[1] == made


def test_optuna_learns_of_the_default_recipe_what_it_really_was(ledger: Ledger) -> None:
    ledger.usual = {"dropout": 0.1, "label_smoothing": 0.0, "pooling": "mean"}
    ledger.enqueue(FIRST[-1])
    for _ in FIRST:
        begin(ledger, "a")
    trial, variation = ledger.begin("a", lambda trial: suggest(trial, ["m"], ledger.usual))
    assert variation == FIRST[-1]
    assert {name: trial.params[name] for name in ("dropout", "label_smoothing", "rows")} == {
        "dropout": 0.1, "label_smoothing": 0.0, "rows": 1.0,
    }  # fmt: skip


def test_optuna_is_told_the_method_of_the_recipe(ledger: Ledger) -> None:
    for method, known in (("lora", True), ("prefix", False)):
        ledger.usual = {"method": method}
        for _ in ledger.trials(TrialState.WAITING):
            begin(ledger, "a")
        ledger.enqueue(FIRST[-1])
        trial, _ = begin(ledger, "a")
        assert (trial.params.get("method") == method) == known and bool(trial.params) == known


def test_a_trial_that_has_just_begun_belongs_to_somebody(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.study.ask()  # its worker has not written its name yet
    assert ledger.take_up(set()) == []
    monkeypatch.setattr(ledgers, "PATIENCE", 0.0)
    assert len(ledger.take_up(set())) == 1
