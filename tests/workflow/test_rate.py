"""The command that finds a rate: a suggestion, a page, and no trace in what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bertie
from bertie.bundle.checksums import SEAL
from bertie.cli.app import run
from bertie.core.errors import UsageError
from bertie.core.files import sha256
from bertie.training.settings import Optimizer
from bertie.workflow.rate import RateRequest, command, run_rate, taking
from bertie.workflow.request import Reading, TrainRequest
from tests.workflow.rows import write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "评论.csv", 160)


def test_it_suggests_and_draws_and_leaves_a_run_alone(
    data: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fast = {"training.epochs": 1}
    bertie.train(data, model=str(tiny_model), settings=fast, say=lambda line: None)
    files = {path: sha256(path) for path in Path("runs").rglob("*") if path.is_file()}
    options = ["--model", str(tiny_model), "--steps", "60", "--highest", "30", "--json"]
    assert run(["rate", str(data), *options]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err == "" and found["suggestion"] == pytest.approx(found["diverged"] / 10)
    assert found["arguments"] == f"--set training.optimizer.rate={found['suggestion']:.1e}"
    assert found["usual"] == 2e-5 and len(found["steps"]) > 27
    page = Path("runs") / "评论-rate.html"
    assert found["page"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert f"--model {tiny_model} {found['arguments']}" in text
    assert "学习率" in text and "<svg" in text and "<script" not in text and "polyline" in text
    assert {path: sha256(path) for path in Path("runs").rglob("*") if path.is_file() and path != page} == files


def test_a_rate_that_is_never_too_high_is_said(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    training = TrainRequest(data=str(data), model=str(tiny_model), method="bitfit")
    lines: list[str] = []
    request = RateRequest(training=training, lowest=1e-9, highest=1e-8, steps=30, plot=tmp_path / "p" / "x.html")
    result = run_rate(request, lines.append)
    assert result.curve.suggestion is None and result.to_dict()["suggestion"] is None
    assert "no rate up to 1.0e-08 was too high: --highest goes on" in result.readable()
    assert any("tuning: bitfit" in line for line in lines)
    assert (tmp_path / "p" / "x.html").exists()


def test_rates_of_layers_and_head_go_with_the_rate_that_was_tested() -> None:
    alone = Optimizer(rate=3.21e-5, layer_decay=1.0, head_rate_factor=1.0)
    tested = Optimizer(rate=6e-5, layer_decay=0.85, head_rate_factor=0.005)
    assert taking(3.21e-5, alone, alone) == "--set training.optimizer.rate=3.2e-05"
    assert taking(3.21e-5, tested, alone) == (
        "--set training.optimizer.rate=3.2e-05 --set training.optimizer.layer_decay=0.85 "
        "--set training.optimizer.head_rate_factor=0.005"
    )


def test_what_to_type_next_is_the_training_that_was_tested() -> None:
    asked = TrainRequest(
        data="my rows/data.csv",
        method="lora",
        recipe=Path("own.toml"),
        overrides=("task.dropout=0.2", 'training.trackers=["wandb"]'),
        reading=Reading(text_column="title,body", skip_bad_rows=True),
        seed=0,
        out=Path("my model"),
    )
    assert command(asked, "minilm", "--set training.optimizer.rate=1e-4") == (
        "bertie train 'my rows/data.csv' --method lora --recipe own.toml --seed 0 --out 'my model' --model minilm "
        "--text-column title,body --skip-bad-rows --set task.dropout=0.2 --set 'training.trackers=[\"wandb\"]' "
        "--set training.optimizer.rate=1e-4"
    )
    assert command(TrainRequest(data="data.csv"), "minilm", "") == "bertie train data.csv --model minilm"


@pytest.mark.parametrize(
    ("plot", "words"),
    [
        ("model/rate.html", "lies inside the bundle"),
        ("folder", "is a folder, expected the name of a file"),
        ("notes.txt/pages/rate.html", "notes.txt is no folder that can be written to"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(
    plot: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / SEAL).write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    request = RateRequest(training=TrainRequest(data="there-is-no-such.csv"), plot=tmp_path / plot)
    with pytest.raises(UsageError, match=words):
        run_rate(request, lambda line: None)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--lowest", "1", "--highest", "0.1"], "expected 0 < lowest < highest"),
        (["--steps", "4"], "too few to see a curve"),
        (["--method", "none-such"], "none-such"),
        (["--set", "training.rate=3"], "unknown setting 'rate'"),
    ],
)
def test_bad_input(
    options: list[str], words: str, data: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "page.html"
    assert run(["rate", str(data), "--model", str(tiny_model), "--plot", str(plot), *options]) == 2
    assert words in capsys.readouterr().err and not plot.exists()
