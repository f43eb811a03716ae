"""A worker's session: nobody's search is lost by a request that is refused, and a resume counts the time once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.core.errors import BertieError, UsageError
from bertie.core.files import write_json
from bertie.trials import ledger as ledgers
from bertie.trials.ledger import open_ledger
from bertie.trials.request import SearchRequest
from bertie.trials.session import Session, enter
from bertie.trials.workers import Worker
from bertie.workflow.preparation import Notes
from tests.workflow.rows import write


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shared.db'}"


def begun(url: str, run: Path) -> None:
    """A search in a storage, whose models lie in a run folder."""
    (run / "trials" / "0000").mkdir(parents=True)
    write_json(run / "trials" / "0000" / "answers.json", {"dev": []})
    write_json(run / "search.json", {"token": "t"})
    open_ledger(url, 0)[0].set_up({"rows": {}}, {"token": "t", "folder": str(run.parent)}, [])


def test_a_search_of_another_folder_is_not_overwritten(url: str, tmp_path: Path) -> None:
    begun(url, tmp_path / "theirs" / "run")
    with pytest.raises(UsageError, match=r"holds the search of .*theirs; give it the same --out"):
        bertie.search(write(tmp_path / "data.csv", 60), out=tmp_path / "mine", storage=url, overwrite=True)
    assert ledgers.exists(url) and not (tmp_path / "mine").exists()


@pytest.mark.parametrize(("data", "budget"), [("mistyped.csv", "5m"), ("data.csv", "2s")])
def test_a_request_that_is_refused_overwrites_nothing(
    data: str, budget: str, url: str, tiny_model: Path, tmp_path: Path
) -> None:
    begun(url, tmp_path / "m" / "run")
    write(tmp_path / "data.csv", 60)
    options: dict[str, Any] = {"model": str(tiny_model), "budget": budget, "storage": url, "overwrite": True}
    with pytest.raises(BertieError):
        bertie.search(tmp_path / data, out=tmp_path / "m", say=lambda line: None, **options)
    assert ledgers.exists(url)
    assert (tmp_path / "m" / "run" / "trials" / "0000" / "answers.json").exists()


def test_all_who_go_on_together_have_the_time_that_was_left(tiny_model: Path, tmp_path: Path) -> None:
    run, data = tmp_path / "m" / "run", write(tmp_path / "data.csv", 60)
    run.mkdir(parents=True)

    def entered(worker: Worker, *, resume: bool) -> Session:
        request = SearchRequest(data=str(data), model=str(tiny_model), out=run.parent, budget="5m", resume=resume)
        return enter(request, run, worker, Notes(lambda line: None), time.time())

    with Worker(run) as first:
        ledger = entered(first, resume=False).ledger
    ledger.write("began", time.time() - 90_000)  # yesterday, for 100 seconds
    ledger.write("seen", time.time() - 89_900)
    with Worker(run) as one, Worker(run) as other:
        sessions = [entered(worker, resume=True) for worker in (one, other)]
        assert other.others() == {one.name}
        assert all(150 < session.left() <= 200 for session in sessions)
