"""`bertie data convert` and `bertie data list` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertie.cli.app import run
from bertie.data.kinds import KINDS, LABELS
from bertie.data.readers import read_rows

CONLL = "Ada\tB-人\nmet\tO\n李\tB-人\n白\tI-人\n\n北\tB-地\n京\tI-地\n很\tO\n好\tO\n"
SQUAD = {
    "data": [
        {"paragraphs": [{"context": "李白生于701年。", "qas": [
            {"id": "1", "question": "何时？", "answers": [{"text": "701年", "answer_start": 4}]},
            {"id": "2", "question": "何地？", "answers": [], "is_impossible": True},
        ]}]}
    ]
}  # fmt: skip


def test_entities_go_round_through_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = tmp_path / "a.conll"
    first.write_text(CONLL, encoding="utf-8")
    rows, source = list(read_rows(first)), first
    for name, options in (
        ("b.bioes", []),
        ("c.jsonl", ["--to", "doccano"]),
        ("d.json", ["--to", "label_studio"]),
        ("e.parquet", []),
        ("f.tsv", []),
        ("g.data", ["--to", "spans"]),
        ("h.bio", ["--from", "spans"]),
    ):
        target = tmp_path / name
        assert run(["data", "convert", str(source), str(target), *options]) == 0
        assert f"{target}: 2 rows of tagging, written as" in capsys.readouterr().err
        source = target
    assert list(read_rows(source)) == rows
    assert source.read_text(encoding="utf-8").strip() == CONLL.strip()
    assert "S-人" in (tmp_path / "b.bioes").read_text(encoding="utf-8")


def test_squad_becomes_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.json", tmp_path / "a.jsonl"
    source.write_text(json.dumps(SQUAD), encoding="utf-8")
    assert run(["data", "convert", str(source), str(target), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [line["answers"] for line in lines] == [[{"text": "701年", "start": 4}], []]


def test_a_task_says_what_the_rows_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts, pairs, target = tmp_path / "texts.csv", tmp_path / "pairs.csv", tmp_path / "out.jsonl"
    texts.write_text("text\n很好\nWorks well.\n", encoding="utf-8")
    pairs.write_text("query,positive\n怎么改密码,重置密码的方法\nhow?,like this\n", encoding="utf-8")
    assert run(["data", "convert", str(texts), str(target)]) == 2
    assert "no column is the label" in capsys.readouterr().err and not target.exists()
    assert run(["data", "convert", str(texts), str(target), "--task", "embedding"]) == 0
    assert f"{target}: 2 rows of embedding, written as jsonl" in capsys.readouterr().err
    assert list(read_rows(target, kind="embedding")) == [{"text": "很好"}, {"text": "Works well."}]
    assert run(["data", "convert", str(pairs), str(target), "--task", "reranking"]) == 0
    assert f"{target}: 2 rows of reranking" in capsys.readouterr().err
    assert run(["data", "convert", str(pairs), str(target), "--task", "fortune_telling"]) == 2
    assert "task 'fortune_telling' does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("out.bio", [], "in.jsonl:2: the entity 'j' (地) at [3, 4) cuts token 1, 'Beijing'"),
        ("out.xml", [], "the ending '.xml' tells no format to write; name one with --to: csv, tsv, jsonl"),
        ("out.csv", ["--to", "excel"], "there is no format 'excel'; there are csv, tsv"),
        ("out.json", ["--to", "squad"], "squad is only read, not written"),
        ("in.jsonl", [], "is the file that is read, which would be lost; name another one"),
        ("in.jsonl/out.csv", [], "in.jsonl is no folder that can be written to; choose another place"),
        ("out.csv", ["--from", "parquet"], "this is not a readable Parquet file"),
        ("out.csv", ["--from", "doccano"], "in.jsonl:2: 'entities[0]' is [3, 99), expected 0 <= start"),
    ],
)
def test_what_cannot_be_converted_ends_with_2_and_leaves_nothing(
    name: str, options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    end = 99 if "doccano" in options else 4
    rows = [
        {"text": "很好", "entities": []},
        {"text": "Beijing 大", "entities": [{"start": 3, "end": end, "label": "地"}]},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert run(["data", "convert", str(tmp_path / "in.jsonl"), str(tmp_path / name), *options]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and "Traceback" not in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("folder.csv", "folder.csv: is a folder, expected the name of a file; add one, such as rows.jsonl"),
        ("notes.txt/out.csv", "notes.txt is no folder that can be written to; choose another place"),
    ],
)
@pytest.mark.parametrize("command", [["convert", "--to", "csv"], ["augment", "--way", "swap"]], ids=" ".join)
def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_read(
    command: list[str], target: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    name, *options = command
    assert run(["data", name, str(tmp_path / "missing.csv"), str(tmp_path / target), *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: OUT ") and words in said


def test_formats_and_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {kind["name"] for kind in found["kinds"]} == {LABELS, *KINDS}
    assert {"name": "squad", "written": False}.items() <= found["formats"][-1].items()
    assert run(["data", "list"]) == 0
    printed = capsys.readouterr().out
    assert "text,head,tail,label" in printed and "头实体" in printed and "label_studio" in printed


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bertie ")
