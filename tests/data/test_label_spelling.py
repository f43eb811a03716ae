"""Label spelling: numbers by their value, words by their letters; what is another label stays one."""

from __future__ import annotations

import pytest

from bertie.data.label_spelling import advice, respelled


@pytest.mark.parametrize(
    ("strange", "known"), [("1.0", "1"), ("1", "1.0"), ("True", "true"), ("１", "1"), ("ＡＢ", "ab"), ("好评 ", "好评")]
)
def test_one_label_in_two_spellings(strange: str, known: str) -> None:
    assert respelled([strange], [known, "other"]) == {strange: known}


@pytest.mark.parametrize("strange", ["1.5", "10", "true!", "差评", "", "nan"])
def test_another_label(strange: str) -> None:
    assert respelled([strange], ["1", "true", "好评"]) == {} and advice([strange], ["1", "true"]) == ""


def test_what_to_do_about_it_is_said_of_those_that_are_known() -> None:
    said = advice(["1.0", "neutral", "0.0"], ["0", "1"])
    assert said == "; training has '1' for '1.0', '0' for '0.0': write them alike"
    many = advice([f"{i}.0" for i in range(9)], map(str, range(9)))
    assert many.count(" for ") == 5
