"""Sources: a file, a folder or the hub become train, dev and test, and everything that was chosen is said."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from bertie.core.errors import DataError
from bertie.data import sources
from bertie.data.columns import Columns
from bertie.data.sources import ReadOptions, Splits, load_splits, read
from bertie.data.split import text_key


def table(rows: int, offset: int = 0, labels: tuple[str, ...] = ("好评", "差评")) -> str:
    lines = [f"text number {i + offset},{labels[i % len(labels)]}" for i in range(rows)]
    return "\n".join(["text,label", *lines])


def folder(path: Path, **files: str) -> Path:
    for name, content in files.items():
        (path / name.replace("_dot_", ".")).write_text(content, encoding="utf-8")
    return path


def sizes(splits: Splits) -> tuple[int, int, int | None]:
    return len(splits.train), len(splits.dev), None if splits.test is None else len(splits.test)


def keys(splits: Splits) -> list[set[str]]:
    return [{text_key(row) for row in rows} for rows in (splits.train, splits.dev, splits.test) if rows is not None]


def test_a_single_file_is_split_in_three(tmp_path: Path) -> None:
    folder(tmp_path, all_dot_csv=table(200) + "\nText Number 1!,差评")
    splits = load_splits(tmp_path / "all.csv", seed=3)
    assert sum(size or 0 for size in sizes(splits)) == 201
    assert sizes(splits)[1:] == (20, 20)
    train, dev, test = keys(splits)
    assert not train & dev and not train & test and not dev & test
    assert "161 train, 20 dev, 20 test" in splits.notes[-1]
    assert "seed 3" in splits.notes[-1]
    assert splits.judging is splits.test
    assert load_splits(tmp_path / "all.csv", seed=3).dev.lines == splits.dev.lines
    assert load_splits(tmp_path / "all.csv", seed=4).dev.lines != splits.dev.lines


@pytest.mark.parametrize("dev", ["dev.csv", "valid.csv", "validation.csv", "my_val.csv", "DEV.csv", "验证集.csv"])
def test_a_folder_is_read_by_the_names_of_its_files(tmp_path: Path, dev: str) -> None:
    folder(tmp_path, train_dot_csv=table(40), test_dot_csv=table(10, 70), README_dot_md="no data")
    (tmp_path / dev).write_text(table(20, 50), encoding="utf-8")
    splits = load_splits(str(tmp_path))
    assert sizes(splits) == (40, 20, 10)
    assert splits.dev.where(0) == f"{tmp_path / dev}:2"
    assert splits.notes == []


def test_formats_may_be_mixed(tmp_path: Path) -> None:
    lines = [json.dumps({"内容": f"t{i}", "类别": "差评"}, ensure_ascii=False) for i in range(5)]
    folder(tmp_path, train_dot_csv=table(40), test_dot_jsonl="\n".join(lines), dev_dot_tsv="text\tlabel\na\t好评")
    assert sizes(load_splits(tmp_path)) == (40, 1, 5)


def test_dev_is_split_off_train_where_only_test_is_there(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=table(100), test_dot_csv=table(10, 200))
    assert sizes(load_splits(tmp_path)) == (90, 10, 10)


def test_a_split_dev_set_has_at_most_2000_rows(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=table(30_000), test_dot_csv=table(10, 40_000))
    assert sizes(load_splits(tmp_path)) == (28_000, 2000, 10)


def test_so_has_a_split_test_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (sources.DEV_ROWS, sources.TEST_ROWS) == (2000, 10_000)
    monkeypatch.setattr(sources, "TEST_ROWS", 20)
    folder(tmp_path, data_dot_csv=table(400))
    assert sizes(load_splits(tmp_path / "data.csv")) == (340, 40, 20)


def test_named_files_come_before_those_of_the_folder(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=table(40), dev_dot_csv=table(20, 50), mine_dot_csv=table(7, 90))
    splits = load_splits(tmp_path, dev=tmp_path / "mine.csv")
    assert sizes(splits) == (40, 7, None)
    assert splits.judging is splits.dev
    assert "no test set" in splits.notes[-1]
    assert sizes(load_splits(tmp_path / "train.csv", test=str(tmp_path / "dev.csv"))) == (36, 4, 20)


def test_a_lone_file_in_a_folder_is_the_data(tmp_path: Path) -> None:
    folder(tmp_path, reviews_dot_csv=table(100), README_dot_md="")
    assert sizes(load_splits(tmp_path)) == (80, 10, 10)


def test_a_folder_without_a_train_file_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no train file; it is empty"):
        load_splits(tmp_path)
    folder(tmp_path, test_dot_csv=table(3), notes_dot_md="")
    with pytest.raises(DataError, match=r"no train file; it holds notes.md, test.csv; expected train.csv"):
        load_splits(tmp_path)
    folder(tmp_path, train_dot_csv=table(3), train_dot_jsonl="")
    with pytest.raises(DataError, match=r"2 files could be train \(train.csv, train.jsonl\)"):
        load_splits(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        load_splits(tmp_path / "nothing")


def test_one_class_and_too_few_rows_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, one_dot_csv=table(20, labels=("好评",)), few_dot_csv=table(2))
    with pytest.raises(DataError, match=r"one.csv:2: 20 rows with only the label '好评', expected two or more"):
        load_splits(tmp_path / "one.csv")
    with pytest.raises(DataError, match=r"few.csv:2: 2 rows are too few to split a dev set off; .*--dev"):
        load_splits(tmp_path / "few.csv")


def test_a_label_with_one_row_stays_in_train(tmp_path: Path) -> None:
    folder(tmp_path, all_dot_csv=table(40) + "\nsomething else,稀有")
    assert "稀有" in load_splits(tmp_path / "all.csv").train.column("label")


def test_several_labels_in_one_file_make_lists_in_all(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=table(10, labels=("a|b", "a")), dev_dot_csv=table(4, 50, labels=("a",)))
    splits = load_splits(tmp_path)
    assert splits.dev.column("label") == [["a"]] * 4
    assert splits.train.column("label")[:2] == [["a", "b"], ["a"]]
    assert any("train.csv: 5 of 10 rows have several labels, the first at" in note for note in splits.notes)
    assert any("dev.csv: 0 of 4 rows have several labels, but other files do" in note for note in splits.notes)


def test_labels_that_are_never_learned_are_noted(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=table(10), dev_dot_csv=table(4, 50, labels=("好评", "中评")))
    assert "labels never seen in training: 中评" in load_splits(tmp_path).notes[-1]
    folder(tmp_path, train_dot_csv=table(10, labels=("1", "0")), dev_dot_csv=table(4, 50, labels=("1.0", "x")))
    assert load_splits(tmp_path).notes[-1].endswith("training: 1.0, x; training has '1' for '1.0': write them alike")


def test_rows_of_an_earlier_part_are_counted_where_parts_were_given(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=table(40), dev_dot_csv=table(10, 35), test_dot_csv=table(20, 43))
    splits = load_splits(tmp_path)
    assert splits.seen == {"dev": 5, "test": 2}
    assert [note.partition(":")[0] for note in splits.told_seen] == [
        "5 of 10 dev rows are also in train",
        "2 of 20 test rows are also in train or dev",
    ]
    given = load_splits(tmp_path / "train.csv", test=tmp_path / "train.csv")
    assert given.seen == {"test": 40}, "also those that were split off as dev rows"
    alone = load_splits(tmp_path / "train.csv")
    assert alone.seen == {} and alone.told_seen == []


def tagged(count: int, every: int) -> str:
    entity = {"start": 0, "end": 1, "label": "x"}
    rows = [{"text": f"t{i}", "entities": [entity] if every and i % every == 0 else []} for i in range(count)]
    return "\n".join(map(json.dumps, rows))


def test_rows_to_judge_by_without_anything_to_find_are_noted(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_jsonl=tagged(40, 2), dev_dot_jsonl=tagged(4, 0), test_dot_jsonl=tagged(4, 2))
    said = [note for note in load_splits(tmp_path).notes if "none of the" in note]
    assert len(said) == 1 and "none of the 4 dev rows has entities, so that a model is right there" in said[0]
    folder(tmp_path, alone_dot_jsonl=tagged(100, 11))
    assert not any("none of the" in note for note in load_splits(tmp_path / "alone.jsonl").notes)


def test_a_dev_file_without_any_relation_may_stand_beside_a_train_file_with_some(tmp_path: Path) -> None:
    entities = [{"start": 0, "end": 1, "label": "x"}, {"start": 2, "end": 3, "label": "x"}]
    row = {"text": "a b", "entities": entities, "relations": [{"head": 0, "tail": 1, "label": "of"}]}
    folder(tmp_path, train_dot_jsonl=json.dumps(row), dev_dot_jsonl=json.dumps({**row, "relations": []}))
    splits = load_splits(tmp_path)
    assert splits.train.kind == splits.dev.kind == "extraction" and splits.dev[0]["relations"] == []
    assert any("none of the 1 dev rows has relations" in note for note in splits.notes)


def test_options_reach_every_file(tmp_path: Path) -> None:
    content = "body,kind,text\n" + "".join(f"b{i},{'xy'[i % 2]},wrong\n" for i in range(10)) + "ragged\n"
    for name in ("train.csv", "dev.csv"):
        (tmp_path / name).write_bytes(content.replace("wrong", "繁體").encode("big5"))
    options = ReadOptions(columns=Columns(text="body", label="kind"), encoding="big5", skip_bad_rows=True)
    splits = load_splits(tmp_path, options=options)
    assert splits.dev[0] == {"text": "b0", "label": "x"}
    assert sum("1 bad rows skipped" in note for note in splits.notes) == 2


def choices(answers: list[int] | list[str]) -> str:
    return "\n".join(["question,A,B,C,D,answer", *(f"q{i},a,b,c,d,{answer}" for i, answer in enumerate(answers))])


def test_a_test_file_counts_choices_as_the_train_file_does(tmp_path: Path) -> None:
    folder(tmp_path, train_dot_csv=choices([1, 2, 3, 4]), dev_dot_csv=choices([2]), test_dot_csv=choices([1, 3, 2]))
    splits = load_splits(tmp_path)
    assert splits.train.column("answer") == [0, 1, 2, 3]
    assert splits.test is not None and splits.test.column("answer") == [0, 2, 1] and splits.dev[0]["answer"] == 1
    assert not any("counted from" in note for note in splits.notes)
    folder(tmp_path, other_dot_csv=choices([0, 1]))
    named = load_splits(tmp_path, test=tmp_path / "other.csv", dev=tmp_path / "test.csv")
    assert named.test is not None and named.test.column("answer") == [0, 1]
    assert named.dev.column("answer") == [0, 2, 1]


def test_where_nothing_shows_from_what_number_choices_are_counted_it_is_said(tmp_path: Path) -> None:
    folder(tmp_path, some_dot_csv=choices([1, 3, 2]), letters_dot_csv=choices(["A", "C", "B"]))
    rows = read(tmp_path / "some.csv", ReadOptions())
    assert rows.column("answer") == [1, 3, 2] and rows.first is None
    assert f"{tmp_path / 'some.csv'}: answers were counted from 0, as none is 0 and none is" in rows.notes[0]
    marked = {"question": "q", "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "answer": "2"}
    folder(tmp_path, marked_dot_jsonl=json.dumps(marked))
    for name in ("letters.csv", "marked.jsonl"):
        assert not any("counted from" in note for note in read(tmp_path / name, ReadOptions()).notes)


def made(texts: list[str], labels: list[int]) -> datasets.Dataset:
    features = datasets.Features(sentence=datasets.Value("string"), label=datasets.ClassLabel(names=["neg", "pos"]))
    return datasets.Dataset.from_dict({"sentence": texts, "label": labels}, features=features)


def test_the_hub_gives_class_names_and_leaves_hidden_labels_out(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = {"train": made(["a", "b", "c"], [1, 0, 1]), "validation": made(["d"], [0]), "test": made(["e"], [-1])}
    asked: list[tuple[str, str | None]] = []
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config: asked.append((name, config)) or loaded)
    splits = load_splits("hub:glue:sst2")
    assert asked == [("glue", "sst2")]
    assert sizes(splits) == (3, 1, None)
    assert splits.train[0] == {"text": "a", "label": "pos"}
    assert splits.dev.where(0) == "hub:glue/validation:1"


def test_the_hub_names_classes_in_lists_and_minus_one_is_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.List(datasets.ClassLabel(names=["快乐", "愤怒"]))
    )
    several = {"text": ["a", "b"], "label": [[0, 1], [1]]}
    loaded = {name: datasets.Dataset.from_dict(several, features=features) for name in ("train", "dev", "test")}
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config: loaded)
    assert load_splits("hub:emotions").train.column("label") == [["快乐", "愤怒"], ["愤怒"]]
    loaded = {"train": made(["a", "b", "c"], [1, -1, 0]), "test": made(["d", "e"], [-1, 0])}
    with pytest.raises(DataError, match="hub:snli/train:2: 'label' is empty, expected a label"):
        load_splits("hub:snli")
    loaded["dev"] = made(["f"], [0])
    assert sizes(load_splits("hub:snli", options=ReadOptions(skip_bad_rows=True))) == (2, 1, 1)


def test_the_hub_gives_rows_of_the_kind_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [{"anchor": f"q{i}", "positive": f"p{i}", "who": str(i)} for i in range(4)]
    loaded = {"train": datasets.Dataset.from_list(pairs)}
    loaded["dev"] = datasets.Dataset.from_list([{"anchor": "q", "positive": "p"}])
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config: loaded)
    splits = load_splits("hub:all-nli:pair", options=ReadOptions(kind="embedding", columns=Columns(beside="who")))
    assert (splits.train.kind, splits.train[0]) == ("embedding", {"query": "q0", "positive": "p0"})
    assert splits.train.beside == ["0", "1", "2", "3"] and list(splits.dev) == [{"query": "q", "positive": "p"}]


def test_a_hub_that_cannot_be_reached_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, config: str | None) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(
        DataError, match=r"hub:nobody/set: cannot be loaded \(ConnectionError: no route\); check the name"
    ):
        load_splits("hub:nobody/set")
    with pytest.raises(DataError, match="expected hub:NAME"):
        load_splits("hub:")


def test_only_rows_that_are_divided_need_the_column_beside_them(tmp_path: Path) -> None:
    lines = table(60).splitlines()
    grouped = "\n".join(f"{line},{'who' if i == 0 else i % 12}" for i, line in enumerate(lines))
    folder(tmp_path, train_dot_csv=grouped, test_dot_csv=table(10, 100))
    options = ReadOptions(columns=Columns(beside="who"), by="group")
    splits = load_splits(tmp_path, options=options)
    assert splits.test is not None and len(splits.test) == 10 and not splits.test.beside
    assert not set(splits.train.beside) & set(splits.dev.beside)
    assert "by class and group" in splits.notes[-1]
    assert not any("not used" in note for note in splits.notes)
    timed = load_splits(tmp_path, options=ReadOptions(columns=Columns(beside="who"), by="time"))
    assert max(map(int, timed.train.beside)) < min(map(int, timed.dev.beside))
    with pytest.raises(DataError, match="there is no column 'when'"):
        load_splits(tmp_path, options=ReadOptions(columns=Columns(beside="when"), by="time"))
