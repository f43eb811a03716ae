"""A whole search on tiny models: words where words decide, an encoder where order does, errors before the work."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

import bertie
from bertie.cli.app import run
from bertie.core.errors import DataError, UsageError
from bertie.predict import LinearPredictor, Predictor
from bertie.trials.api import SearchResult
from bertie.trials.ledger import open_ledger
from tests.workflow.rows import write, write_order

TAUGHT = {"training.epochs": 3, "training.optimizer.rate": 2e-3, "training.rows_per_batch": 16}
FACTS = {"variation", "name", "worker", "seconds", "peak_memory", "metric", "low", "high", "dev_rows", "bytes"}
TRAINED = {"training_seconds", "steps", "epochs", "end", "best_step", "rows", "given_seconds", "dtype"}


def search(data: Path, model: Path, out: Path, **options: Any) -> SearchResult:
    given = {"budget": "5m", "trials": 3, "settings": TAUGHT, "say": lambda line: None, **options}
    return bertie.search(data, model=model, out=out, **given)


def trials(out: Path) -> list[Any]:
    return open_ledger(f"sqlite:///{out.resolve()}/run/trials.db", 0)[0].trials()


@pytest.mark.slow
def test_words_are_chosen_where_words_decide(tiny_model: Path, tmp_path: Path) -> None:
    said: list[str] = []
    found = search(write(tmp_path / "data.csv", 400), tiny_model, tmp_path / "m", say=said.append)
    assert isinstance(found.predictor, LinearPredictor)
    assert found.evaluation["primary"]["value"] > 0.95
    assert set(found.evaluation["floors"]) == {"frozen_encoder"}
    outcome = found.evaluation["search"]
    assert outcome["chosen"] == "TF-IDF + linear" and "words decide these labels" in outcome["verdict"]
    assert [one["name"].split(", ")[-1] for one in outcome["tried"]] == [
        "TF-IDF + linear", "frozen + linear", "default recipe",
    ]  # fmt: skip
    assert found.lines[0].startswith("Chosen: TF-IDF + linear.")
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert "TF-IDF" in page and 'id="search"' in page
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        *("bundle.json", "checksums.json", "data.json", "golden.json", "linear.json", "linear.safetensors"),
        *("metrics.json", "README.md", "report.html", "run"),
    }
    done = trials(tmp_path / "m")
    assert [one.state for one in done] == [TrialState.COMPLETE] * 3
    assert set(done[0].user_attrs) == FACTS | {"room"}
    assert set(done[2].user_attrs) == FACTS | TRAINED
    assert any(line.startswith("TF-IDF + linear: dev accuracy") for line in said)


@pytest.mark.slow
def test_an_encoder_is_chosen_where_order_decides(tiny_model: Path, tmp_path: Path) -> None:
    data = write_order(tmp_path / "data.csv", 1500)
    found = search(data, tiny_model, tmp_path / "m", trials=5)
    assert isinstance(found.predictor, Predictor)
    assert found.evaluation["primary"]["value"] > 0.95
    assert found.evaluation["floors"]["tfidf"]["value"] < 0.65
    assert found.evaluation["search"]["chosen"].startswith("tiny")
    assert len(trials(tmp_path / "m")) == 5
    texts = ["the film was very good the food was very bad", "the film was very bad the food was very good"]
    assert [answer["label"] for answer in found.predictor.predict(texts)] == ["good first", "bad first"]
    assert "search" in json.loads((tmp_path / "m" / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_limits_leave_out_what_is_over_them(tiny_model: Path, tmp_path: Path) -> None:
    data, said = write(tmp_path / "data.csv", 200), list[str]()
    with pytest.raises(UsageError, match=r"--max-latency 1us: the fastest model takes .* ms a row"):
        search(data, tiny_model, tmp_path / "fast", max_latency="1us", say=said.append)
    assert any("more than --max-latency 1us" in line for line in said)
    found = search(data, tiny_model, tmp_path / "small", max_memory="1M", say=said.append)
    assert isinstance(found.predictor, LinearPredictor)
    stopped = [one.user_attrs.get("stopped") for one in trials(tmp_path / "small")]
    assert stopped[0] is None and all("more than --max-memory allows" in one for one in stopped[1:])
    assert "stopped early" in found.lines[0]


@pytest.mark.slow
def test_another_folder_or_other_rows_are_refused_and_a_finished_search_goes_on(
    tiny_model: Path, tmp_path: Path
) -> None:
    data, other = write(tmp_path / "data.csv", 200), write(tmp_path / "other.csv", 200, seed=1)
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    search(data, tiny_model, tmp_path / "m", storage=url, trials=1)
    with pytest.raises(UsageError, match=r"holds the search of .*m; give it the same --out"):
        search(data, tiny_model, tmp_path / "n", storage=url)
    assert not (tmp_path / "n").exists()
    with pytest.raises(UsageError, match="holds a finished bundle"):
        search(data, tiny_model, tmp_path / "m", storage=url)
    with pytest.raises(DataError, match="holds a search on other rows"):
        search(other, tiny_model, tmp_path / "m", storage=url, resume=True)
    with pytest.raises(UsageError, match="settings was"):
        search(data, tiny_model, tmp_path / "m", storage=url, resume=True, settings={"training.epochs": 2})
    again = search(data, tiny_model, tmp_path / "m", storage=url, resume=True, trials=2, budget="10m")
    assert len(again.evaluation["search"]["tried"]) == 2
    fresh = search(other, tiny_model, tmp_path / "m", storage=url, overwrite=True, trials=1)
    assert len(fresh.evaluation["search"]["tried"]) == 1


@pytest.mark.slow
def test_rows_in_memory_are_those_of_the_file(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 200)
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    given = {"model": str(tiny_model), "out": tmp_path / "m", "budget": "5m", "settings": TAUGHT}
    bertie.search(rows, trials=1, say=lambda line: None, **given)
    parts = json.loads((tmp_path / "m" / "data.json").read_text(encoding="utf-8"))
    assert {part["source"] for part in parts} == {"rows"}
    with pytest.raises(DataError, match="holds a search on other rows"):
        bertie.search(rows[1:], resume=True, say=lambda line: None, **given)
    again = search(data, tiny_model, tmp_path / "m", resume=True, trials=2)
    assert len(again.evaluation["search"]["tried"]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "2s"], "is too short for one trial: about"),
        (["--storage", "redis://x/0"], "redis is not known"),
        (["--max-memory", "much"], "expected a number with a unit"),
        (["--resume"], "holds no search to go on with"),
        (["--set", "training.epoch=3"], "unknown setting 'epoch'"),
        (["--model", "./none"], "no such folder"),
    ],
)
def test_errors_come_before_the_work(
    options: list[str], words: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = str(write(tmp_path / "data.csv", 60)), tmp_path / "m"
    assert run(["search", data, "--out", str(out), "--model", str(tiny_model), "--quiet", *options]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and printed.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install -e '.\[search\]'"):
        bertie.search("data.csv")
