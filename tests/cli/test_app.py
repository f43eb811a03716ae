"""The command line: instant help, exit codes, one JSON object, one line an answer."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from bertie.cli.app import app, run
from bertie.data import demo
from tests.house.source import ROOT
from tests.workflow.rows import write
from tests.workflow.test_pretrain import corpus

HELP = """
import json, sys
from bertie.cli.app import run
for path in json.loads(sys.argv[1]):
    if run([*path, "--help"]) or "torch" in sys.modules:
        sys.exit(f"bertie {' '.join(path)} --help")
"""


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and every group of commands, `()` itself too, as it is typed."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, (*path, name))


COMMANDS = list(paths(typer.main.get_command(app)))


def test_no_help_imports_torch() -> None:
    call = [sys.executable, "-c", HELP, json.dumps(COMMANDS)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")
    table = done.stdout.partition("Commands:")[2]
    assert [path for path in COMMANDS if path and not re.search(rf"^  {path[-1]} ", table, re.MULTILINE)] == []


def test_the_pages_know_every_command_and_no_other() -> None:
    groups = {path[0] for path in COMMANDS if len(path) > 1}
    pages = [ROOT / "README.md", *ROOT.glob("docs/en/**/*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = re.findall(rf"\bbertie ((?:(?:{'|'.join(groups)}) )?[a-z]+)", text)
    assert set(named) == {" ".join(path) for path in COMMANDS if (path and path[0] not in groups) or len(path) > 1}


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


SMALL = ("max_length=32", "vocabulary=400", "held_out=0.1")


class Terminal(io.StringIO):
    """What is shown to somebody who sits before it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["train", "fewshot", "pretrain"])
def test_where_only_results_are_wanted_no_command_draws_a_bar(
    command: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, model, sets = write(tmp_path / "data.csv", 60), ["--model", str(tiny_model)], ["training.epochs=1"]
    if command == "fewshot":
        sets = ["contrast.pairs=48"]
    if command == "pretrain":
        data, model, sets = corpus(tmp_path, 30), ["--preset", "tiny"], ["training.epochs=1", *SMALL]
    options = [word for one in [*sets, "training.trackers="] for word in ("--set", one)]
    monkeypatch.setattr(demo, "package_folder", lambda module: None)  # no probe, which takes the longest
    monkeypatch.setenv("TERM", "xterm")
    for number, (wanted, drawn) in enumerate((("--quiet", False), ("--json", False), (None, True))):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        arguments = [command, str(data), *model, "--out", str(tmp_path / f"m{number}"), *options]
        assert run([*arguments, *([wanted] if wanted else [])]) == 0
        assert ("\x1b" in terminal.getvalue()) is drawn
