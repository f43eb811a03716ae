"""Readers: every format gives the same rows; everything that is wrong is named with its line."""

from __future__ import annotations

import csv
import io
import json
import time
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bertie.core.errors import DataError, UsageError
from bertie.data.readers import Columns, read_rows
from tests.data.records import unlabelled

TABLE = [
    {"text": '他说："很好，下次再来"', "label": "好评"},
    {"text": "two\nlines, with commas", "label": "bad"},
    {"text": "tab\there", "label": "bad"},
]
TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=30)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def problems(path: Path, **options: bool) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_rows(path, **options)  # type: ignore[arg-type]
    return caught.value.problems


def as_csv(rows: list[dict[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["text", "label"])
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    pd.DataFrame(TABLE).to_parquet(tmp_path / "a.parquet")
    files = [
        write(tmp_path, "a.csv", as_csv(TABLE)),
        write(tmp_path, "a.jsonl", "\n\n".join(json.dumps(row) for row in TABLE)),
        write(tmp_path, "a.json", json.dumps(TABLE, ensure_ascii=False, indent=1)),
        write(tmp_path, "lines.json", "\n".join(json.dumps(row, ensure_ascii=False) for row in TABLE)),
        write(
            tmp_path,
            "semicolon.csv",
            as_csv(TABLE[:0]).replace(",", ";")
            + '"他说：""很好，下次再来""";好评\n"two\nlines, with commas";bad\ntab\there;bad',
        ),
        write(tmp_path, "unknown.data", (tmp_path / "a.parquet").read_bytes()),
        tmp_path / "a.parquet",
    ]
    for path in files:
        assert list(read_rows(path)) == TABLE, path


def test_rows_know_the_line_they_start_on(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", as_csv(TABLE))).lines == [2, 3, 5]
    assert read_rows(write(tmp_path, "a.jsonl", "\n\n".join(json.dumps(row) for row in TABLE))).lines == [1, 3, 5]
    assert read_rows(write(tmp_path, "a.json", json.dumps(TABLE, indent=1))).lines == [2, 6, 10]


def test_tsv_keeps_quotes_that_quote_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", 'text\tlabel\n"so called" art\ta\n"unclosed\tb\n"quoted ""cell"""\ta\n')
    assert read_rows(path).column("text") == ['"so called" art', '"unclosed', 'quoted "cell"']


@given(st.lists(st.tuples(TEXTS, TEXTS.filter(lambda label: label.strip(" \t\n|"))), min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    rows = [{"text": text, "label": f"<{label.strip()}>".replace("|", "/")} for text, label in pairs]
    assert list(read_rows(write(tmp_path, "a.csv", as_csv(rows)))) == rows


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ":1: the file is empty"),
        ("\n \n", "the file is empty"),
        ("text,label\n", r":1: found a header \(text, label\) and no rows"),
        ("text,label\na,b\nc\n", ":3: 1 cells, expected 2 as in the header; add the missing cell"),
        ("text,label\na,b,c\n", ":2: 3 cells, expected 2 .* double quotes"),
        ('text,label\na,b\n"never closed,b\nc,d\n', ":3: the quote opened here is never closed"),
        ('text,label\n"so" called,b\n', ":2: after a closing quote stands ' ', expected ','"),
        ("text,label\na\0b,c\n", ":2: the line holds a NUL"),
        ("text,label\na,b\ntext,label\nc,d\n", ":3: the header is repeated"),
        ("text,Label,label\na,b,c\n", ":1: two columns are called 'label'"),
        ("text,label\na,\n", ":2: 'label' is empty"),
        ("text,label\na,NaN\nb,-inf\n", ":2: 'label' is NaN"),
        (
            "foo,bar,baz\na,b,c\n",
            ":1: no column is the text; found 'foo', 'bar', 'baz'; expected text,label.*--text-column",
        ),
        ("\n\ntext,bar,baz\na,b,c\n", ":3: no column is the label"),
        (
            "I like it,good\nI hate it,bad\nfine,good\nlovely,good\nugly,bad\ngreat,good\nawful,bad\nbad,bad\n",
            ":1: the first line looks like a row",
        ),
    ],
)
def test_csv_problems_name_line_and_remedy(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read_rows(write(tmp_path, "a.csv", content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"text": "a", "label": "b"}\n{"text": \n',
            r":2: this is not valid JSON \(Expecting value at character \d+\)",
        ),
        ('["a", "b"]\n', ":1: an array, expected a JSON object"),
        ('[\n{"text": "a", "label": "b"}\n]', ":1: this is not valid JSON .*name it .json"),
        ('{"text": 5, "label": "b"}', ":1: 'text' is the int 5, expected a text"),
        ('{"text": ["a"], "label": "b"}', "'text' is a list"),
        ('{"text": "a", "label": {"b": 1}}', "'label' is an object"),
        ('{"text": "a", "label": NaN}', "'label' is nan"),
        ('{"text": "a", "label": Infinity}', "'label' is inf"),
        ('{"text": "a", "label": null}', "'label' is empty"),
        ('{"text": "a", "label": "b"}\n{"text": "a"}', ":2: there is no 'label'"),
        ('{"text": "\\ud800", "label": "b"}', "half a character"),
        ('{"text": "a\\u0000", "label": "b"}', "NUL character"),
        ("[" * 100_000, "nested too deeply"),
        ('{"text": "a", "label": ' + "1" * 5000 + "}", "a number is too long"),
    ],
)
def test_json_problems_name_line_and_remedy(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read_rows(write(tmp_path, "a.jsonl", content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"text": "a", "label": "b"},\n{"text": "c" "label": "d"}]', ":2: this is not valid JSON"),
        ('[{"text": "a", "label": "b"}\n {"text": "a"}]', "breaks off after this record"),
        ('[{"text": "a", "label": "b"}', "breaks off after this record"),
        ('[{"text": "a", "label": "b"},\n 7]', ":2: a number, expected a JSON object"),
        ('"a"', "expected a JSON list of objects"),
        ("[]", ":1: found no rows, expected at least one"),
        (
            '[{"text": "a", "label": "b"},\n{"text": "c", "label": "d"}]\n\n[{"text": "e", "label": "b"}]',
            r""":4: found '\[{"text": "e", "labe' behind the end of the JSON list, expected nothing; make one list""",
        ),
        ('[{"text": "a", "label": "b"}]]', ":1: found ']' behind the end of the JSON list"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_list_problems_name_line_and_remedy(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read_rows(write(tmp_path, "a.json", content))


def test_every_problem_is_found_and_ten_are_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\n" + "a,b\nragged\n" * 25)
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert len(caught.value.problems) == 25
    assert "and 15 more (25 problems in all)" in str(caught.value)
    assert caught.value.exit_code == 2


def test_bad_rows_are_skipped_and_counted_when_asked(tmp_path: Path) -> None:
    content = 'text,label\na,b\nragged\n"open,b\nc,d\ne,\nf,NaN\ng,h\n'
    rows = read_rows(write(tmp_path, "a.csv", content), skip_bad_rows=True)
    assert rows.column("text") == ["a", "c", "g"]
    assert rows.lines == [2, 5, 8]
    assert "4 bad rows skipped, the first at line 3" in rows.notes[0]
    with pytest.raises(DataError):
        read_rows(write(tmp_path, "all.csv", "text,label\nragged\n"), skip_bad_rows=True)


def test_a_quote_that_closes_lines_later_costs_its_own_line_only(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\n"oops,a\nfine,b\n"quoted, fine",c\nlast,d\n')
    assert problems(path) == [
        f"{path}:2: after a closing quote stands 'q', expected ','; double the quotes inside a text"
    ]
    assert read_rows(path, skip_bad_rows=True).lines == [3, 4, 5]


@pytest.mark.parametrize("opening", ["", '"'])
def test_an_endless_line_is_refused_quickly_and_never_held(tmp_path: Path, opening: str) -> None:
    path = write(tmp_path, "a.csv", "text,label\n" + opening + "好x" * 12_500_000 + ",a\nfine,b\n")
    start = time.monotonic()
    assert "longer than 4,000,000 characters" in problems(path)[0]
    assert time.monotonic() - start < 3
    tracemalloc.start()
    rows = read_rows(path, skip_bad_rows=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows.lines == [3]
    assert peak < 60_000_000


def test_an_open_quote_before_a_long_file_is_found_where_it_opens(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\na,b\n"open,b\n' + "some plain text,label\n" * 100_000)
    assert problems(path) == [
        f"{path}:3: the quote opened here is not closed within 1,000,000 characters; close or remove it"
    ]
    assert len(read_rows(path, skip_bad_rows=True)) == 100_001


def test_a_text_past_the_limit_is_refused_in_every_format(tmp_path: Path) -> None:
    long = [{"text": "x" * 1_000_001, "label": "a"}]
    pd.DataFrame(long).to_parquet(tmp_path / "a.parquet")
    for path in (
        write(tmp_path, "a.csv", as_csv(long)),
        write(tmp_path, "a.json", json.dumps(long)),
        tmp_path / "a.parquet",
    ):
        assert "1,000,001 characters, expected at most 1,000,000" in problems(path)[0]


@pytest.mark.parametrize(
    ("header", "canonical"),
    [
        ("Sentence,Intent", ["text", "label"]),
        ("标签,评论", ["label", "text"]),
        ("id,review,sentiment", ["text", "label"]),
        ("Title,Category", ["text", "label"]),
        ("premise,hypothesis,label", ["text_a", "text_b", "label"]),
        ("question1,question2,label", ["text_a", "text_b", "label"]),
        ("句子1,句子2,标签", ["text_a", "text_b", "label"]),
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path: Path, header: str, canonical: list[str]) -> None:
    rows = read_rows(write(tmp_path, "a.csv", f"{header}\n" + ",".join("xyz"[: header.count(",") + 1])))
    assert sorted(rows[0]) == sorted(canonical)
    assert rows.notes


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,Other,label,grade\nwrong,right,wrong,good\n")
    assert list(read_rows(path, Columns(text="other", label="grade"))) == [{"text": "right", "label": "good"}]
    assert read_rows(path, Columns(text_a="text", text_b="Other"))[0] == {
        "text_a": "wrong",
        "text_b": "right",
        "label": "wrong",
    }
    with pytest.raises(DataError, match=r"there is no column 'nope'; found 'text', 'Other', .*--label-column"):
        read_rows(path, Columns(label="nope"))
    with pytest.raises(UsageError):
        Columns(text_a="one")


def test_two_unknown_columns_are_told_apart_by_what_stands_in_them(tmp_path: Path) -> None:
    content = "foo,bar\n" + "".join(f"{'ab'[i % 2]},text number {i}\n" for i in range(20))
    rows = read_rows(write(tmp_path, "a.csv", content))
    assert rows[1] == {"text": "text number 1", "label": "b"}
    assert "took 'bar' as the text, 'foo' as the label" in rows.notes[0]


def test_a_translation_is_not_taken_for_a_classification(tmp_path: Path) -> None:
    content = "source,target\n" + "".join(f"sentence {i},Satz {i}\n" for i in range(20))
    with pytest.raises(DataError, match="no column is the text"):
        read_rows(write(tmp_path, "a.csv", content))


def test_labels_are_texts_and_numbers_keep_their_digits(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", "text,label\na,5.000\nb, 1 \n")).column("label") == ["5.000", "1"]
    lines = "\n".join(f'{{"text": "a", "label": {label}}}' for label in ("1", "1.0", "0.5", "true"))
    assert read_rows(write(tmp_path, "a.jsonl", lines)).column("label") == ["1", "1", "0.5", "True"]


def test_one_label_of_several_makes_the_column_lists(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path, "a.csv", "text,label\na,x|y\nb,x\nc,y| |x|x\n")).column("label") == [
        ["x", "y"],
        ["x"],
        ["y", "x"],
    ]
    lines = '{"text": "a", "labels": ["x", 2]}\n{"text": "b", "labels": "x"}\n{"text": "c", "labels": []}'
    assert read_rows(write(tmp_path, "a.jsonl", lines)).column("label") == [["x", "2"], ["x"], []]


def test_the_column_beside_entities_is_found_in_every_format(tmp_path: Path) -> None:
    spans = {"text": "Bob", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    doccano = {"text": "Bob", "label": [[0, 3, "PER"]]}
    region = {"type": "labels", "value": {"start": 0, "end": 3, "labels": ["PER"]}}
    task = {"annotations": [{"result": [region]}]}
    for number, (first, second) in enumerate(
        [
            ({**spans, "doc": "a"}, {**spans, "doc": "b"}),
            ({**doccano, "doc": "a"}, {**doccano, "doc": "b"}),
            ({**task, "data": {"text": "Bob", "doc": "a"}}, {**task, "data": {"text": "Bob"}, "doc": "b"}),
        ]
    ):
        path = write(tmp_path, f"{number}.json", json.dumps([first, second]))
        rows = read_rows(path, Columns(beside="doc"))
        assert (rows.kind, list(rows), rows.beside) == ("tagging", [spans, spans], ["a", "b"])
        assert read_rows(path).beside == []
    with pytest.raises(DataError, match=r"2.json:1: there is no column 'page'"):
        read_rows(path, Columns(beside="page"))
    path = write(tmp_path, "some.jsonl", json.dumps({**spans, "doc": "a"}) + "\n" + json.dumps(spans))
    with pytest.raises(DataError, match=r"some.jsonl:2: there is no 'doc', by which the rows are divided"):
        read_rows(path, Columns(beside="doc"))


def test_an_empty_text_is_kept_and_noted(tmp_path: Path) -> None:
    rows = read_rows(
        write(tmp_path, "a.jsonl", '{"text": "a", "label": 1}\n{"text": " ", "label": 2}\n{"text": null, "label": 1}')
    )
    assert len(rows) == 3
    assert any("2 rows have an empty text, the first at" in note for note in rows.notes)


def test_for_prediction_a_label_is_not_needed_and_rows_keep_their_order(tmp_path: Path) -> None:
    rows = unlabelled(write(tmp_path, "a.csv", "id,text\n1,b\n2,\n3,a\n"))
    assert list(rows) == [{"text": "b"}, {"text": ""}, {"text": "a"}]
    assert len(unlabelled(write(tmp_path, "one.csv", "text\nb\n\na\n"))) == 3


def test_for_prediction_bad_rows_are_skipped_in_the_same_way(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": "a"}\nbroken\n{"text": "c"}\n')
    with pytest.raises(DataError, match=":2: this is not valid JSON"):
        unlabelled(path)
    rows = unlabelled(path, skip_bad_rows=True)
    assert rows.column("text") == ["a", "c"]
    assert "1 bad rows skipped, the first at line 2" in rows.notes[0]


def test_a_text_file_to_predict_is_one_text_a_line(tmp_path: Path) -> None:
    rows = unlabelled(write(tmp_path, "a.txt", "第一行, 有逗号\n\nthird\n"))
    assert rows.column("text") == ["第一行, 有逗号", "", "third"]
    table = unlabelled(write(tmp_path, "b.txt", "text\tlabel\na\tb\n"))
    assert list(table) == [{"text": "a"}]


def test_a_text_file_to_train_on_needs_a_header(tmp_path: Path) -> None:
    assert list(read_rows(write(tmp_path, "a.txt", "text\tlabel\na, b\tc\n"))) == [{"text": "a, b", "label": "c"}]
    with pytest.raises(DataError, match="is the header line missing"):
        read_rows(write(tmp_path, "b.txt", "some title\t3\nanother title\t4\n"))


def test_files_that_are_no_data_are_named(tmp_path: Path) -> None:
    for name, content, expected in [
        ("a.xlsx", b"PK\x03\x04rest", "is a zip, Excel or Word file.*save it as CSV"),
        ("a.csv.gz", b"\x1f\x8b\x08", "a gzip file"),
        ("c.csv.zst", b"\x28\xb5\x2f\xfd\x04\x00", "is a zstd file, expected CSV"),
        ("a.parquet", b"PAR1 and no more", "not a readable Parquet file"),
        ("b.parquet", b"", "not a readable Parquet file"),
    ]:
        with pytest.raises(DataError, match=expected):
            read_rows(write(tmp_path, name, content))
    with pytest.raises(DataError, match=r"there is no such file; .* holds a.csv.gz, a.parquet"):
        read_rows(tmp_path / "missing.csv")
    with pytest.raises(DataError, match="does not exist either"):
        read_rows(tmp_path / "no" / "missing.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_rows(tmp_path)


PIECES = st.sampled_from(
    [
        *(b"text,label\n", b"text\tlabel\n", b"text", b"label", b'"', b",", b"\n", b"\r", b"\0", b"|", b"\xff\xfe"),
        *("好".encode(), "好".encode("gbk"), b'{"text":', b'"a"', b"}", b"[", b"]", b"{", b"NaN", b"1e999"),
        *(b"\xef\xbb\xbf", b"PAR1", b"\\ud800"),
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=25).map(b"".join)), st.booleans(), st.booleans())
@example(b'text,label\n"a","b\n\n"', False, True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_arbitrary_bytes_are_rows_or_a_data_error(
    tmp_path: Path, data: bytes, for_prediction: bool, skip: bool
) -> None:
    for suffix in (".csv", ".tsv", ".jsonl", ".json", ".txt", ".parquet"):
        path = write(tmp_path, f"fuzz{suffix}", data)
        try:
            read = unlabelled if for_prediction else read_rows
            rows = read(path, skip_bad_rows=skip)
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert len(rows) > 0
            assert for_prediction or len(rows) == len(rows.lines)
            assert all(isinstance(row.get("text", row.get("text_a")), str) for row in rows)
            str(rows.column("text")).encode()
