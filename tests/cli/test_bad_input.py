"""Bad input through the real commands: each mistake is named as `file:line`, nothing is loaded and nothing is left."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bertie.cli.app import run
from bertie.workflow import preparation

HEADER = "text,label\n"
ROWS = "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(40))
GOOD = HEADER + ROWS
"""41 lines without a mistake; what is added to them stands on line 42."""


@dataclass(frozen=True)
class Bad:
    """A file with a mistake and what must be said about it."""

    content: str | bytes
    line: int
    says: str
    problems: int = 1
    name: str = "bad.csv"


CASES = {
    "a cell too few": Bad(GOOD + "lonely\n" * 12, 42, "1 cells, expected 2 as in the header; add the missing", 12),
    "a cell too many": Bad(GOOD + "a,b,c\n" * 11, 42, "3 cells, expected 2 .* in double quotes", 11),
    "ragged TSV": Bad(GOOD.replace(",", "\t") + "lonely\n", 42, "1 cells, expected 2", name="bad.tsv"),
    "unclosed quote": Bad(GOOD + '"open,a\n' + ROWS, 42, "the quote opened here is never closed; close it"),
    "NUL": Bad(GOOD + "te\0xt,a\n" * 12, 42, "a NUL character, expected text; delete it", 12),
    "missing header": Bad(ROWS, 1, "looks like a row, not like a header .* put a line such as text,label above"),
    "unknown header": Bad("x,y,z\n1,2,3\n", 1, "no column is the text; found 'x', 'y', 'z'; expected .* rename"),
    "double header": Bad(HEADER + GOOD, 2, "the header is repeated, expected a row; delete this line"),
    "a column twice": Bad("text,label,label\na,b,c\n", 1, "two columns are called 'label', expected .* rename one"),
    "empty": Bad("", 1, "the file is empty, expected a header line such as text,label"),
    "only a header": Bad(HEADER, 1, "found a header .* and no rows, expected at least one; add rows"),
    "one class": Bad(HEADER + "some text,a\n" * 20, 2, "20 rows with only the label 'a', expected two .* add rows"),
    "NaN labels": Bad(GOOD + "x,NaN\n" * 6 + "x,\n" * 6, 42, "'label' is NaN, expected a label; .* fill it in", 12),
    "NaN in JSON": Bad('{"text": "a", "label": NaN}\n' * 11, 1, "'label' is nan, expected a label", 11, "bad.jsonl"),
    "broken JSON": Bad('{"text": "a"\n' * 12, 1, "not valid JSON .* expected one JSON object", 12, "bad.jsonl"),
    "Latin-1": Bad(GOOD.encode() + b"caf\xe9 cr\xe8me,a\n", 42, r"byte \d+ .*neither UTF-8.* save the file as UTF-8"),
    "a cut character": Bad(GOOD.encode() + "很好很好".encode()[:-1] + b",a\n", 42, "is not UTF-8 .* repair it or save"),
    "a line of 50 MB": Bad(GOOD + "x" * 50_000_000 + ",a\n", 42, "longer than 4,000,000 .* expected one record; look"),
    "50 MB and no line end": Bad("x" * 50_000_000, 1, "longer than 4,000,000 .* the header"),
}


def of_kind(row: dict[str, Any], says: str, **wrong: Any) -> Bad:
    """Two rows that are right, and on line 3 one in which something is wrong; None: it is not there."""
    bad = {key: value for key, value in (row | wrong).items() if value is not None}
    lines = [json.dumps(one, ensure_ascii=False) for one in (row, row, bad)]
    return Bad("".join(f"{line}\n" for line in lines), 3, says, name="bad.jsonl")


SPANS = {"text": "Ada 在北京", "entities": [{"start": 5, "end": 7, "label": "地"}]}
TAGS = {"tokens": ["北", "京"], "tags": ["B-地", "I-地"]}
RELATION = {"text": "Ada 在北京", "head": [0, 3], "tail": [5, 7], "label": "在"}
QUESTION = {"context": "北京是首都", "question": "首都?", "answers": ["北京"]}
CHOICE = {"question": "首都?", "choices": ["北京", "Paris"], "answer": 0}
PAIR = {"query": "怎么退款", "positive": "a refund"}
SQUAD = {"context": "北京", "qas": [{"id": "q1", "question": "?", "answers": [{"text": "上海", "answer_start": 0}]}]}
CASES |= {
    "a tag too few": of_kind(TAGS, "2 tokens and 1 tags, expected one tag a token", tags=["O"]),
    "no tag": of_kind(TAGS, "tag 2 is the text 'LOC', expected O or a tag such as", tags=["O", "LOC"]),
    "an empty token": of_kind(TAGS, r"'tokens\[1\]' is empty, expected a token", tokens=["北", ""]),
    "no column of tags": Bad(
        "Ada B-人\n\n北 B-地\n京\n", 4, "1 column, expected a token and its tag", name="bad.conll"
    ),
    "another column": Bad("Ada B-人\n\n北 x B-地\n", 3, "3 columns, expected 2 as on line 1", name="bad.conll"),
    "an end outside": of_kind(SPANS, r"is \[5, 7\), expected 0 <= start < end <= 6", text="Ada 在北"),
    "another text": of_kind(
        SPANS,
        "'entities.0..text' is '上海', but at .* stands '北京', expected the same",
        entities=[{"start": 5, "end": 7, "label": "地", "text": "上海"}],
    ),
    "no tail": of_kind(RELATION, "there is no 'tail', expected one; add it or delete", tail=None),
    "a head outside": of_kind(RELATION, r"'head' is \[6, 9\), expected 0 <= start", head=[6, 9]),
    "an answer from elsewhere": of_kind(
        QUESTION, "'answers.0.' is '上海', which does not stand in the passage", answers=["上海"]
    ),
    "an answer at another place": of_kind(
        QUESTION, "is '首都' at 0, but it stands at 3", answers=[{"text": "首都", "start": 0}]
    ),
    "SQuAD": Bad(json.dumps({"data": [{"paragraphs": [SQUAD]}]}), 1, "question 'q1': .*'上海', which", name="bad.json"),
    "one choice": of_kind(CHOICE, "there are 1 choices, expected two or more", choices=["北京"]),
    "no such choice": of_kind(CHOICE, "'answer' is 5, which is none of them; expected 0 to 1", answer=5),
    "a gap in the choices": Bad(
        "question,choice0,choice1,choice2,answer\n?,a,b,,0\n?,a,,c,0\n", 3, "'choice1' is empty, expected a choice"
    ),
    "no positive": of_kind(PAIR, "'positive' is empty, expected a text", positive=" "),
}


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a model is loaded for data that cannot be used")

    monkeypatch.setattr(preparation, "load_start", refuse)
    monkeypatch.setattr(preparation, "choose_start", refuse)


@pytest.mark.parametrize("command", [["data", "check"], ["train"]], ids=" ".join)
@pytest.mark.parametrize("bad", CASES.values(), ids=CASES)
def test_every_mistake_is_named_by_line(
    command: list[str], bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(bad.name).write_bytes(bad.content if isinstance(bad.content, bytes) else bad.content.encode())
    began = time.process_time()
    assert run([*command, bad.name]) == 2
    assert time.process_time() - began < 10
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert re.match(rf"error: {bad.name}:{bad.line}: .*{bad.says}", lines[0]), lines[0]
    assert all(re.match(rf"{bad.name}:\d+: ", line) for line in lines[1:10])
    rest = [f"... and {bad.problems - 10} more ({bad.problems} problems in all)"] if bad.problems > 10 else []
    assert (len(lines), lines[10:]) == (min(bad.problems, 10) + len(rest), rest)
    assert max(map(len, lines)) < 400
    assert [path.name for path in tmp_path.iterdir()] == [bad.name]
