"""Training and judging on rows in memory: the same bundle as from a file, and nothing left of what was only judged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.core.errors import BertieError, DataError, UsageError
from tests.workflow.rows import frame_of, quiet, rows_in, write

SETTINGS = {"training.epochs": 1, "training.optimizer.rate": 1e-3}


def parts_of(bundle: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((bundle / "data.json").read_text(encoding="utf-8"))
    return found


def weights_of(bundle: Path) -> dict[str, str]:
    sums = json.loads((bundle / "checksums.json").read_text(encoding="utf-8"))
    return {name: value for name, value in sums.items() if name.endswith(".safetensors")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "data.csv", 120)


@pytest.fixture(scope="module")
def bundle(data: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of rows in memory."""
    out = tmp_path_factory.mktemp("bundles") / "m"
    bertie.train(rows_in(data), model=str(tiny_model), out=out, settings=SETTINGS, say=quiet)
    return out


def test_a_training_is_that_on_a_file(bundle: Path, data: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    bertie.train(data, model=str(tiny_model), out=out, settings=SETTINGS, say=quiet)
    assert weights_of(bundle) == weights_of(out)
    given, named = parts_of(bundle), parts_of(out)
    assert [part["source"] for part in given] == ["rows"] * 3 and len(given) == len(named)
    assert [part["sha256"] for part in given] == [part["sha256"] for part in named]


def test_evaluation_is_that_of_a_file_and_leaves_none(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "new.csv", 40, seed=1)
    rows = rows_in(data)
    before = sorted(bundle.rglob("*"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "here"))
    found = [bertie.evaluate(bundle, one) for one in (rows, frame_of(rows), data)]
    assert found[0]["rows"] == 40
    assert len({json.dumps([one["metrics"], one["floors"]]) for one in found}) == 1
    assert (sorted(bundle.rglob("*")), list(Path().iterdir())) == (before, [])
    rows[2]["label"] = ""
    with pytest.raises(DataError, match=r"rows:3: 'label' is empty, expected a label; fill it in or delete the row"):
        bertie.evaluate(bundle, rows)
    assert bertie.evaluate(bundle, rows, skip_bad_rows=True)["rows"] == 39
    assert "rows: 1 bad rows skipped, the first at line 3" in capsys.readouterr().err


def test_a_resume_knows_rows_by_their_content(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "m", rows_in(data)
    options: dict[str, Any] = {"model": str(tiny_model), "out": out, "settings": SETTINGS, "say": quiet}
    bertie.train(rows, **options)
    before = weights_of(out)
    with pytest.raises(DataError, match=r"^rows: the train .*rows are not those with which the run .* began"):
        bertie.train(rows[:-3], resume=True, **options)
    bertie.train(frame_of(rows), resume=True, **options)
    assert weights_of(out) == before


def test_dev_and_test_rows_and_the_usual_folder(
    data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows, said = rows_in(data), list[str]()
    result = bertie.train(
        frame_of(rows[:80]),
        dev=rows[80:100],
        test=tuple(rows[100:]),
        model=str(tiny_model),
        settings=SETTINGS,
        say=said.append,
    )
    assert result.folder == Path("runs/rows") and "rows: 80 train, 20 dev, 20 test" in said
    parts = [(part["name"], part["source"], part["rows"]) for part in parts_of(result.folder)]
    assert parts == [("train", "rows", 80), ("dev", "dev rows", 20), ("test", "test rows", 20)]


def test_a_rate_is_found_for_rows(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    page = tmp_path / "rate.html"
    result = bertie.find_rate(
        rows_in(data), dev=rows_in(data)[:20], model=str(tiny_model), steps=30, plot=page, say=quiet
    )
    text = page.read_text(encoding="utf-8")
    assert len(result.curve.rates) > 5 and "bertie train ROWS --dev ROWS --model" in text


FUNCTIONS: list[Callable[..., Any]] = [bertie.train, bertie.find_rate, bertie.search, bertie.few_shot]


def judge(data: Any) -> Any:
    """As the others are called."""
    return bertie.evaluate("there-is-no-such-model", data)


@pytest.mark.parametrize("function", [*FUNCTIONS, judge], ids=lambda function: function.__name__)
@pytest.mark.parametrize("value", [None, 3, {"text": ["a"], "label": ["x"]}, b"a.csv"], ids=str)
def test_what_is_no_data_is_refused_in_one_sentence(function: Callable[..., Any], value: object) -> None:
    with pytest.raises(DataError, match=r"^data: found a \w+, expected the name of a file or a folder, .*$"):
        function(value)


@pytest.mark.parametrize("function", FUNCTIONS[:3], ids=lambda function: function.__name__)
@pytest.mark.parametrize("part", ["dev", "test"])
def test_so_is_what_is_no_part(function: Callable[..., Any], part: str) -> None:
    with pytest.raises(DataError, match=rf"^{part}: found a set, expected"):
        function("data.csv", **{part: {"a.csv"}})


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("name", ["x" * 5000, "text,label\n" + "很好,positive\n" * 200], ids=["name", "content"])
def test_a_name_that_is_too_long_is_no_traceback(
    function: Callable[..., Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"\.\.\.: cannot be read \(File name too long\)"):
        function(name, say=quiet)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nor_where_it_is_judged_or_named_as_out(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.\.\.: cannot be read"):
        bertie.evaluate(bundle, "x" * 5000)
    with pytest.raises(UsageError, match=r"cannot be looked into .* choose another folder with --out"):
        bertie.train("a.csv", out=tmp_path / ("x" * 300), say=quiet)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="who may look everywhere is refused nowhere")
def test_a_folder_that_nobody_may_look_into(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(BertieError, match="cannot be read"):
        bertie.train(closed / "a.csv", out=tmp_path / "m", say=quiet)
