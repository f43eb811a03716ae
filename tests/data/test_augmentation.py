"""Added rows: labels kept, places where they belong, the same for a seed; and what is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import ConfigError, DataError, UsageError
from bertie.data.augmentation import WAYS, Augmentation, AugmentedRounds, Augmenter, refuse_none
from bertie.data.batches import Example, Rounds
from bertie.data.entity_checks import checked_entities, misaligned
from bertie.data.free_parts import PARTS
from bertie.data.kinds import KINDS, LABELS
from bertie.data.rows import Row, Rows
from bertie.data.targets import places_of
from bertie.text.augmentation.base import Candidates, Sources
from bertie.text.augmentation.thesaurus import Thesaurus, own_groups
from bertie.text.tokenizer import Encoded

LOCAL = tuple(name for name, way in WAYS.classes().items() if way.local)


def fill(texts: Sequence[Sequence[str]]) -> list[list[Candidates]]:
    return [[[("soft", 0.5), ("water", 0.2), ("好", 0.3)]] * (len(parts) - 1) for parts in texts]


def again(texts: Sequence[str]) -> list[str]:
    return [f"again {text}" for text in texts]


SOURCES = Sources(Thesaurus(own_groups()), fill, (list, again))
ENGLISH = "Mary met Bob in New York because the weather was very good."
CHINESE = "小明昨天在北京见到了李白，因为天气非常好，大家都很高兴。"


def span(text: str, inside: str, **more: Any) -> dict[str, Any]:
    start = text.index(inside)
    return {"start": start, "end": start + len(inside), **more}


def entities(text: str, *names: str) -> list[dict[str, Any]]:
    return [span(text, name, label=f"l{i}") for i, name in enumerate(names)]


EN = entities(ENGLISH, "Mary", "Bob", "New York", "York")
ZH = entities(CHINESE, "小明", "北京", "李白")
BY_KIND: dict[str, list[Row]] = {
    "labels": [{"text": ENGLISH, "label": "a"}, {"text_a": CHINESE, "text_b": ENGLISH, "label": ["a", "b"]}],
    "tagging": [
        {"text": ENGLISH, "entities": EN},
        {"text": CHINESE, "entities": ZH},
        {"text": CHINESE, "entities": []},
    ],
    "intent_slots": [{"text": ENGLISH, "entities": EN, "label": "a"}, {"text": CHINESE, "entities": ZH, "label": "b"}],
    "extraction": [
        {"text": ENGLISH, "entities": EN, "relations": [{"head": 0, "tail": 1, "label": "met"}]},
        {"text": CHINESE, "entities": ZH, "relations": [{"head": 2, "tail": 1, "label": "在"}]},
    ],
    "relation": [
        {"text": ENGLISH, "head": span(ENGLISH, "Bob"), "tail": span(ENGLISH, "New York"), "label": "in"},
        {"text": CHINESE, "head": span(CHINESE, "李白"), "tail": span(CHINESE, "北京"), "label": "在"},
    ],
    "target_sentiment": [
        {"text": ENGLISH, "target": "weather", "label": "good"},
        {"text": CHINESE, "target": span(CHINESE, "天气"), "label": "好"},
    ],
    "question_answering": [
        {
            "context": ENGLISH,
            "question": "Where did Mary meet Bob?",
            "answers": [{"text": "New York", "start": ENGLISH.index("New")}],
        },
        {"context": CHINESE, "question": "小明昨天在哪里？", "answers": [{"text": "北京", "start": 5}], "id": "7"},
        {"context": CHINESE, "question": "小红昨天在哪里？", "answers": []},
    ],
    "multiple_choice": [{"question": "天气怎么样？", "choices": ["好", "坏"], "answer": 0, "context": CHINESE}],
    "embedding": [{"query": ENGLISH, "positive": CHINESE}, {"text": CHINESE}],
    "reranking": [{"query": CHINESE, "candidates": [ENGLISH, CHINESE], "positives": [ENGLISH]}],
}


def augmenter(kind: str, seed: int = 13, **options: Any) -> Augmenter:
    return Augmenter(Augmentation(**{"ways": LOCAL, "strength": 0.3, **options}), SOURCES, kind, seed)


def surfaces(kind: str, row: Row) -> Any:
    """What the places of a row point at."""
    if "entities" in row:
        return [(row["text"][one["start"] : one["end"]], one["label"]) for one in row["entities"]]
    if kind == "relation":
        return [row["text"][row[side]["start"] : row[side]["end"]] for side in ("head", "tail")]
    if kind == "target_sentiment":
        return [row["text"][start:end] for start, end in places_of(row["target"], row["text"])]
    if kind == "question_answering":
        return [row["context"][one["start"] : one["start"] + len(one["text"])] for one in row["answers"]]
    return None


def test_every_kind_of_rows_has_its_parts() -> None:
    assert set(PARTS) == {LABELS, *KINDS} == set(BY_KIND)


@pytest.mark.parametrize("kind", BY_KIND)
def test_copies_say_the_same_of_another_text(kind: str) -> None:
    rows = Rows(BY_KIND[kind], "a.csv", list(range(2, 2 + len(BY_KIND[kind]))), kind=kind)
    before = copy.deepcopy(rows.rows)
    added = augmenter(kind, times=4).added(rows)
    assert rows.rows == before
    assert set(added.origins) == set(range(len(rows))) and added.origins == sorted(added.origins)
    for row, origin in zip(added.rows, added.origins, strict=True):
        old = rows[origin]
        assert row != old and row.keys() == old.keys()
        assert surfaces(kind, row) == surfaces(kind, old)
        free = {"text", "text_a", "text_b", "query", "context", "question", "entities", "head", "tail", "target"}
        assert all(row[name] == old[name] for name in row if name not in free | {"answers"})
        assert [one["text"] for one in row.get("answers", ())] == [one["text"] for one in old.get("answers", ())]
    assert added.rows.where(0) == "a.csv:2" and added.rows.kind == kind
    texts = [repr(row) for row in added.rows]
    assert len(texts) == len(set(texts))  # no copy twice


def test_equal_seeds_give_equal_copies_and_epochs_others() -> None:
    rows = Rows(BY_KIND["labels"] * 5)
    first = augmenter("labels").added(rows)
    assert augmenter("labels").added(rows) == first
    assert augmenter("labels").added(rows, 1).rows != first.rows
    assert augmenter("labels", seed=14).added(rows).rows != first.rows
    assert augmenter("labels", seed=14, **{}).added(rows) != augmenter("labels", seed=15).added(rows)
    assert Augmenter(Augmentation(ways=LOCAL, strength=0.3, seed=13), SOURCES, "labels", 99).added(rows) == first


def test_a_copy_does_not_depend_on_the_other_rows() -> None:
    rows = Rows(BY_KIND["labels"] * 3)
    assert augmenter("labels").added(rows.take([0, 1])).rows.rows == augmenter("labels").added(rows).rows.rows[:2]


def test_of_a_pair_one_text_is_changed() -> None:
    row = BY_KIND["labels"][1]
    added = augmenter("labels", times=8).added(Rows([row]))
    assert {(row["text_a"] != one["text_a"], row["text_b"] != one["text_b"]) for one in added.rows} == {
        (True, False),
        (False, True),
    }


def test_what_comes_back_as_a_whole_is_refused_where_there_are_places() -> None:
    for kind in ("tagging", "intent_slots", "extraction", "relation", "target_sentiment"):
        with pytest.raises(UsageError, match=rf"back_translation, .* {kind} rows would lose their places .* synonym"):
            augmenter(kind, ways=("synonym", "back_translation"))
    rows = Rows(BY_KIND["question_answering"], kind="question_answering")
    added = augmenter("question_answering", ways=("back_translation",)).added(rows)
    assert [row["question"][:6] for row in added.rows[:2]] == ["again "] * 2
    assert [row["context"] for row in added.rows[:2]] == [ENGLISH, CHINESE]


def test_a_name_that_would_stand_twice_makes_no_copy() -> None:
    groups = Thesaurus([["nice", "weather"], ["很", "非常"]])
    maker = Augmenter(Augmentation(ways=("synonym",)), Sources(groups), "target_sentiment", 0)
    row = {"text": "nice weather", "target": "weather", "label": "good"}
    assert len(maker.added(Rows([row], kind="target_sentiment")).rows) == 0


def test_an_entity_does_not_run_into_its_neighbours() -> None:
    text = "see Rome é\u0301 now"
    row = {"text": text, "entities": [span(text, "Rome", label="place")]}
    for seed in range(20):
        added = augmenter("tagging", seed, ways=("deletion", "swap"), strength=1.0).added(Rows([row], kind="tagging"))
        assert misaligned(checked_entities(added.rows), widen=False) == []


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(0, 99))
def test_entities_of_any_text_keep_their_surface_and_their_borders(data: st.DataObject, seed: int) -> None:
    pieces = st.sampled_from([*ENGLISH.split(), *CHINESE, " ", "  ", "5G", "é\u0301", "😀", "\n", "_"])
    text = "".join(data.draw(st.lists(pieces, min_size=1, max_size=25)))
    border = st.integers(0, len(text) - 1)
    places = sorted({(start, data.draw(st.integers(start + 1, len(text)))) for start in data.draw(st.lists(border))})
    row = {"text": text, "entities": [{"start": start, "end": end, "label": "x"} for start, end in places]}
    rows = Rows([row], kind="tagging")
    whole = not misaligned(checked_entities(rows), widen=False)
    added = augmenter("tagging", seed, times=3).added(rows)
    for one in added.rows:
        assert one["text"].strip()
        assert surfaces("tagging", one) == surfaces("tagging", row)
    if whole:
        assert misaligned(checked_entities(added.rows), widen=False) == []


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=30), min_size=1, max_size=4))
def test_no_text_is_too_strange(texts: list[str]) -> None:
    rows = Rows([{"text": text, "label": str(i)} for i, text in enumerate(texts)])
    added = augmenter("labels", times=2).added(rows)
    assert all(row["text"].strip() for row in added.rows)
    assert [row["label"] for row in added.rows] == [str(i) for i in added.origins]


def test_a_long_text_is_shown_where_it_was_changed() -> None:
    rows = Rows([{"text": "7 " * 60 + "good food " + "8 " * 60, "label": "a"}])
    told = augmenter("labels", ways=("synonym",), strength=0.1).added(rows).told(1)
    assert told == (
        "1 rows added to 1 (synonym 1), for example by synonym '...7 7 7 7 7 7 fine food 8 8 8 8 8 8 8 8...' "
        "from '...7 7 7 7 7 7 good food 8 8 8 8 8 8 8 8...'"
    )


def test_nothing_to_change_is_said() -> None:
    rows = Rows([{"text": "12, 13", "label": "a"}, {"text": "", "label": "b"}], "a.csv")
    added = augmenter("labels").added(rows)
    assert added.told(2) == "0 rows added to 2 ()"
    with pytest.raises(DataError, match=r"a\.csv: .* found nothing to change in any of 2 rows; choose"):
        refuse_none(added, rows, Augmentation(ways=("swap",)))


def test_settings_are_checked_where_they_are_made() -> None:
    with pytest.raises(UsageError, match="way of augmentation 'synonyms' does not exist; choose one of"):
        Augmentation(ways=("synonyms",))
    for wrong in ({"times": 0}, {"times": 17}, {"strength": 0.0}, {"strength": 1.1}):
        with pytest.raises(ConfigError, match="expected"):
            from_dict(Augmentation, wrong, "augmentation")
    one = Augmentation(ways=("swap",), seed=3)
    assert from_dict(Augmentation, to_dict(one)) == one


def encode(rows: list[Row]) -> list[Example]:
    """Characters as ids."""
    ids = [[ord(character) for character in row["text"]] for row in rows]
    return [Example((Encoded(one, [0] * len(one), [(0, 0)] * len(one), [0] * len(one), False),), 0) for one in ids]


def test_rounds_are_the_rows_and_other_copies_in_each_epoch() -> None:
    rows = Rows([{"text": text, "label": "a"} for text in (ENGLISH, CHINESE)])
    made = partial(AugmentedRounds, encode(rows.rows), rows, augmenter("labels"), encode)
    rounds = made()
    assert isinstance(rounds, Rounds)
    first, second = rounds.at(0), rounds.at(1)
    assert first[:2] == second[:2] == encode(rows.rows)
    assert len(first) == len(second) == 4 and first[2:] != second[2:]
    assert rounds.at(0) == first == pickle.loads(pickle.dumps(rounds)).at(0) == made().at(0)
    assert made().fingerprint == rounds.fingerprint
    other = AugmentedRounds(encode(rows.rows), rows, augmenter("labels", times=2), encode)
    assert other.fingerprint != rounds.fingerprint
