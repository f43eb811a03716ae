"""Bad input through the real commands: each mistake is named as `file:line`, nothing is loaded and nothing is left."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

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
