"""CSV and TSV: what stands in a quoted cell is what was written, so that offsets into it hold."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from bertie.core.errors import DataError
from bertie.data.readers import read_rows
from tests.data.records import unlabelled

ENDS = ["\n", "\r\n", "\r"]


def at(text: str, words: str) -> str:
    start = text.index(words)
    return json.dumps([{"start": start, "end": start + len(words), "label": "PER"}])


@pytest.mark.parametrize("inside", ENDS)
def test_offsets_of_a_data_frame_hold_behind_any_line_end(inside: str, tmp_path: Path) -> None:
    texts = [f"第一行{inside}李安去了北京", f"one{inside}{inside}two{inside}李安", "李安"]
    frame = pd.DataFrame({"text": texts, "entities": [at(text, "李安") for text in texts]})
    frame.to_csv(tmp_path / "a.csv", index=False, quoting=csv.QUOTE_ALL)
    rows = read_rows(tmp_path / "a.csv")
    assert rows.column("text") == texts and rows.kind == "tagging"
    assert [row["text"][row["entities"][0]["start"] : row["entities"][0]["end"]] for row in rows] == ["李安"] * 3
    assert rows.lines == [2, 4, 8]
    assert unlabelled(tmp_path / "a.csv", kind="tagging").column("text") == texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("inside", ENDS)
@pytest.mark.parametrize("ending", ENDS)
def test_records_and_cells_may_end_their_lines_in_any_way(
    ending: str, inside: str, encoding: str, tmp_path: Path
) -> None:
    """Also without an end behind the last record, and with blank lines between them."""
    quoted = f'"很好，""下次""{inside}{inside}再来{inside}",好评'
    lines = ["text,label", "这家酒店的服务非常好，早餐也不错,好评", "", quoted, '"x",b', "plain,b"]
    path = tmp_path / "a.csv"
    path.write_bytes(ending.join(lines).encode(encoding))
    rows = read_rows(path)
    assert rows[1] == {"text": f'很好，"下次"{inside}{inside}再来{inside}', "label": "好评"}
    assert rows.column("label") == ["好评", "好评", "b", "b"]
    assert rows.lines == [2, 4, 8, 9]


@pytest.mark.parametrize("ending", ENDS)
def test_what_is_wrong_is_named_with_its_line_behind_cells_of_several_lines(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(ending.join(["text,label", '"a', 'b",c', "ragged", '"open,d', "e,f", ""]).encode())
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert [problem.removeprefix(f"{path}:")[:12] for problem in caught.value.problems] == [
        "4: 1 cells, ",
        "5: the quote",
    ]
    assert read_rows(path, skip_bad_rows=True).column("text") == [f"a{ending}b", "e"]


@pytest.mark.parametrize("ending", ENDS)
def test_records_of_tsv_are_lines(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(ending.join(["text\tlabel", '"so\ta', '"b ""c"""\td', ""]).encode())
    assert list(read_rows(path)) == [{"text": '"so', "label": "a"}, {"text": 'b "c"', "label": "d"}]
