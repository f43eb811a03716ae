"""How many rows floors learn from: all where there is time, else a part with every label; the same in a resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from bertie.core.errors import DataError
from bertie.data.readers import read_rows
from bertie.data.rows import Rows
from bertie.data.times import Fold
from bertie.evaluation.floors.base import Floor, Ground
from bertie.tasks.base import Answer
from bertie.training.run import RunFolder
from bertie.workflow import floor_rows, preparation
from bertie.workflow.choose import load_start
from bertie.workflow.floor_rows import FEWEST, TIMED, FloorRows, drawn, told
from bertie.workflow.members import prepare_fold
from bertie.workflow.preparation import Notes, bring_together, fit_floors, make_task, prepare
from bertie.workflow.request import Recipe, TrainRequest
from tests.workflow.rows import write

GROUND: Any = SimpleNamespace(task=SimpleNamespace(counts=lambda rows: {"a": 1, "b": 1}))


def rows(count: int) -> Rows:
    return Rows([{"text": f"t{i}", "label": "ab"[i % 2]} for i in range(count)])


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., type[Floor]]:
    """Makes kinds of floors that take `a_row` seconds a row and remember what they were fitted on."""
    now = [0.0]
    monkeypatch.setattr(floor_rows, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def make(a_row: float, name: str = "slow", fewest: int = 0, **of_class: bool) -> type[Floor]:
        class Timed(Floor):
            tasks = ()
            seen: ClassVar[list[Rows]] = []

            @classmethod
            def fit(cls, train: Rows, ground: Ground) -> Timed:
                now[0] += a_row * len(train)
                cls.seen.append(train)
                if len(train) < fewest:
                    raise DataError("too few")
                return cls()

            def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
                return []

        Timed.name = name
        for attribute, value in of_class.items():
            setattr(Timed, attribute, value)
        return Timed

    return make


def sizes(kind: Any) -> list[int]:
    return [len(one) for one in kind.seen]


def test_where_there_is_time_it_learns_from_all_rows(timed: Callable[..., Any]) -> None:
    for count, seconds, fits in ((1000, 15.0, [TIMED, 1000]), (FEWEST, 0.1, [FEWEST]), (1000, float("inf"), [1000])):
        kind, train = timed(0.01), rows(count)
        (one,) = FloorRows(seconds).fit([kind], train, GROUND)
        assert sizes(kind) == fits and kind.seen[-1] is train
        assert told([one], count) == []


def test_otherwise_from_as_many_as_fit_and_says_so(timed: Callable[..., Any]) -> None:
    kind = timed(0.01)
    (one,) = FloorRows(60.0).fit([kind], rows(20_000), GROUND)
    assert sizes(kind)[:2] == [TIMED, FEWEST]
    assert 58.0 < 0.01 * sum(sizes(kind)) < 60.5
    assert told([one], 20_000) == [
        f"slow learned from {one.rows:,} of 20,000 rows: all of them would take more than its part of the budget; "
        "--budget gives more"
    ]
    assert {row["label"] for row in kind.seen[0]} == {"a", "b"}


def test_at_least_the_fewest_are_learned_from(timed: Callable[..., Any]) -> None:
    kind = timed(1.0)
    assert FloorRows(1.0).fit([kind], rows(2000), GROUND)[0].rows == FEWEST
    assert sizes(kind) == [TIMED, FEWEST]


def test_one_that_takes_some_of_the_rows_by_itself_is_given_all(timed: Callable[..., Any]) -> None:
    kind = timed(1.0, bounds_rows=True)
    FloorRows(1.0).fit([kind], rows(2000), GROUND)
    assert sizes(kind) == [2000]


def test_so_few_rows_that_nothing_can_be_learned_say_nothing(timed: Callable[..., Any]) -> None:
    able, unable = timed(0.001, fewest=1500), timed(0.001, fewest=3000)
    assert FloorRows(10.0).fit([able], rows(2000), GROUND)[0].rows == 2000
    with pytest.raises(DataError, match="too few"):
        FloorRows(10.0).fit([unable], rows(2000), GROUND)


def test_what_counts_words_leaves_its_time_to_what_reads(timed: Callable[..., Any]) -> None:
    reads, counts = timed(0.01, "reads", reads_encoder=True), timed(0.0001, "counts")
    found = FloorRows(60.0).fit([reads, counts], rows(5000), GROUND)
    assert [(one.floor.name, one.rows) for one in found] == [("reads", 5000), ("counts", 5000)]


def test_what_was_decided_draws_the_same_rows_and_is_not_timed_again(timed: Callable[..., Any]) -> None:
    kind, train = timed(0.01), rows(20_000)
    (one,) = FloorRows(60.0, seed=3).fit([kind], train, GROUND)
    (again,) = FloorRows(1.0, {"slow": one.size}, seed=3).fit([kind], train, GROUND)
    assert again.rows == one.rows and kind.seen[-1] == kind.seen[-2]
    assert drawn(train, one.size, seed=4) != kind.seen[-1]


def test_no_label_is_left_out() -> None:
    """`x` is in some rows of every other label, so that it is always more frequent than the other."""
    made = [{"text": f"t{i}", "label": [f"y{i % 12}", *(["x"] if i // 12 < 10 else [])]} for i in range(1200)]
    for seed in range(60):
        few = drawn(Rows(made), 24, seed)
        assert {label for row in few for label in row["label"]} == {"x", *(f"y{i}" for i in range(12))}
        assert len(few) <= 25


def test_labels_that_are_decimal_numbers_are_classes_unless_they_are_measured() -> None:
    made = Rows([{"text": f"t{i}", "label": f"{i % 120 + 4}.6"} for i in range(2400)])
    assert {row["label"] for row in drawn(made, 200, 0)} == set(made.column("label"))
    assert len(drawn(made, 200, 0, classes=False)) < 210


@pytest.mark.parametrize("kind", ["one", "several"])
def test_a_head_starts_from_a_floor_that_learned_from_some_rows(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    train = read_rows(write(tmp_path / "data.csv", 120, kind))
    start, task = load_start(str(tiny_model)), make_task(None, train, Recipe())
    ground = Ground(task, start.encoder, start.tokenizer, bring_together(task, start, Recipe()))
    few = FloorRows(decided={"frozen_encoder": 40, "tfidf": 30})
    floors = fit_floors(train, train, ground, few)
    assert floors.sizes == few.decided
    assert [floor.start(task) for floor in floors.fitted] == [True, False]
    assert all(len(answers) == 120 for answers in floors.answers.values())


def test_a_resume_and_a_fold_take_the_decided_number(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floor_rows, "TIMED", 10)
    monkeypatch.setattr(floor_rows, "FEWEST", 40)
    monkeypatch.setattr(preparation, "FLOORS_SHARE", 0.0)
    request = TrainRequest(data=str(write(tmp_path / "data.csv", 100)), model=str(tiny_model), out=tmp_path / "m")
    with RunFolder(tmp_path / "m" / "run") as run:
        prepared = prepare(request, Recipe(), run, Notes(lambda line: None))
        decided = {"frozen_encoder": 40, "tfidf": 40}
        assert run.read("floors") == prepared.floors.sizes == decided
        assert [line.split(" of ")[0] for line in prepared.notes if "learned from" in line] == [
            "frozen_encoder learned from 40",
            "tfidf learned from 40",
        ]
        monkeypatch.delattr(FloorRows, "_fitted_within")
        again = replace(request, resume=True)
        assert prepare(again, Recipe(), run, Notes(lambda line: None)).floors.sizes == decided
    fold = Fold(list(range(20, 80)), list(range(20)), None)
    assert prepare_fold(prepared, fold, lambda line: None).floors.sizes == decided
