"""The command line: instant help, exit codes, one JSON object, one line an answer."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertie.cli.app import run
from tests.workflow.rows import write


def test_help_imports_no_torch() -> None:
    code = "import sys; from bertie.cli.app import run; run(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    for command in (
        "demo",
        "train",
        "search",
        "rate",
        "fewshot",
        "evaluate",
        "predict",
        "export",
        "serve",
        "doctor",
        "data",
    ):
        assert f"\n  {command} " in done.stdout


def test_train_then_evaluate_then_predict(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = str(write(tmp_path / "data.csv", 120)), str(tmp_path / "m")
    options = ["--model", str(tiny_model), "--out", out, "--set", "training.epochs=1", "--json"]
    assert run(["train", data, *options, "--set", "training.metric=weighted_f1"]) == 0
    printed = capsys.readouterr()
    evaluation = json.loads(printed.out)
    assert evaluation["primary"]["name"] == "weighted_f1"
    assert run(["evaluate", out, data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["primary"]["name"] == "weighted_f1", "the bundle knows it"
    assert set(evaluation) >= {"task", "rows", "primary", "metrics", "floors", "seconds"}
    assert printed.err == ""
    assert run(["evaluate", out, data, "--json", "--metric", "macro_f1"]) == 0
    assert json.loads(capsys.readouterr().out)["primary"]["name"] == "macro_f1"
    assert run(["evaluate", out, data, "--json", "--dtype", "bfloat16", "--device", "cpu"]) == 0
    rounded = json.loads(capsys.readouterr().out)
    assert run(["evaluate", out, data, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert rounded["primary"] == whole["primary"], "the same labels"
    for command in (
        ["evaluate", out, data],
        ["predict", out, "--text", "x"],
        ["serve", out],
        ["embed", "minilm", "--text", "x"],
    ):
        assert run([*command, "--device", "cuda:7"]) == 2
        assert "device 'cuda:7' does not exist on this machine; choose auto or one of cpu" in capsys.readouterr().err
    assert run(["predict", out, "--text", "good", "--text", "很慢"]) == 0
    assert [set(json.loads(line)) for line in capsys.readouterr().out.splitlines()] == [
        {"label", "score", "scores"}
    ] * 2


def test_without_its_packages_a_server_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it looks at a bundle."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert run(["serve", "no-such-bundle"]) == 2
    assert capsys.readouterr().err == (
        "error: serving needs uvicorn, which is not installed: in the folder of Bertie's code, "
        "pip install -e '.[serve]'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "missing.csv"], "missing.csv"),
        (["train", "x.csv", "--budget", "soon"], "expected a time"),
        (["evaluate", ".", "x.csv"], "expected a bundle"),
        (["demo", "--lang", "fr"], "there are en, zh"),
        (["unknown"], "No such command"),
        (["train", "--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_message(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_data_check_doctor_and_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", str(write(tmp_path / "d.csv", 80)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dtype"] in ("float32", "bfloat16")
    assert run(["models", "list", "--json"]) == 0
    assert {model["name"] for model in json.loads(capsys.readouterr().out)} >= {"minilm", "e5-small"}
