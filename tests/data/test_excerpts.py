"""Excerpts of long passages: the answer stays, and stands where it says."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bertie.data.excerpts import excerpts
from bertie.text.least_pieces import least_pieces

SENTENCES = st.lists(
    st.text("很好ab ", min_size=1, max_size=12).map(lambda text: f"x{text}。"), min_size=1, max_size=12
)


def row(context: str, *answers: tuple[str, int]) -> dict[str, Any]:
    listed = [{"text": text, "start": start} for text, start in answers]
    return {"context": context, "question": "什么", "answers": listed, "id": "1"}


@given(SENTENCES, st.data(), st.integers(1, 30), st.integers(0, 9))
def test_the_answer_stands_in_what_is_kept(parts: list[str], data: st.DataObject, pieces: int, seed: int) -> None:
    context = "".join(parts)
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    text = context[start:end]
    first, *others = excerpts(row(context, (text, start)), pieces, Random(seed))
    answer = first["answers"][0]
    assert answer["text"] == text == first["context"][answer["start"] : answer["start"] + len(text)]
    assert first["context"] in context and first["question"] == "什么" and first["id"] == "1"
    longest = max(map(least_pieces, parts))
    assert least_pieces(first["context"]) <= max(pieces, least_pieces(text) + 2 * longest)
    assert all(other["answers"] == [] and text not in other["context"] for other in others)


def test_a_short_passage_stays_whole() -> None:
    whole = row("甲。乙。丙。", ("乙", 2))
    assert excerpts(whole, 3, Random(0)) == [whole]


def test_some_are_also_shown_without_their_answer() -> None:
    passage = "".join(f"这里是第{n}句话。" for n in range(20))
    rows = [row(passage, ("第7句", passage.index("第7句"))) for _ in range(300)]
    made = [part for i, one in enumerate(rows) for part in excerpts(one, 20, Random(i))]
    empty = [part for part in made if not part["answers"]]
    assert 60 < len(empty) < 110 and all("第7句" not in part["context"] for part in empty)
    assert len({part["context"] for part in made}) > 10, "not always the same place"


def test_of_a_passage_without_an_answer_some_part_is_kept() -> None:
    passage = "".join(f"这里是第{n}句话。" for n in range(20))
    (part,) = excerpts(row(passage), 20, Random(0))
    assert part["answers"] == [] and part["context"] in passage and least_pieces(part["context"]) <= 20


def test_several_answers_keep_those_that_are_in_it() -> None:
    passage = "甲在这里。" + "别的话。" * 30 + "甲在那里。"
    (first, *_) = excerpts(row(passage, ("甲", 0), ("甲", len(passage) - 5)), 10, Random(1))
    assert first["answers"] == [{"text": "甲", "start": 0}]
