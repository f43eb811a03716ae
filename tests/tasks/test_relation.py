"""Relation: entities marked and found again in texts of any length, directions judged, bad rows named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertie.bundle.folder import Model
from bertie.core.errors import ConfigError, DataError, ModelError, UsageError
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, read
from bertie.metrics.relations import DirectedSample
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.relation import Relation
from bertie.text.entities import EntityText, find_markers
from bertie.text.tokenizer import Tokenizer

TEXT, CHINESE = "Bob sold the old house to Ann.", "阿里巴巴收购了饿了么"


def row(text: str, head: str, tail: str, label: str | None = None) -> dict[str, Any]:
    places = {side: (text.index(word), len(word)) for side, word in (("head", head), ("tail", tail))}
    made: dict[str, Any] = {"text": text}
    made |= {side: {"start": start, "end": start + length} for side, (start, length) in places.items()}
    return made | ({} if label is None else {"label": label})


ROWS = Rows(
    [
        row(TEXT, "Bob", "Ann", "sold to"),
        row(TEXT, "Ann", "Bob", "bought from"),
        row(CHINESE, "阿里巴巴", "饿了么", "收购"),
        row(CHINESE, "饿了么", "阿里巴巴", "被收购"),
    ],
    "关系.jsonl",
    [1, 2, 3, 5],
    kind="relation",
)
DIRECTED = Rows(
    [
        row("the film caused a fight", "film", "fight", "Cause-Effect(e1,e2)"),
        row("the fight came of the film", "fight", "film", "Cause-Effect(e2,e1)"),
        row("the film on the bad food", "film", "food", "Message-Topic(e1,e2)"),
        row("the film and the food", "film", "food", "Other"),
    ]
)


def predictor(rows: Rows, folder: Path, **options: object) -> Predictor:
    torch.manual_seed(0)
    task = Relation.from_rows(rows, dict(options))
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(folder, han_isolated=True)
    return Predictor(Model(checkpoint.load(folder).encoder, task, tokenizer, 32))


def sequences(example: Example) -> list[EntityText]:
    return [cast(EntityText, sequence) for sequence in example.sequences]


def test_the_answer_names_a_label_with_the_probability_of_each(tiny_model: Path) -> None:
    made = predictor(ROWS, tiny_model)
    for answer in made.predict(list(ROWS)):
        assert list(answer) == ["label", "score", "scores"]
        assert list(answer["scores"]) == ["bought from", "sold to", "收购", "被收购"]
        assert sum(answer["scores"].values()) == pytest.approx(1.0)
        assert answer["score"] == answer["scores"][answer["label"]] == max(answer["scores"].values())


@pytest.mark.parametrize("marking", ["markers", "punctuation", "types", "none"])
def test_each_marking_tells_head_from_tail(marking: str, tiny_model: Path) -> None:
    """The vocabulary never grows: every id is one that the encoder's table has."""
    made = predictor(ROWS, tiny_model, marking=marking)
    one, other = (sequences(example)[0] for example in made.encode([ROWS[0], ROWS[1]]))
    assert one.entities[0] != one.entities[1] and one.entities == other.entities[::-1]
    assert max(one.ids) < made.model.tokenizer.vocab_size
    extra = len(one) - len(made.model.tokenizer.encode(TEXT))
    assert extra == (4 if marking in ("markers", "punctuation") else 0)
    assert any(one.type_ids) == (marking == "types")
    first, second = made.predict([ROWS[0], ROWS[1]])
    assert first["scores"] != pytest.approx(second["scores"], abs=1e-6)


def test_types_need_an_encoder_with_two(tiny_model: Path) -> None:
    made = predictor(ROWS, tiny_model, marking="types")
    object.__setattr__(made.model.encoder.config, "type_vocab_size", 1)
    with pytest.raises(ModelError, match=r"the model has 1 token types, expected two; set task.marking=markers"):
        made.predict([ROWS[0]])


def test_a_long_text_is_read_around_its_entities_and_says_so(tiny_model: Path) -> None:
    made = predictor(ROWS, tiny_model)
    far = "房间 " * 40
    near = row(f"{far}{CHINESE}{far}", "阿里巴巴", "饿了么")
    apart = row(f"阿里巴巴{far}饿了么", "阿里巴巴", "饿了么")
    for asked in (near, apart):
        (answer,) = made.predict([asked])
        assert answer["note"] == "the text was cut at 32 tokens"
        (sequence,) = sequences(made.encode([asked])[0])
        text = asked["text"]
        said = ["".join(text[slice(*sequence.offsets[i])] for i in places) for places in sequence.entities]
        assert said == ["阿里巴巴", "饿了么"] and len(sequence) == 32


