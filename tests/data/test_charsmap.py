"""The compiled table does to every character what the table says, in the reader that is used later."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from bertie.data.charsmap import charsmap

CHARACTER = st.characters(codec="utf-8", exclude_characters="\0")


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(CHARACTER, st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=3)),
    st.lists(CHARACTER, max_size=30),
)
def test_any_table(table: dict[str, str], others: list[str]) -> None:
    normalizer = normalizers.Precompiled(charsmap(table))
    for character in [*table, *others]:
        assert normalizer.normalize_str(character) == table.get(character, character)


def test_every_neighbour_stays_in_bounds() -> None:
    normalizer = normalizers.Precompiled(charsmap({"Ａ": "A", "é": "e", "𝐀": "A"}))
    for code in (*range(1, 0xD800), *range(0xE000, 0x110000, 7)):
        character = chr(code)
        assert normalizer.normalize_str(character) == {"Ａ": "A", "é": "e", "𝐀": "A"}.get(character, character)
