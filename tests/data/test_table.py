"""Tables: lines are told apart whatever ends them, and one past all limits is never held."""

from __future__ import annotations

import io

import pytest

from bertie.data import table
from bertie.data.table import bounded_lines, ended_lines


def stream(content: str, newline: str | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content.encode()), "utf-8", newline=newline)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_keep_their_own_end(end: str) -> None:
    content = f"好{end}{end}b\u2028c{end}d"
    lines = list(ended_lines(stream(content, "")))
    assert lines == [(1, f"好{end}"), (2, end), (3, f"b\u2028c{end}"), (4, "d")]
    assert [(number, str(line).rstrip("\r\n")) for number, line in lines] == list(bounded_lines(stream(content, None)))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_past_the_limit_is_one_line_wherever_it_is_cut(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "LINE_LIMIT", 10)
    for length in range(40):
        content = f"{'x' * length}{end}b{end}"
        found = list(ended_lines(stream(content, "")))
        assert found == [(1, f"{'x' * length}{end}" if length < 10 else None), (2, f"b{end}")], length
        plain = [(number, line if line is None else line.rstrip("\r\n")) for number, line in found]
        assert plain == list(bounded_lines(stream(content, None))), length
