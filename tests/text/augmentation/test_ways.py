"""Ways of augmentation: what each does, and what none may do, whatever the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.core.errors import UsageError
from bertie.data.augmentation import WAYS
from bertie.text.augmentation.base import Candidates, Changed, Draft, Edit, Place, Sources, changed, free_words, negates
from bertie.text.augmentation.look_alikes import look_alikes
from bertie.text.augmentation.pinyin import syllables
from bertie.text.augmentation.thesaurus import Thesaurus, own_groups

ENGLISH = "The staff was friendly and the room was very clean, but breakfast was not good at all."
CHINESE = "酒店的服务员非常热情，房间干净，价格便宜，但是早餐不好吃。"
THESAURUS = Thesaurus(own_groups())
LOCAL = [name for name, way in WAYS.classes().items() if way.local]


def fill(texts: Sequence[Sequence[str]]) -> list[list[Candidates]]:
    """Knows four words, of which some fit nowhere."""
    return [[[("great", 0.5), ("好", 0.3), ("we", 0.1), ("##ing", 0.1)]] * (len(parts) - 1) for parts in texts]


def there(texts: Sequence[str]) -> list[str]:
    return [text.upper() for text in texts]


SOURCES = Sources(THESAURUS, fill, (there, lambda texts: [text.title() for text in texts]))


def apply(name: str, text: str, seed: int = 0, kept: tuple[Place, ...] = (), strength: float = 0.1) -> Changed:
    draft = Draft(text, Random(seed), kept)
    (edits,) = WAYS.get(name)(strength, SOURCES).edits([draft])
    return changed(draft, edits)


def words_of(text: str) -> list[str]:
    return [word.text for word in free_words(Draft(text, Random(0)))]


@pytest.mark.parametrize("name", WAYS.classes())
@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_each_way_changes_both_languages(name: str, text: str) -> None:
    found = {apply(name, text, seed).text for seed in range(10)}
    if (name, text) == ("homophone", ENGLISH):
        assert found == {ENGLISH}
    elif name == "back_translation":
        assert found == ({ENGLISH.title()} if text == ENGLISH else {CHINESE})  # capitals are all its translator knows
    else:
        assert len(found - {text}) >= 5


def test_a_synonym_is_of_the_same_group_and_has_the_same_capitals() -> None:
    groups = Thesaurus([["good", "fine"], ["Nokia", "Siemens"]])
    assert (groups.others("Good"), groups.others("GOOD"), groups.others("good")) == (["Fine"], ["FINE"], ["fine"])
    assert groups.others("nokia") == ["Siemens"]
    after = apply("synonym", CHINESE, strength=1.0)
    for edit in after.edits:
        assert edit.text in THESAURUS.others(CHINESE[edit.start : edit.end])
    assert len(after.edits) >= 5


def test_words_of_a_user_stay_whole_and_come_first() -> None:
    own = Thesaurus([["云计算大模型", "大语言模型"], ["非常", "灰常"]])
    draft = Draft("云计算大模型非常好", Random(1))
    (edits,) = WAYS.get("synonym")(1.0, Sources(own)).edits([draft])
    assert changed(draft, edits).text == "大语言模型灰常好"


def test_a_swap_keeps_the_words_and_the_spaces() -> None:
    for text in (ENGLISH, CHINESE):
        after = apply("swap", text, strength=0.5)
        assert after.text != text
        assert Counter(after.text) == Counter(text)
        assert len(after.edits) % 2 == 0


def test_a_deletion_leaves_no_double_space_and_one_word_at_least() -> None:
    for seed in range(30):
        after = apply("deletion", ENGLISH, seed, strength=0.5).text
        assert "  " not in after and " ," not in after and " ." not in after
        assert apply("deletion", "good food", seed, strength=1.0).text in ("good", "food")
        assert apply("deletion", "真 好吃", seed, strength=1.0).text in ("真", "好吃")
    assert apply("deletion", "good!").text == "good!"
    assert {apply("deletion", "a很 5G好", seed).text for seed in range(20)} == {"很 5G好", "a 5G好", "a很 5G"}


def test_an_insertion_only_adds() -> None:
    after = apply("insertion", ENGLISH, 3, strength=0.3)
    assert all(edit.start == edit.end for edit in after.edits)
    assert not Counter(ENGLISH.split()) - Counter(after.text.split())
    assert apply("insertion", CHINESE).text.count(" ") == 0


def test_a_homophone_sounds_alike() -> None:
    near = 0
    for seed in range(40):
        for edit in apply("homophone", CHINESE, seed, strength=0.3).edits:
            before, after = syllables()[CHINESE[edit.start : edit.end]], syllables()[edit.text]
            near += before != after
            assert before.replace("h", "").strip("g")[-1] == after.replace("h", "").strip("g")[-1]
    assert near > 0  # zh for z and the like
    assert all(apply("homophone", "怎么", seed).text[1] == "么" for seed in range(9))  # there is no other me


def test_typing_errors_are_near_the_word() -> None:
    for seed in range(40):
        (edit,) = apply("typing_error", "breakfast", seed).edits
        assert edit.start > 0 and len(edit.text) <= 2
    found = {apply("typing_error", "hello", seed).text for seed in range(80)}
    assert "helllo" in found and "hello" not in found  # also where the next letter is the same
    for edit in apply("typing_error", CHINESE, strength=1.0).edits:
        assert edit.text in look_alikes(CHINESE[edit.start : edit.end])
    assert apply("typing_error", "the cat").text == "the cat"  # another letter would be another word


def test_numbers_and_negation_stay() -> None:
    text = "Not 25 of 300mg, don't! 不 没有 42 H2O"
    assert words_of(text) == ["of"]
    assert words_of("非常特别，毫不便宜，无法退货，别买") == ["非常", "特别", "便宜", "退货"]
    for word in ("从未", "尚未", "毫无", "绝非", "绝非易事", "请勿", "决不", "dont", "neither", "Can't"):
        assert negates(word), word
    assert not any(map(negates, ("非常", "非凡", "别人", "paint", "note")))
    assert words_of("T恤 and iPhone15 for 手机") == ["and", "for", "手机"]


def test_a_language_model_is_asked_for_whole_words() -> None:
    asked: list[Sequence[str]] = []

    def listening(texts: Sequence[Sequence[str]]) -> list[list[Candidates]]:
        asked.extend(texts)
        return fill(texts)

    way = WAYS.get("masked_lm")(1.0, Sources(THESAURUS, listening))
    drafts = [Draft("Nice food", Random(0)), Draft("12", Random(0)), Draft("手机", Random(0))]
    edits = way.edits(drafts)
    assert asked == [["", " ", ""], ["", "", ""]]
    assert {edit.text for edit in edits[0]} <= {"Great", "We", "great", "we"}
    assert edits[1] == []


def test_what_a_language_model_puts_in_is_no_negation() -> None:
    def against(texts: Sequence[Sequence[str]]) -> list[list[Candidates]]:
        return [[[("不", 0.8), ("not", 0.8), ("好", 0.1), ("fine", 0.1)]] * (len(parts) - 1) for parts in texts]

    way = WAYS.get("masked_lm")(1.0, Sources(THESAURUS, against))
    found = way.edits([Draft("very", Random(0)), Draft("大", Random(0))])
    assert [[edit.text for edit in edits] for edits in found] == [["fine"], ["好"]]


def test_no_way_puts_a_negation_in() -> None:
    draft = Draft("走一步看看", Random(0))
    assert changed(draft, [Edit(2, 3, "不"), Edit(0, 1, "跑")]).text == "跑一步看看"
    assert changed(Draft("不好", Random(0)), [Edit(0, 1, "没")]).text == "没好"
    assert changed(draft, [Edit(0, 5, "一步也不走")]).text == "一步也不走", "a translation says what the text says"


def test_a_text_with_blanks_of_its_own_is_left_alone() -> None:
    way = WAYS.get("masked_lm")(1.0, Sources(THESAURUS, lambda texts: [fill(texts)[0] * 2]))
    assert way.edits([Draft("food", Random(0))]) == [[]]


def test_what_a_way_needs_is_asked_for() -> None:
    with pytest.raises(UsageError, match=r"name one with augmentation\.model"):
        WAYS.get("masked_lm")(0.1, Sources(THESAURUS))
    with pytest.raises(UsageError, match=r"translate=\(there, back\)"):
        WAYS.get("back_translation")(0.1, Sources(THESAURUS))
    way = WAYS.get("back_translation")(0.1, Sources(THESAURUS, translate=(there, lambda texts: texts[:1])))
    with pytest.raises(UsageError, match="1 answers for 2 texts"):
        way.edits([Draft("a", Random(0)), Draft("b", Random(0))])


def test_edits_that_meet_a_kept_place_or_each_other_are_not_made() -> None:
    draft = Draft("in Rome now", Random(0), ((3, 7),))
    edits = [Edit(0, 2, "near"), Edit(1, 2, "x"), Edit(5, 5, "x"), Edit(2, 4, "x"), Edit(7, 7, ","), Edit(3, 3, "old ")]
    after = changed(draft, edits)
    assert after.text == "near old Rome, now"
    assert after.text[slice(*after.place((3, 7)))] == "Rome"
    assert changed(Draft("a b", Random(0)), [Edit(0, 1, ""), Edit(2, 3, "")]).text == "a b"


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.lists(st.sampled_from([*ENGLISH.split(), *CHINESE, " ", "，", "é\u0301", "😀", "\ud800"])).map("".join),
    st.lists(st.sampled_from([*ENGLISH.split(), "手机", "iPhone", "２"])).map(" ".join),
)


@settings(deadline=None, max_examples=150)
@given(st.data(), TEXTS, st.sampled_from(LOCAL), st.integers(0, 99), st.sampled_from([0.1, 0.5, 1.0]))
def test_no_way_empties_a_text_or_moves_a_kept_place(
    data: st.DataObject, text: str, name: str, seed: int, strength: float
) -> None:
    borders = st.integers(0, len(text))
    places = data.draw(st.lists(st.tuples(borders, borders).map(sorted).map(tuple), max_size=3))
    kept = tuple(place for place in places if place[0] < place[1])
    after = apply(name, text, seed, kept, strength)
    assert after.text.strip() or after.text == text
    for place in kept:
        assert after.text[slice(*after.place(place))] == text[slice(*place)]
    assert apply(name, text, seed, kept, strength) == after


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.integers(0, 99))
def test_a_text_with_a_kept_place_never_comes_back_as_a_whole(text: str, seed: int) -> None:
    if text:
        assert apply("back_translation", text, seed, ((0, 1),)).text == text