def test_what_is_far_from_the_entities_counts_only_with_windows(tiny_model: Path) -> None:
    long = [row(f"{CHINESE}{'房间 ' * 40}{end}", "阿里巴巴", "饿了么") for end in ("好", "坏坏坏")]
    first, second = predictor(ROWS, tiny_model).predict(long)
    assert first["scores"] == pytest.approx(second["scores"], abs=1e-6)
    made = predictor(ROWS, tiny_model, long_texts="windows")
    first, second = made.predict(long)
    assert first["scores"] != pytest.approx(second["scores"], abs=1e-6) and "note" not in first
    windows = sequences(made.encode([long[0]])[0])
    assert len(windows) > 2 and windows[0].entities[0] and not windows[-1].entities[0]


def test_windows_without_an_entity_leave_its_state_as_it_is(tiny_model: Path) -> None:
    """The state of an entity is the mean over the windows with it, not over all of them."""
    made = predictor(ROWS, tiny_model, long_texts="windows")
    task, model = made.task, made.model
    assert isinstance(task, Relation)
    long = row(f"{CHINESE}{'房间 ' * 40}", "阿里巴巴", "饿了么")
    (example,) = made.encode([long])
    alone = Example(example.sequences[:1])
    with torch.inference_mode():
        whole, first = (
            task.features(model.encoder, task.collate([one], model.tokenizer.pad_id)) for one in (example, alone)
        )
    torch.testing.assert_close(whole[:, 32:], first[:, 32:])
    assert not torch.allclose(whole[:, :32], first[:, :32])


def test_places_that_cannot_be_are_named() -> None:
    bad = row(CHINESE, "阿里巴巴", "饿了么", "收购")
    rows = Rows(
        [*ROWS, {**bad, "tail": {"start": 7, "end": 11}}, {**bad, "tail": bad["head"]}],
        "关系.jsonl",
        [1, 2, 3, 5, 6, 9],
    )
    for refused in (lambda: Relation.from_rows(rows, {}), lambda: Relation.from_rows(ROWS, {}).accept(rows)):
        with pytest.raises(DataError) as raised:
            refused()
        outside, same = raised.value.problems
        assert outside.startswith("关系.jsonl:6: 'tail' is [7, 11), expected 0 <= start < end <= 10, the text's length")
        assert same.startswith("关系.jsonl:9: 'head' and 'tail' are both [0, 4), expected two entities; correct one")


def test_one_label_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match=r"关系.jsonl: found 1 label \('sold to'\), expected at least two; add rows"):
        Relation.from_rows(ROWS[:1], {})


def test_entities_may_be_marked_in_the_text(tiny_model: Path) -> None:
    made = predictor(ROWS, tiny_model)
    marked = {"text": "<e1>Bob</e1> sold the old house to <e2>Ann</e2>."}
    assert made.task.asked(marked) == row(TEXT, "Bob", "Ann")
    assert made.predict([marked]) == made.predict([row(TEXT, "Bob", "Ann")])
    with pytest.raises(DataError, match=r"^row 1: 'text' has 0 markers <e1>, expected one each"):
        made.predict([{"text": TEXT}])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["start", "end", "x"]), inside),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["text", "head", "tail"]), JSON | st.just(TEXT)))
def test_any_row_is_taken_or_refused_by_a_data_error(asked: dict[str, Any]) -> None:
    task = Relation.from_rows(ROWS, {})
    try:
        json.dumps(task.asked(asked))
    except DataError as error:
        assert "; " in str(error)  # what to do is said too


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"text": TEXT, "head": {"start": 0, "end": 3}}, "there is no 'tail', expected one"),
        ({"text": 3, "head": {"start": 0, "end": 3}, "tail": {"start": 4, "end": 8}}, "'text' is the int 3"),
        ({"text": TEXT, "head": "Eve", "tail": {"start": 4, "end": 8}}, "'head' is 'Eve', which does not stand in"),
        ({"text": TEXT, "head": {"start": "0", "end": 3}, "tail": {"start": 4, "end": 8}}, "expected a whole number"),
        ({"text": TEXT, "head": {"start": 3, "end": 3}, "tail": {"start": 4, "end": 8}}, "expected 0 <= start < end"),
        ({"text": TEXT, "head": {"start": 4}, "tail": {"start": 4, "end": 8}}, "'head' has no 'end'"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as raised:
        Relation.from_rows(ROWS, {}).asked(asked)
    assert says in str(raised.value)


def test_a_file_is_learned_from_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in ROWS), encoding="utf-8")
    rows = read(path, ReadOptions(kind="relation"))
    assert rows.kind == Relation.kind and list(rows) == list(ROWS)
    assert Relation.from_rows(rows, {}).labels.names == ["bought from", "sold to", "收购", "被收购"]


