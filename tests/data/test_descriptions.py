"""What labels mean: as given, else their names as words; a label that there is not is refused."""

from __future__ import annotations

import pytest

from bertie.core.errors import DataError
from bertie.data.descriptions import describe, in_words, says_something
from bertie.data.rows import Rows


def test_given_ones_come_before_names() -> None:
    given = Rows([{"text": "a good film", "label": "pos"}, {"text": "loved it", "label": "pos"}], "words.csv", [2, 3])
    assert describe(["card_lost", "pos"], given) == {"card_lost": ["card lost"], "pos": ["a good film", "loved it"]}


def test_a_label_that_there_is_not_is_named_with_its_line() -> None:
    given = Rows([{"text": "a good film", "label": "Pos"}], "words.csv", [2])
    with pytest.raises(DataError, match=r"words.csv:2: describes the label 'Pos'.*expected one of neg, pos; correct"):
        describe(["neg", "pos"], given)


@pytest.mark.parametrize(
    ("label", "words"),
    [("card_lost", "card lost"), ("cardLost", "card lost"), ("ABBR", "ABBR"), ("差评", "差评"), ("_", "_")],
)
def test_names_as_words(label: str, words: str) -> None:
    assert in_words(label).lower() == words.lower()


def test_numbers_say_nothing() -> None:
    assert not says_something(describe(["0", "1"], None))
    assert says_something(describe(["好评", "差评"], None))
