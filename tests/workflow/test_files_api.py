"""From Python: data is looked at, converted and augmented, in files and in memory, and a bundle is exported."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.cli.app import run
from bertie.core.errors import ConfigError, DataError, UsageError
from bertie.data.readers import read_rows
from tests.bundle.making import ROWS, save_tiny
from tests.data.test_given_rows import Frame
from tests.workflow.rows import frame_of, quiet, rows_in, write

ENTITIES = [
    {
        "text": "Ada met 李白",
        "entities": [{"start": 0, "end": 3, "label": "人"}, {"start": 8, "end": 10, "label": "人"}],
    },
    {"text": "北京很好", "entities": [{"start": 0, "end": 2, "label": "地"}]},
]
TEXTS = [{"text": "the food was good"}, {"text": "the film was very slow"}]
DATA_FUNCTIONS: list[Callable[..., Any]] = [bertie.check_data, bertie.convert, bertie.augment]


def test_rows_in_memory_are_looked_at_as_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "a.csv", 80)
    assert run(["data", "check", str(data), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert json.loads(json.dumps(bertie.check_data(data).to_dict())) == printed
    for given in (rows_in(data), frame_of(rows_in(data))):
        health = bertie.check_data(given)
        assert {name: part.labels for name, part in health.parts.items()} == {
            name: part["labels"] for name, part in printed["parts"].items()
        }
        assert {part.source for part in health.parts.values()} == {"rows"}
    assert f"train: {printed['parts']['train']['rows']} rows, rows (utf-8)" in health.readable()


def test_a_leak_into_rows_that_judge_is_found(tmp_path: Path) -> None:
    rows = rows_in(write(tmp_path / "a.csv", 60))
    renamed = [{"review": row["text"], "stars": row["label"]} for row in rows]
    options = {"text_column": "review", "label_column": "stars"}
    health = bertie.check_data(renamed[:40], dev=frame_of(renamed[40:50]), test=[*renamed[50:], renamed[3]], **options)
    assert {name: part.rows for name, part in health.parts.items()} == {"train": 40, "dev": 10, "test": 11}
    assert [leak["where"] for leak in health.leaks.examples] == ["test rows:11"]


def test_a_task_says_what_rows_are(tmp_path: Path) -> None:
    rows = [{"text": f"text number {i} 很好"} for i in range(40)]
    with pytest.raises(DataError, match=r"^rows:1: no column is the label"):
        bertie.check_data(rows)
    assert bertie.check_data(rows, task="embedding").kind == "embedding"
    assert bertie.convert(rows, tmp_path / "a.csv", task="embedding", say=quiet) == 40
    assert list(read_rows(tmp_path / "a.csv", kind="embedding")) == rows
    more = bertie.augment(TEXTS, task="embedding", ways=["swap"], say=quiet)
    assert more[:2] == TEXTS and [list(row) for row in more[2:]] == [["text"]] * 2


def test_rows_go_into_files_of_every_format(tmp_path: Path) -> None:
    said: list[str] = []
    doccano = tmp_path / "b.jsonl"
    assert bertie.convert(ENTITIES, doccano, to="doccano", say=said.append) == 2
    assert said == [f"{doccano}: 2 rows of tagging, written as doccano"]
    assert json.loads(doccano.read_text(encoding="utf-8").splitlines()[1])["label"] == [[0, 2, "地"]]
    assert bertie.convert(str(doccano), tmp_path / "c.data", from_="doccano", to="spans", say=quiet) == 2
    assert list(read_rows(tmp_path / "c.data")) == ENTITIES
    table = Frame(["review", "stars"], [["很好", "a"], ["slow", "b"]])
    assert bertie.convert(table, tmp_path / "d.parquet", label_column="stars", say=quiet) == 2
    assert list(read_rows(tmp_path / "d.parquet")) == [{"text": "很好", "label": "a"}, {"text": "slow", "label": "b"}]


def test_what_no_file_could_hold_is_named_by_its_row(tmp_path: Path) -> None:
    rows = [*ENTITIES, {"text": "Beijing", "entities": [{"start": 3, "end": 4, "label": "地"}]}]
    with pytest.raises(DataError, match=r"^rows:3: the entity 'j' \(地\) at \[3, 4\) cuts token 1, 'Beijing'"):
        bertie.convert(rows, tmp_path / "a.conll", say=quiet)
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "b"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="is the file that is read"):
        bertie.convert(tmp_path / "a.jsonl", tmp_path / "a.jsonl", say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_copies_are_those_of_the_command(tmp_path: Path) -> None:
    source, target, out = write(tmp_path / "a.csv", 20), tmp_path / "b.jsonl", tmp_path / "c.jsonl"
    (tmp_path / "own.txt").write_text("food, meal\n", encoding="utf-8")
    more = ["--way", "synonym", "--way", "swap", "--times", "2", "--synonyms", str(tmp_path / "own.txt")]
    assert run(["data", "augment", str(source), str(target), *more, "--quiet"]) == 0
    ways = {"ways": ("synonym", "swap"), "times": 2, "synonyms": tmp_path / "own.txt"}
    said: list[str] = []
    rows = bertie.augment(rows_in(source), say=said.append, **ways)
    assert rows == list(read_rows(target)) and rows[:20] == rows_in(source) and 20 < len(rows) <= 60
    assert said[0].startswith(f"rows: {len(rows) - 20} rows added to 20 (")
    assert bertie.augment(source, out, say=quiet, **ways) == rows
    assert bertie.augment(frame_of(rows_in(source)), say=quiet, **ways) == rows
    assert out.read_bytes() == target.read_bytes()
    assert bertie.augment(source, seed=7, say=quiet, **ways) != rows


def test_functions_translate(tmp_path: Path) -> None:
    def there(texts: Sequence[str]) -> list[str]:
        return [f"<{text}>" for text in texts]

    def back(texts: Sequence[str]) -> list[str]:
        return [text.strip("<>").replace("good", "great") for text in texts]

    rows = [{"text": "the food was good", "label": "a"}, {"text": "slow", "label": "b"}]
    more = bertie.augment(rows, ways=["back_translation"], translate=(there, back), say=quiet)
    assert more == [*rows, {"text": "the food was great", "label": "a"}]


def test_what_augmentation_cannot_do_is_refused(tmp_path: Path) -> None:
    rows = rows_in(write(tmp_path / "a.csv", 4))
    with pytest.raises(UsageError, match=r'found no way .* or in Python ways=\["synonym"\]'):
        bertie.augment(rows, say=quiet)
    with pytest.raises(ConfigError, match=r"^bertie\.augment: strength is 0\.0, expected more than 0"):
        bertie.augment(rows, ways=["swap"], strength=0.0, say=quiet)
    with pytest.raises(UsageError, match=r"^bertie\.augment: found anew, which is about the epochs of a training"):
        bertie.augment(rows, ways=["swap"], anew=False, say=quiet)
    with pytest.raises(UsageError, match=r"tells no format to write; name one with --to"):
        bertie.augment(rows, tmp_path / "b.xml", ways=["swap"], say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_bundle_is_exported(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "m")
    folder = bertie.export(str(tmp_path / "m"), str(tmp_path / "hf"), format="huggingface")
    assert folder == tmp_path / "hf"
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(f"{folder}: ")
    assert "logits within" in printed.err
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["label2id"].keys() == {"negative", "positive"}
    with pytest.raises(UsageError, match="does not say how it was tuned; format adapter takes"):
        bertie.export(tmp_path / "m", tmp_path / "small", format="adapter")
    with pytest.raises(UsageError, match="format is 'onyx', expected one of huggingface, adapter"):
        bertie.export(tmp_path / "m", tmp_path / "small", format="onyx")
    with pytest.raises(UsageError, match=r"holds .*config\.json"):
        bertie.export(tmp_path / "m", folder)
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("function", DATA_FUNCTIONS, ids=lambda function: function.__name__)
def test_what_is_no_data_or_no_option_is_refused_in_one_sentence(
    function: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = {"out": "b.csv"} if function is bertie.convert else {}
    with pytest.raises(DataError, match=r"^data: found a int, expected the name of a file or a folder, .*$"):
        function(3, **place)
    own = rf"^bertie\.{function.__name__}: found epochs, expected no other options than .*text_column"
    with pytest.raises(UsageError, match=own):
        function("a.csv", epochs=3, **place)
    with pytest.raises(DataError, match=r"^a\.csv: there is no such file"):
        function("a.csv", **place)
    with pytest.raises(UsageError, match=r"^task 'fortune_telling' does not exist"):
        function(TEXTS, task="fortune_telling", **place)
    assert list(tmp_path.iterdir()) == []


def test_what_a_person_can_mend_is_caught_by_one_name(tmp_path: Path) -> None:
    for call in (
        lambda: bertie.check_data(tmp_path / "none.csv"),
        lambda: bertie.train(3, out=tmp_path / "m"),
        lambda: bertie.load(tmp_path / "none"),
    ):
        with pytest.raises(bertie.BertieError):
            call()