def answered(task: Relation, labels: list[str], sure: float = 0.9) -> list[dict[str, Any]]:
    rest = (1 - sure) / (len(task.labels.names) - 1)
    return [
        {"label": one, "score": sure, "scores": dict.fromkeys(task.labels.names, rest) | {one: sure}} for one in labels
    ]


def test_accuracy_and_the_official_score_of_directed_labels() -> None:
    task, gold = Relation.from_rows(DIRECTED, {}), DIRECTED.column("label")
    said = [gold[0], gold[0], gold[2], gold[3]]  # the second has the wrong direction
    scores = task.score(answered(task, said), DIRECTED)
    assert (scores.primary, scores.value) == ("accuracy", 0.75) and scores.per_row["accuracy"] == [1, 0, 1, 1]
    assert scores.metrics["official_macro_f1"] == pytest.approx((1 / 2 + 1) / 2)
    assert isinstance(scores.sample, DirectedSample)
    assert scores.sample.interval("official_macro_f1").value == pytest.approx(0.75)
    assert [one["label"] for one in scores.details["per_relation"]] == ["Cause-Effect", "Message-Topic"]
    json.dumps([scores.metrics, scores.details])


def test_other_labels_have_no_official_score_and_unseen_ones_are_wrong() -> None:
    task = Relation.from_rows(ROWS, {})
    rows = Rows([*ROWS, row(CHINESE, "阿里巴巴", "饿了么", "合作")])
    scores = task.score(answered(task, [*ROWS.column("label"), "收购"]), rows)
    assert scores.value == 0.8 and "official_macro_f1" not in scores.metrics
    assert scores.metrics["unseen_labels"] == 1 == scores.details["unseen_labels"]
    assert scores.sample is not None and scores.sample.interval("macro_f1").high <= 1.0
    assert task.tie_break(answered(task, [*ROWS.column("label"), "收购"]), rows) == pytest.approx(0.9 * 4 / 5)


def test_mistakes_name_the_entities_and_labels_are_counted() -> None:
    task = Relation.from_rows(ROWS, {})
    right, wrong = (task.mistake(ROWS[2], answer) for answer in answered(task, ["收购", "被收购"]))
    assert right is None and wrong is not None
    assert (wrong.text, wrong.gold, wrong.predicted) == (f"{CHINESE}\n阿里巴巴 → 饿了么", "收购", "被收购")
    assert wrong.confidence == 0.9
    assert task.counts(Rows([*ROWS, ROWS[3]])) == {"被收购": 2, "sold to": 1, "bought from": 1, "收购": 1}


def test_settings_that_cannot_be_are_refused(tiny_model: Path) -> None:
    for wrong in ({"dropout": 1.5}, {"label_smoothing": -0.1}, {"marking": "ink"}, {"overlap": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Relation.from_rows(ROWS, wrong)
    task = predictor(ROWS, tiny_model, dense=True).task
    assert isinstance(task, Relation)
    with pytest.raises(UsageError, match=r"found dense = true; set task.dense=false"):
        task.start_from(torch.zeros(4, 96), torch.zeros(4), torch.zeros(96), torch.ones(96))


def test_a_hidden_layer_weights_and_smoothing_are_trained_with(tiny_model: Path) -> None:
    options = {"dense": True, "class_weights": "balanced", "label_smoothing": 0.1}
    made = predictor(Rows([*ROWS, ROWS[0]]), tiny_model, **options)
    task, model = made.task, made.model
    assert isinstance(task, Relation)
    assert task.labels.weights == pytest.approx([1.25, 0.625, 1.25, 1.25])
    batch = task.collate(task.encode(list(ROWS), model.tokenizer, 32), model.tokenizer.pad_id)
    task.loss(task(model.encoder, batch), batch).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in task.parameters())
    again = Relation.from_description(json.loads(json.dumps(task.description())))
    assert again.description() == task.description()


def test_markers_are_those_of_the_vocabulary(tiny_model: Path) -> None:
    tokenizer = Tokenizer.from_folder(tiny_model)
    names = [[tokenizer.token(piece) for piece in pair] for pair in find_markers(tokenizer)]
    assert names == [["!", "!"], ["?", "?"]]
