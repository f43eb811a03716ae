"""The tables of augmentation: every line can be used, and sounds are those of the standard."""

from __future__ import annotations

from collections import Counter

from bertie.text.augmentation.look_alikes import SHAPES, look_alikes, neighbours
from bertie.text.augmentation.pinyin import FIRST, blurred, homophones, syllables
from bertie.text.augmentation.thesaurus import Thesaurus, own_groups
from bertie.text.words import words


def test_groups_of_synonyms_have_words_that_a_text_is_cut_into() -> None:
    groups = own_groups()
    assert [group for group in groups if len(set(group)) < 2] == []
    found = [word for group in groups for word in group]
    assert sum(word.isascii() for word in found) > 500 < sum(not word.isascii() for word in found)
    cut = [word for word in found if not word.isascii() and len(words(word)) > 1]
    assert len(cut) < 0.1 * len(found)  # those only come in, they are never found
    assert set(Thesaurus(groups).user_words) == set(cut)


def test_every_syllable_has_its_characters() -> None:
    entries = FIRST.split()
    assert len(entries) == len({entry[:-1] for entry in entries}) == len({entry[-1] for entry in entries}) == 396
    assert all(syllables()[entry[-1]] == entry[:-1] for entry in entries)
    assert len(syllables()) == 3755
    said = {
        "中": "zhong",
        "国": "guo",
        "好": "hao",
        "绿": "lv",
        "女": "nv",
        "服": "fu",
        "务": "wu",
        "略": "lve",
        "最": "zui",
    }
    assert {character: syllables()[character] for character in said} == said


def test_homophones_are_others_of_the_syllable_and_of_those_taken_for_it() -> None:
    same, near = homophones("是")
    assert "是" not in same and "事" in same and "四" in near and not set(same) & set(near)
    assert (blurred("zhang"), blurred("ning"), blurred("er")) == ("zan", "lin", "er")
    assert homophones("a") == homophones("龘") == ("", "")


def test_look_alikes_are_mutual() -> None:
    assert set(look_alikes("己")) == {"已", "巳"} and look_alikes("a") == ""
    assert all(len(group) == len(set(group)) > 1 for group in SHAPES.split())
    for character in set(SHAPES) - set(" \n"):
        assert all(character in look_alikes(other) for other in look_alikes(character))
    assert max(Counter(SHAPES.split()).values()) == 1


def test_keys_are_neighbours_of_each_other() -> None:
    assert set(neighbours()["g"]) == set("tyfhvb")
    assert all(key in neighbours()[other] for key in neighbours() for other in neighbours()[key])
