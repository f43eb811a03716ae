"""A place to write to is looked at before any work: what is read is never lost, also where it comes on stdin."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bertie.cli.app import run
from bertie.core.errors import UsageError
from bertie.workflow.output import check_output


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_the_file_on_stdin_is_not_written_over(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "good food"}\n', encoding="utf-8")
    with rows.open(encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run([command, str(tmp_path / "no-model"), "-", "--output", str(rows)]) == 2
        check_output(tmp_path / "answers.jsonl", "-", "--output", "answers.jsonl")
    said = capsys.readouterr().err
    assert said.startswith(f"error: --output {rows}: is the file that is read, which would be lost; name another one")


def test_a_stdin_that_is_no_file_is_none_of_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "answers.jsonl"
    there.write_text("old", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good food\n")))
    check_output(there, "-", "--output", "answers.jsonl")
    sys.stdin.close()
    check_output(there, "-", "--output", "answers.jsonl")


def test_what_is_read_is_known_by_any_of_its_names(tmp_path: Path) -> None:
    rows, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    rows.write_text("text\ngood\n", encoding="utf-8")
    link.symlink_to(rows)
    for source in (rows, str(rows)):
        with pytest.raises(UsageError, match=r"OUT .*link\.csv: is the file that is read"):
            check_output(link, source, "OUT", "rows.jsonl")
    for other in (["a text"], None, tmp_path / "missing.csv", "a text. " * 100):
        check_output(rows, other, "OUT", "rows.jsonl")
