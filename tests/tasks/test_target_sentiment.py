"""Target sentiment: one text and two targets; names and places; bad rows named; long texts around the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, read
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.target_sentiment import TargetSentiment
from bertie.text.entities import EntityText
from bertie.text.tokenizer import Tokenizer

ROWS = Rows(
    [
        {"text": "the film was good the food was bad", "target": "film", "label": "positive"},
        {"text": "the film was good the food was bad", "target": {"start": 22, "end": 26}, "label": "negative"},
        {"text": "房间很好，服务不好", "target": "房间", "label": "positive"},
        {"text": "房间很好，服务不好", "target": "服务", "label": "negative"},
    ],
    "情感.csv",
    [2, 3, 4, 6],
    kind="target_sentiment",
)


def predictor(folder: Path, rows: Rows = ROWS, **options: object) -> Predictor:
    torch.manual_seed(0)
    task = TargetSentiment.from_rows(rows, dict(options))
    task.build_head(32)
    return Predictor(Model(checkpoint.load(folder).encoder, task, Tokenizer.from_folder(folder, han_isolated=True), 32))


def pieces(folder: Path, row: dict[str, Any], **options: object) -> list[tuple[list[str], list[str]]]:
    """Each sequence of a row, and its pieces of the target."""
    model = predictor(folder, **options).model
    example = model.task.encode([row], model.tokenizer, model.max_length)[0]
    found = []
    for one in example.sequences:
        words = [model.tokenizer.token(piece) for piece in one.ids]
        found.append((words, [words[i] for places in cast(EntityText, one).entities for i in places]))
    return found


def test_a_name_counts_wherever_it_stands_alone_and_a_place_once(tiny_model: Path) -> None:
    row = {"text": "food a foods b food", "target": "food"}
    words, target = pieces(tiny_model, row)[0]
    assert target == ["food", "food"] and " ".join(words).count("! food !") == 2
    assert pieces(tiny_model, {**row, "target": {"start": 15, "end": 19}})[0][1] == ["food"]
    assert pieces(tiny_model, {"text": "这手机好，手机快", "target": "手机"}, marking="none")[0] == (
        ["[CLS]", *"这手机好", "[UNK]", *"手机快", "[SEP]"],
        list("手机手机"),
    )


@pytest.mark.parametrize("marking", ["markers", "none"])
def test_one_text_with_two_targets_has_two_answers(marking: str, tiny_model: Path) -> None:
    answers = predictor(tiny_model, marking=marking).predict(list(ROWS))
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        assert first["scores"] != second["scores"]
        assert sum(first["scores"].values()) == pytest.approx(1.0)


def test_of_a_long_text_the_part_around_the_target_is_read(tiny_model: Path) -> None:
    text = "good " * 60 + "the slow film was bad" + " good" * 60
    words, target = pieces(tiny_model, {"text": text, "target": "film"})[0]
    assert target == ["film"] and {"slow", "bad"} <= set(words) and len(words) == 32
    found = pieces(tiny_model, {"text": text, "target": "film"}, long_texts="windows")
    assert len(found) > 3 and sorted(target for _, target in found)[-1] == ["film"] and [] in [t for _, t in found]


def test_windows_without_the_target_say_nothing(tiny_model: Path) -> None:
    one = predictor(tiny_model, long_texts="windows", marking="none")
    texts = [f"{'slow ' * 60}the film was {word}" for word in ("good", "bad")]
    first, second, other = one.predict(
        [
            *({"text": text, "target": "film"} for text in texts),
            {"text": texts[0].replace("slow", "fast", 3), "target": "film"},
        ]
    )
    assert first["scores"] != second["scores"]
    assert first["scores"] == pytest.approx(other["scores"], abs=1e-6)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("the food was bad,film,negative", "'target' is 'film', which does not stand in the text 'the food was bad'"),
        (
            "手机很快,服务,好",
            "'target' is '服务', which does not stand in the text '手机很快'; write it as the text does",
        ),
        ("the food was bad,,negative", "'target' is empty, expected a name that stands in the text; fill it in"),
        ('the food was bad,"[4, 40]",negative', r"'target' is [4, 40), expected 0 <= start < end <= 16"),
        ("the food was bad,{,negative", "'target' is '{', which is not valid JSON"),
        ("the food was bad,food,", "'label' is empty, expected a label"),
    ],
)
def test_a_bad_row_is_named_with_file_and_line(line: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f'text,target,label\n手机很快,手机,好\nthe film,"[4, 8]",b\n{line}\n', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(path, ReadOptions())
    assert str(caught.value).startswith(f"{path}:4: {expected}")


def test_the_columns_tell_and_a_label_called_target_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('句子,目标,情感\n手机很快,手机,好\n手机很快,"[2, 4]",坏\n', encoding="utf-8")
    rows = read(path, ReadOptions())
    assert (rows.kind, rows[1]) == (
        "target_sentiment",
        {"text": "手机很快", "target": {"start": 2, "end": 4}, "label": "坏"},
    )
    path.write_text("text,target,label\n" + "good,1,a\nbad,0,b\n" * 2, encoding="utf-8")
    assert read(path, ReadOptions()).kind == "labels"


def test_rows_from_a_program_are_checked_too(tiny_model: Path) -> None:
    with pytest.raises(DataError, match=r"情感\.csv:3: 'target' is '电影', which does not stand in the text"):
        TargetSentiment.from_rows(ROWS.with_column("target", ["film", "电影", "房间", "服务"]), {})
    with pytest.raises(
        DataError, match=r"found 1 label .'same'., expected at least two; add rows of another sentiment"
    ):
        TargetSentiment.from_rows(ROWS.with_column("label", ["same"] * 4), {})
    with pytest.raises(DataError, match="row 1: there is no 'target'"):
        predictor(tiny_model).predict([{"text": "good"}])


@pytest.mark.parametrize(
    "settings", [{"reach": 0.0}, {"dropout": 1.0}, {"label_smoothing": -0.1}, {"marking": "types"}]
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        TargetSentiment.from_rows(ROWS, settings)


def test_rare_labels_weigh_more_when_balanced() -> None:
    rows = ROWS.with_column("label", ["a", "a", "a", "b"])
    assert TargetSentiment.from_rows(rows, {"class_weights": "balanced"}).labels.weights == pytest.approx([2 / 3, 2.0])


def test_a_mistake_names_the_target() -> None:
    task = TargetSentiment.from_rows(ROWS, {})
    answer = {"label": "positive", "score": 0.7, "scores": {"positive": 0.7, "negative": 0.3}}
    assert task.mistake(ROWS[0], answer) is None
    mistake = task.mistake(ROWS[1], answer)
    assert mistake is not None and mistake.text.endswith("\n→ food") and mistake.confidence == 0.7
