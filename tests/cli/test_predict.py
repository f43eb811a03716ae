"""`bertie predict`: files, stdin and texts by hand; what is skipped is counted, what is chosen is said."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bertie.cli.app import run
from bertie.data.rows import Rows
from bertie.tasks.tagging import Tagging
from tests.bundle.making import save_tiny

RAGGED = "text\ngood food\nbad, and slow\n很慢\nfast, too\n"


@pytest.fixture
def predict(tiny_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on a file or on stdin; gives the exit code, the answers and what stands on stderr."""

    def predicted(*arguments: str, stdin: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(["predict", str(tiny_bundle), *arguments])
        printed = capsys.readouterr()
        return code, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return predicted


def test_every_row_is_answered_in_order(predict: Any, tmp_path: Path) -> None:
    rows, output = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    rows.write_text('text\ngood food\n""\n很慢\n', encoding="utf-8")
    code, printed, said = predict(str(rows), "--output", str(output))
    assert (code, printed) == (0, [])
    assert said == f"{rows}: 1 rows have an empty text, the first at {rows}:3; they are kept\n"
    answers = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [answer.get("note") for answer in answers] == [None, "the text is empty", None]


def test_bad_rows_are_refused_or_skipped_and_counted(predict: Any, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(RAGGED, encoding="utf-8")
    code, answers, said = predict(str(rows))
    assert (code, answers) == (2, [])
    assert said.startswith(f"error: {rows}:3: 2 cells, expected 1")
    code, answers, said = predict(str(rows), "--skip-bad-rows")
    assert code == 0
    assert answers == predict("--text", "good food", "--text", "很慢")[1]
    assert said.startswith(f"{rows}: 2 bad rows skipped, the first at line 3: 2 cells")
    assert predict(str(rows), "--skip-bad-rows", "--quiet") == (0, answers, "")


def test_stdin_takes_the_column_that_is_named(predict: Any) -> None:
    expected = predict("--text", "good food", "--text", "很慢")[1]
    lines = '{"text": "wrong", "body": "good food"}\n{"text": "wrong", "body": "很慢"}\n'.encode()
    assert predict("-", "--text-column", "body", "--quiet", stdin=lines) == (0, expected, "")
    assert predict("--text-column", "body", "--quiet", stdin="body\ngood food\n很慢\n".encode())[1] == expected
    code, answers, said = predict("-", "--text-column", "nope", stdin=lines)
    assert (code, answers) == (2, [])
    assert said == "error: stdin:1: there is no column 'nope'; found 'text', 'body'; give one to --text-column\n"


def test_plain_lines_on_stdin_are_texts(predict: Any) -> None:
    expected = predict("--text", "good food", "--text", "很慢")[1]
    assert predict("-", stdin="good food\n很慢\n".encode()) == (0, expected, "")
    assert predict(stdin="good food\n很慢\n".encode("utf-16")) == (0, expected, "")
    code, answers, said = predict("-", "--text-column", "body", stdin="good food\n很慢\n".encode())
    assert (code, answers) == (0, expected)
    assert "plain lines have no column 'body', each is read as one text" in said


def test_no_answers_are_written_into_a_bundle(predict: Any, tiny_bundle: Path) -> None:
    for place in (tiny_bundle / "answers.jsonl", tiny_bundle / "new" / "answers.jsonl"):
        code, answers, said = predict("--text", "good food", "--output", str(place))
        assert (code, answers) == (2, [])
        assert said.startswith(f"error: {place}: lies inside the bundle {tiny_bundle}, which must stay as it is")
    assert predict("--text", "good food")[0] == 0


def test_embed_says_a_vector_a_line(
    tiny_model: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["embed", str(tiny_model), "--text", "good food", "--text", "很慢", "--size", "4"]) == 0
    vectors = [json.loads(line)["vector"] for line in capsys.readouterr().out.splitlines()]
    assert [len(vector) for vector in vectors] == [4, 4]
    assert run(["embed", str(tiny_model), "--text", "good food", "--output", str(tmp_path / "v.npy")]) == 0
    assert (tmp_path / "v.npy").stat().st_size > 128 and capsys.readouterr().out == ""
    for arguments in (["--size", "99"], ["--output", str(tmp_path / "v.txt")]):
        assert run(["embed", str(tiny_model), "--text", "good", *arguments]) == 2
    assert run(["embed", str(tiny_bundle), "--text", "good"]) == 2
    assert "expected one of embedding" in capsys.readouterr().err


def test_sentences_of_conll_are_answered_with_or_without_tags(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entities stand in the text that the tokens make: with nothing between two Han characters, else one space."""
    rows = Rows([{"text": "the food 很好", "entities": [{"start": 4, "end": 8, "label": "x"}]}], kind="tagging")
    save_tiny(rows, tiny_model, tmp_path / "tagger", Tagging)
    answers = []
    for name, lines in (("bare.conll", "the\nfood\n很\n好\n"), ("tagged.bio", "the O\nfood B-x\n很 O\n好 nonsense\n")):
        (tmp_path / name).write_text(f"{lines}\n{lines}", encoding="utf-8")
        assert run(["predict", str(tmp_path / "tagger"), str(tmp_path / name)]) == 0
        answers.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert answers[0] == answers[1] and len(answers[0]) == 2
    found = answers[0][0]["entities"]
    assert found and all("the food 很好"[one["start"] : one["end"]] == one["text"] for one in found)
