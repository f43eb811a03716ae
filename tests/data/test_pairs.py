"""Pairs: those that may be related, by what training tells of kinds and distance, and some without a relation."""

from __future__ import annotations

from typing import Any

from bertie.data.pairs import Possible


def entity(start: int, label: str) -> dict[str, Any]:
    return {"start": start, "end": start + 2, "label": label}


ROW = {
    "text": "张三在甲厂，李四不在",
    "entities": [entity(0, "人"), entity(3, "厂"), entity(6, "人")],
    "relations": [{"head": 0, "tail": 1, "label": "在"}],
}


def test_kinds_in_order_and_reach_are_those_of_the_training() -> None:
    possible = Possible.of([ROW])
    assert possible == Possible(frozenset({("人", "厂")}), 5)
    assert list(possible.pairs(ROW["entities"])) == [(0, 1), (2, 1)]
    assert list(possible.pairs([entity(0, "人"), entity(4, "厂"), entity(5, "厂")])) == [], "too wide"
    assert list(possible.pairs([entity(0, "人"), entity(1, "厂")])) == [(0, 1)]
    assert list(Possible.of([]).pairs(ROW["entities"])) == []


def test_one_pair_far_apart_does_not_open_all_others() -> None:
    def related(width: int) -> dict[str, Any]:
        far = {"start": width - 2, "end": width, "label": "厂"}
        return {"text": "", "entities": [entity(0, "人"), far], "relations": [{"head": 0, "tail": 1, "label": "在"}]}

    usual = [related(4 + i % 17) for i in range(199)]
    assert Possible.of([*usual, related(2000)]).reach == 40
    assert Possible.of([*usual, related(33)]).reach == 33, "not far wider than the others"
    assert Possible.of([*usual[:198], related(2000)]).reach == 2000, "of few each may be usual"


def test_most_of_many_are_never_looked_at() -> None:
    """A hundred thousand entities, of which each has two in its reach."""
    many = [entity(2 * i, "人") for i in range(100_000)]
    assert sum(1 for _ in Possible(frozenset({("人", "人")}), 6).pairs(many)) == 2 * (99_999 + 99_998)


def test_pairs_to_learn_from_are_the_related_and_a_few_others() -> None:
    possible = Possible.of([ROW])
    assert possible.labelled(ROW, 20) == [(0, 1, "在"), (2, 1, "")]
    assert possible.labelled(ROW, 0) == [(0, 1, "在")]
    turned = {**ROW, "entities": ROW["entities"][::-1], "relations": [{"head": 2, "tail": 1, "label": "在"}]}
    assert possible.labelled(turned, 20) == [(2, 1, "在"), (0, 1, "")], "entities need not be in order"
    crowd = {"text": "众", "entities": [entity(i, "人") for i in range(9)], "relations": []}
    wide = Possible(frozenset({("人", "人")}), 99)
    assert wide.labelled(crowd, 5) == wide.labelled(crowd, 5) and len(set(wide.labelled(crowd, 5))) == 5
