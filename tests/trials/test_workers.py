"""Workers: the living are known by their locks, one at a time enters or publishes, a refused one leaves nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bertie.trials import workers
from bertie.trials.workers import Worker, turn


def test_workers_see_each_other_while_they_live(tmp_path: Path) -> None:
    with Worker(tmp_path / "run") as one, Worker(tmp_path / "run") as other:
        one.join()
        assert other.others() == {one.name} and one.others() == set(), "who has not joined may still be refused"
        other.join()
        assert one.others() == {other.name} and other.others() == {one.name}
        (tmp_path / "run" / "workers" / "dead").mkdir()
        (tmp_path / "run" / "workers" / "dead" / "lock").write_text("{}")
        assert one.others() == {other.name}
        other.leave()
        other.leave()
        assert one.others() == set()
    assert list((tmp_path / "run" / "workers").iterdir()) == []


def test_a_refused_search_leaves_nothing(tmp_path: Path) -> None:
    def refused() -> None:
        with turn(tmp_path / "deep" / "out" / "run", lambda line: None):
            raise ValueError

    with pytest.raises(ValueError):
        refused()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "deep" / "out").mkdir(parents=True)
    (tmp_path / "deep" / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError):
        refused()
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "out", "mine.txt"]


def test_a_search_that_stands_stays_where_another_one_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "out" / "run"
    with pytest.raises(ValueError), turn(run, lambda line: None):
        (run / "search.json").write_text("{}")
        raise ValueError
    assert (run / "search.json").exists()


def test_one_takes_its_turn_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "WAIT", 0.01)
    inside, most, said = 0, 0, list[str]()

    def publish() -> None:
        nonlocal inside, most
        with turn(tmp_path, said.append):
            inside += 1
            most = max(most, inside)
            time.sleep(0.05)
            inside -= 1

    threads = [threading.Thread(target=publish) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert said == ["another worker enters or publishes; waiting for it"] * 2
