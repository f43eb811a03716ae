"""CoNLL: sentences become rows that know their line; every line that does not fit is named with its own."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data.columns import Columns
from bertie.data.conll_reader import conll_texts, looks_like_conll, read_conll
from bertie.data.readers import SUFFIXES, read_rows
from bertie.data.table import Table
from tests.data.records import unlabelled

ENGLISH = "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\nGerman JJ B-NP B-MISC\n\nPeter NNP B-NP B-PER\n"
CHINESE = "彭\tB-人名\n小\tI-人名\n军\tI-人名\n住\tO\n北\tB-地名\n京\tI-地名\n，\tO\n\n好\tO\n"


def read(content: str, **options: Any) -> tuple[Table, list[str]]:
    table = Table("a.conll")
    notes = read_conll(io.StringIO(content, newline=None), table, **options)
    return table, notes


def entity(start: int, end: int, label: str) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def test_english_with_four_columns() -> None:
    table, notes = read(ENGLISH)
    assert table.records == [
        {"text": "EU rejects German", "entities": [entity(0, 2, "ORG"), entity(11, 17, "MISC")]},
        {"text": "Peter", "entities": [entity(0, 5, "PER")]},
    ]
    assert (table.lines, table.problems, table.header) == ([3, 7], [], ["text", "entities"])
    assert notes == ["a.conll: the tags were read as BIO"]


def test_chinese_characters() -> None:
    table, _ = read(CHINESE)
    assert table.records == [
        {"text": "彭小军住北京，", "entities": [entity(0, 3, "人名"), entity(4, 6, "地名")]},
        {"text": "好", "entities": []},
    ]
    assert table.lines == [1, 9]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n\n", "\n \t\n\n\n"),
        lambda text: text.replace("\t", " "),
        lambda text: text.replace("\t", "   ").replace("\n", "  \n"),
        lambda text: text.replace("\t", " x  y "),
        lambda text: "# id = 1\n\n# text = 彭 O\n" + text,
    ],
)
def test_marks_line_ends_spaces_and_comments_change_nothing(change: Any) -> None:
    for stream in (io.StringIO(change(CHINESE), newline=None), io.StringIO(change(CHINESE), newline="")):
        table = Table("a.conll")
        read_conll(stream, table)
        assert (table.records, table.problems) == (read(CHINESE)[0].records, [])


def test_a_hash_is_a_token_where_it_has_a_tag() -> None:
    table, _ = read("# a comment\n#\tO\n#北京\tB-地名\n# no token here\n好\tO\n")
    assert table.records == [{"text": "# #北京好", "entities": [entity(2, 5, "地名")]}]
    assert table.lines == [2]


@pytest.mark.parametrize("space", ["\u3000", "\u00a0"])
def test_a_space_of_another_kind_is_a_token(space: str) -> None:
    for separator in ("\t", " "):
        table, _ = read(f"好{separator}O\n{space}{separator}O\n北{separator}B-地名\n")
        assert table.records == [{"text": f"好{space}北", "entities": [entity(2, 3, "地名")]}]


def test_emoji_and_combining_characters_count_as_one() -> None:
    table, _ = read("😀 O\nZoe\u0301 B-PER\n")
    assert table.records == [{"text": "😀 Zoe\u0301", "entities": [entity(2, 6, "PER")]}]


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("a O\nb x O\n\nc O\n", [(2, "3 columns, expected 2 as on line 1; correct this line")]),
        ("a x O\nb\n\nc x O\n", [(2, "1 column, expected a token and its tag; add the missing one")]),
        ("北 X-地名\n\nc O\n", [(1, "the last column is the text 'X-地名', expected O or a tag such as B-PER")]),
        ("a O\n O\n\nc O\n", [(2, "the token is empty, expected one in the first column; fill it in")]),
        ("a\tO\n \tO\n\nc\tO\n", [(2, "the token is empty")]),
        ("a\tO\nb\t\n\nc\tO\n", [(2, "the last column is the text '', expected O")]),
        ("# x\na O\n# y\nb I-PER\n\nc O\nd B-LOC\n", [(4, "tag 2 is 'I-PER' after 'O', expected something of 'PER'")]),
        ("a\0 O\n\nc O\n", [(1, "the line holds a NUL character")]),
        ("a B-NaN\n\nc O\n", [(1, "'tags[0]' is NaN, expected a label")]),
        ("a O\nb\nc X\n\nd O e\n\nc O\n", [(2, "1 column"), (3, "the last column"), (5, "3 columns")]),
    ],
)
def test_every_problem_has_its_own_line_and_costs_its_own_sentence(
    content: str, problems: list[tuple[int, str]]
) -> None:
    table, _ = read(content)
    assert [line for line, _ in table.problems] == [line for line, _ in problems]
    assert all(what.startswith(start) for (_, what), (_, start) in zip(table.problems, problems, strict=True))
    assert [record["text"].split()[0] for record in table.records] == ["c"]


@pytest.mark.parametrize(
    ("content", "scheme"),
    [
        ("a I-PER\n\nb I-PER\nc B-PER\n", "IOB1"),
        ("a S-PER\n\nb B-PER\nc E-PER\n", "BIOES"),
        ("北 B-地名\n京 E-地名\n\n张 S-人名\n", "BIOES"),
        ("北 B-地名\n京 M-地名\n市 E-地名\n", "BMES"),
        ("a U-PER\n", "BILOU"),
        ("a B-PER\nb I-PER\n", "BIO"),
    ],
)
def test_the_scheme_is_found_from_all_sentences(content: str, scheme: str) -> None:
    table, notes = read(content)
    assert (table.problems, notes[0]) == ([], f"a.conll: the tags were read as {scheme}")


def test_a_scheme_can_be_asked_for() -> None:
    assert [line for line, _ in read("a O\nb I-PER\n", scheme="BIO")[0].problems] == [2]


def test_a_file_without_blank_lines_is_one_problem_where_it_begins() -> None:
    table, _ = read("好\tO\n\n" + f"{'x' * 10_000}\tO\n" * 300 + "\n好\tO\n")
    assert [(line, what[:41]) for line, what in table.problems] == [(3, "the sentence has more than 1,000,000 char")]
    assert table.lines == [1, 304]


def test_an_endless_line_is_a_problem() -> None:
    table, _ = read("好\tO\n\n" + "x" * 4_000_001 + "\n\n好\tO\n")
    assert [(line, what[:27]) for line, what in table.problems] == [(3, "the line is longer than 4,0")]
    assert table.lines == [1, 5]


def test_a_file_with_nothing_in_it_has_no_rows_and_no_note() -> None:
    for content in ("", "\n\n", "-DOCSTART- O\n\n", "# only a comment\n"):
        table, notes = read(content)
        assert (table.records, table.problems, notes) == ([], [], [])


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (ENGLISH, True),
        (CHINESE, True),
        ("\ufeff# comment\n\n好 O\n", True),
        ("text\tlabel\na\tb\n", False),
        ("I like it O\nnot O\n", False),
        ("a\nb\n", False),
        ("", False),
        ("x" * 5_000_000, False),
        ('{"tokens": ["a"], "tags": ["O"]}\n', False),
        ("1\tSchartau\tB-PER\tO\n2\tsagte\tO\tO\n", False),
    ],
)
def test_what_looks_like_conll(content: str, looks: bool) -> None:
    stream = io.StringIO(content)
    assert looks_like_conll(stream) is looks
    assert stream.tell() == 0


PIECES = st.sampled_from(
    ["a", "好", "O", "B-PER", "I-PER", "E-地名", "X", " ", "\t", "\n", "\n\n", "#", "\ufeff", "\0", "\u2028"]
)


@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=100, deadline=None)
def test_any_file_is_rows_and_problems_in_order(content: str) -> None:
    table, _ = read(content)
    assert len(table.records) == len(table.lines)
    lines = [line for line, _ in table.problems]
    assert lines == sorted(lines)
    assert all(first < second for first, second in pairwise(table.lines))
    for record in table.records:
        assert record["text"]
        assert all(0 <= part["start"] < part["end"] <= len(record["text"]) for part in record["entities"])


def tagged(sentence: str, tags: str = "") -> str:
    """A character a line; `tags` are those of the first ones."""
    marks = tags.split() + ["O"] * len(sentence)
    return "".join(f"{character} {mark}\n" for character, mark in zip(sentence, marks, strict=False)) + "\n"


def test_a_chinese_file_of_characters_is_the_text_that_people_write() -> None:
    first = tagged("2019年在NBA，打球", "B-时间 I-时间 I-时间 I-时间 I-时间")
    content = first + tagged("我们都喜欢看篮球") + "……\tO\n❤\ufe0f\tO\n"
    table, notes = read(content.replace(" ", "\t"))
    assert table.records == [
        {"text": "2019年在NBA，打球", "entities": [entity(0, 5, "时间")]},
        {"text": "我们都喜欢看篮球", "entities": []},
        {"text": "……❤\ufe0f", "entities": []},
    ]
    assert notes[1].startswith("a.conll: each token is one character, as in Chinese sets, so the texts")
    asked = Table("a.conll")
    placed = list(conll_texts(io.StringIO(content.replace(" ", "\t")), asked))
    assert [record["text"] for _, record in placed] == [record["text"] for record in table.records]
    assert asked.notes == notes[1:]


@pytest.mark.parametrize("other", ["喜 O\nNBA O\n", "喜 O\n19 O\n", "喜欢 O\n", "a O\n" * 30])
def test_a_file_with_words_or_mostly_of_letters_keeps_its_spaces(other: str) -> None:
    table, notes = read(tagged("我们都在看5月，NBA") + other)
    assert table.records[0]["text"] == "我们都在看 5 月 ， N B A" and len(notes) == 1


def test_a_sentence_of_characters_keeps_its_spaces_where_an_entity_would_cut_a_word() -> None:
    cut, whole = tagged("看NBA2019的球", "O B-组织 I-组织 I-组织"), tagged("我们都喜欢看NBA2019")
    table, _ = read(cut + whole + tagged("今天晚上在北京大学和中国人民大学"))
    assert [record["text"] for record in table.records[:2]] == ["看 N B A 2 0 1 9 的球", "我们都喜欢看NBA2019"]
    assert table.records[0]["entities"] == [entity(2, 7, "组织")]


@pytest.mark.parametrize(
    "name", ["train.char.bmes", "a.bilou", "a.iob", "a.iob1", "a.iob2", "a.tsv", "a.dat", "a", "a.txt", "a.log"]
)
def test_conll_is_known_by_its_ending_or_by_its_lines(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("高\tB-NAME\n勇\tE-NAME\n：\tO\n\n1\tO\n", encoding="utf-8")
    for kind in (None, "tagging"):
        assert read_rows(path, kind=kind)[0] == {"text": "高勇 ：", "entities": [entity(0, 2, "NAME")]}
    assert unlabelled(path, kind="tagging").column("text") == ["高勇 ：", "1"]
    assert path.suffix in (*SUFFIXES, ".dat", ".log", "")


def test_a_table_is_no_conll(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\n" + "good\tO\n很好\tB-x\n" * 30, encoding="utf-8")
    assert read_rows(path)[0] == {"text": "good", "label": "O"}
    assert unlabelled(path)[0] == {"text": "good"}
    (tmp_path / "a.csv").write_text("good O\nbad O\n", encoding="utf-8")
    assert unlabelled(tmp_path / "a.csv", columns=Columns(text="good O"))[0] == {"text": "bad O"}
