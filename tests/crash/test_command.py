"""`bertie train` itself: a second one on the same folder is refused, a stopped one says how to go on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from bertie.data.rows import Rows
from tests.bundle.making import ROWS, save_tiny
from tests.commands import PATIENCE, start
from tests.workflow.rows import write

pytestmark = pytest.mark.crash


def test_a_stop_saves_also_where_nobody_reads_what_is_said(tiny_model: Path, tmp_path: Path) -> None:
    """Of `bertie train ... 2>&1 | tee log` Ctrl-C ends `tee` first."""
    data, out = write(tmp_path / "data.csv", 400), tmp_path / "m"
    process = start(
        *("train", str(data), "--model", str(tiny_model), "--out", str(out)),
        *("--set", "training.epochs=100000", "--set", "training.save_seconds=1000"),
    )
    try:
        end = time.monotonic() + PATIENCE
        while not (out / "run" / "log.jsonl").exists():
            assert process.poll() is None and time.monotonic() < end, "it does not train"
            time.sleep(0.1)
        assert process.stderr is not None and process.stdout is not None
        process.stderr.close()
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
    finally:
        process.kill()
        process.wait()
    assert list((out / "run" / "checkpoints").glob("step-*"))


def test_answers_that_nobody_reads_to_the_end_are_no_error(tiny_model: Path, tmp_path: Path) -> None:
    bundle, rows = tmp_path / "m", tmp_path / "rows.csv"
    save_tiny(ROWS, tiny_model, bundle)
    rows.write_text("text\n" + "good food\n" * 3000, encoding="utf-8")
    for many in ([str(rows)], ["--text", "good"]):
        process = start("predict", str(bundle), *many)
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(timeout=PATIENCE), said) == (0, "")


def test_answers_are_utf_8_whatever_the_locale(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows([{**row, "label": {"positive": "好评😀", "negative": "差评"}[row["label"]]} for row in ROWS])
    save_tiny(rows, tiny_model, tmp_path / "m")
    monkeypatch.setenv("PYTHONIOENCODING", "iso-8859-1")  # as a locale of that name sets it
    said, _ = start("predict", str(tmp_path / "m"), "--text", "good food").communicate(timeout=PATIENCE)
    assert set(json.loads(said)["scores"]) == {"好评😀", "差评"}


def test_the_second_of_two_commands_on_one_folder_ends_with_2(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.csv", 1000), tmp_path / "m"
    command = ["train", str(data), "--model", str(tiny_model), "--out", str(out), "--set", "training.epochs=100000"]
    first = start(*command)
    try:
        end = time.monotonic() + PATIENCE
        while not (out / "run" / "log.jsonl").exists():
            assert first.poll() is None and time.monotonic() < end, "the first one does not train"
            time.sleep(0.1)
        for more in ([], ["--resume"], ["--overwrite"]):
            second = start(*command, *more)
            _, said = second.communicate(timeout=PATIENCE)
            assert second.returncode == 2
            assert f"process {first.pid} on {os.uname().nodename} is writing to this folder" in said
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=PATIENCE)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 143
    assert f"is saved in {out / 'run'}; go on with --resume" in said
    assert list((out / "run" / "checkpoints").glob("step-*"))
