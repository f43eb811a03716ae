"""`bertie predict`: files, stdin and texts by hand; what is skipped is counted, what is chosen is said."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bertie.cli.app import run
from bertie.data.rows import Rows
from bertie.tasks.question_answering import QuestionAnswering
from bertie.tasks.relation import Relation
from bertie.tasks.tagging import Tagging
from tests.bundle.making import SEVERAL, save_tiny

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
    good, slow = predict("--text", "good food", "--text", "很慢")[1]
    assert answers == [{"line": 2, **good}, {"line": 4, **slow}]
    assert said.startswith(f"{rows}: 2 bad rows skipped, the first at line 3: 2 cells")
    assert predict(str(rows), "--skip-bad-rows", "--quiet") == (0, answers, "")


def test_a_text_may_begin_with_a_brace(predict: Any) -> None:
    expected = predict("--text", "{user} wrote: good food", "--text", "很慢")[1]
    lines = "{user} wrote: good food\n很慢\n".encode()
    assert predict("-", "--quiet", stdin=lines) == (0, expected, "")
    code, _, said = predict("-", stdin=b'{"text": "good\n')
    assert code == 2 and "stdin:1: this is not valid JSON" in said


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


def test_an_answer_says_the_id_of_its_row(predict: Any, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "good food", "id": 7}\n{"text": "很慢"}\n{"text": "slow", "id": ["odd"]}\n', "utf-8")
    code, answers, _ = predict(str(rows))
    assert code == 0
    assert [next(iter(answer)) for answer in answers] == ["id", "label", "label"] and answers[0]["id"] == 7
    lines = predict(str(rows), "--skip-bad-rows")[1]
    assert lines == [{"line": i, **answer} for i, answer in enumerate(answers, start=1)]


def test_questions_of_squad_are_answered_by_id(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"context": "the food was good", "question": "what was good", "answers": [{"text": "food", "start": 4}]}
    save_tiny(Rows([told], kind="question_answering"), tiny_model, tmp_path / "reader", QuestionAnswering)
    asked = [{"id": name, "question": "what was good"} for name in ("q1", "问2")]
    squad = {"data": [{"paragraphs": [{"context": "the food was good", "qas": asked}]}]}
    (tmp_path / "asked.json").write_text(json.dumps(squad), encoding="utf-8")
    assert run(["predict", str(tmp_path / "reader"), str(tmp_path / "asked.json"), "--quiet"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer.pop("id") for answer in answers] == ["q1", "问2"]
    assert answers[0] == answers[1] and "answer" in answers[0]


def test_the_ending_of_the_output_chooses_a_table(predict: Any, tmp_path: Path) -> None:
    texts = ["good food", "", 'bad, "slow"', "很慢\nfast"]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": text, "id": f"r{i}"}) + "\n" for i, text in enumerate(texts)), "utf-8")
    answers = predict(str(rows))[1]
    for ending, dialect in (("csv", "excel"), ("tsv", "excel-tab")):
        output = tmp_path / f"answers.{ending}"
        assert predict(str(rows), "--output", str(output), "--quiet") == (0, [], "")
        assert output.read_bytes().startswith(b"\xef\xbb\xbfid")
        with output.open(encoding="utf-8-sig", newline="") as file:
            found = list(csv.DictReader(file, dialect=dialect))
        assert list(found[0]) == ["id", "text", "label", "score", "scores", "note"]
        assert [row["text"] for row in found] == texts
        assert [row["note"] for row in found] == ["", "the text is empty", "", ""]
        assert [float(row["score"]) for row in found] == [answer["score"] for answer in answers]
        assert [json.loads(row["scores"]) for row in found] == [answer["scores"] for answer in answers]
    assert predict(str(rows), "--output", str(tmp_path / "a.PARQUET"), "--skip-bad-rows", "--quiet") == (0, [], "")
    table = pq.read_table(tmp_path / "a.PARQUET")
    assert table.column_names == ["line", "id", "text", "label", "score", "scores", "note"]
    assert table["line"].to_pylist() == [1, 2, 3, 4] and table["text"].to_pylist() == texts
    assert table["score"].to_pylist() == [answer["score"] for answer in answers]


def test_texts_by_hand_and_several_labels_become_a_table(tiny_model: Path, tmp_path: Path) -> None:
    made = save_tiny(SEVERAL, tiny_model, tmp_path / "several")
    given = ["good food", "很慢"]
    output = tmp_path / "answers.csv"
    arguments = [word for text in given for word in ("--text", text)]
    assert run(["predict", str(tmp_path / "several"), *arguments, "--output", str(output)]) == 0
    with output.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["text"] for row in found] == given
    names = set(json.loads(found[0]["scores"]))
    assert names == set(made.task.description()["labels"])
    assert all(set(row["labels"].split("|")) <= names | {""} for row in found)


@pytest.mark.parametrize("command", ["predict", "embed"])
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("folder", "is a folder, expected the name of a file; add one, such as "),
        ("rows.jsonl", "is the file that is read, which would be lost; name another one"),
        ("link.jsonl", "is the file that is read"),
        ("rows.jsonl/answers.jsonl", "rows.jsonl is no folder that can be written to; choose another place"),
        ("answers.xlsx", "expected "),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_model_is_looked_for(
    command: str, output: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "good food"}\n', encoding="utf-8")
    (tmp_path / "link.jsonl").symlink_to(rows)
    before = sorted(tmp_path.rglob("*"))
    assert run([command, str(tmp_path / "no-model"), str(rows), "--output", str(tmp_path / output)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --output {tmp_path / output}: ") and words in said
    assert sorted(tmp_path.rglob("*")) == before and "good food" in rows.read_text(encoding="utf-8")


def test_other_endings_are_told_which_there_are(predict: Any, tmp_path: Path) -> None:
    code, answers, said = predict("--text", "good", "--output", str(tmp_path / "answers.xlsx"))
    assert (code, answers) == (2, [])
    assert "the ending '.xlsx' tells no format to write, expected .jsonl, .ndjson or none for JSON lines" in said
    assert ", or .csv, .tsv, .parquet for a table" in said


def test_answers_go_through_a_pipe_that_stays_one(predict: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pipe.read_text, "utf-8")
        assert predict("--text", "good food", "--output", str(pipe)) == (0, [], "")
        assert [json.loads(reading.result(timeout=60))] == predict("--text", "good food")[1]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_a_file_and_a_text_at_once_are_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("good food", ""):
        assert run([command, "no-model", "rows.csv", "--text", text]) == 2
        assert capsys.readouterr().err == "error: found the file rows.csv and --text; give one of them\n"


def test_entities_that_are_marked_in_a_text_by_hand_are_answered(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"head": {"start": 0, "end": 3}, "tail": {"start": 15, "end": 18}}
    rows = [{"text": "Bob sold it to Ann", **places, "label": label} for label in ("sold to", "none")]
    save_tiny(Rows(rows, kind="relation"), tiny_model, tmp_path / "relations", Relation)
    marked, output = "<e1>Bob</e1> sold it to <e2>Ann</e2>", tmp_path / "answers.csv"
    assert run(["predict", str(tmp_path / "relations"), "--text", marked, "--output", str(output)]) == 0
    with output.open(encoding="utf-8-sig", newline="") as file:
        (found,) = csv.DictReader(file)
    assert found["text"] == marked and found["label"] in ("sold to", "none")
    capsys.readouterr()
    assert run(["predict", str(tmp_path / "relations"), "--text", "Bob sold it to Ann"]) == 2
    said = capsys.readouterr().err
    assert "row 1: found one text, expected the columns text, head, tail; 'text' has 0 markers <e1>" in said
