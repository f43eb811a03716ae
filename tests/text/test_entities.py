"""Entities: marked without shifting an offset, and in the sequence however long the text is."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertie.core.errors import ModelError, UsageError
from bertie.text.entities import EntityText, Places, encode_entities, find_markers
from bertie.text.tokenizer import Tokenizer
from tests.text.test_offsets import TEXT

SOME = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

ENGLISH, BOTH = "Bob knows Ann.", ((0, 3), (10, 13))
CHINESE = "阿里巴巴收购了饿了么"
LONG = " ".join(f"word{i}" for i in range(60))


def bert(tokenizer: Tokenizer) -> bool:
    return tokenizer.piece_id("[unused1]") is not None


def one(tokenizer: Tokenizer, text: str, places: Places, max_length: int = 64, unused: bool = True) -> EntityText:
    ((found,),) = encode_entities(
        tokenizer, [text], [places], max_length, markers=find_markers(tokenizer, unused=unused)
    )
    return found


def words(tokenizer: Tokenizer, encoded: EntityText) -> list[str]:
    return [tokenizer.token(piece) for piece in encoded.ids]


def said(text: str, encoded: EntityText) -> list[str]:
    """The text that the pieces of each entity came from."""
    spans = [[encoded.offsets[i] for i in places] for places in encoded.entities]
    return [text[min(a for a, _ in pairs) : max(b for _, b in pairs)].strip() if pairs else "" for pairs in spans]


def without(encoded: EntityText, tokenizer: Tokenizer) -> list[int]:
    markers = {piece for pair in find_markers(tokenizer) for piece in pair}
    kept = zip(encoded.ids, encoded.sequence, strict=True)
    return [piece for piece, side in kept if side is not None or piece not in markers]


def test_markers_are_pieces_that_the_vocabulary_has(tokenizer: Tokenizer) -> None:
    names = [[tokenizer.token(piece) for piece in pair] for pair in find_markers(tokenizer)]
    punctuation = [[tokenizer.token(piece) for piece in pair] for pair in find_markers(tokenizer, unused=False)]
    if bert(tokenizer):
        assert names == [["[unused1]", "[unused2]"], ["[unused3]", "[unused4]"]]
        assert punctuation == [["$", "$"], ["#", "#"]]
    else:
        assert names == punctuation == [["▁$", "▁$"], ["▁#", "▁#"]]


def test_other_marks_where_there_is_no_dollar_and_an_error_where_there_is_none(tmp_path: Path) -> None:
    def vocabulary(*more: str) -> Tokenizer:
        (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", *more]) + "\n")
        return Tokenizer.from_folder(tmp_path)

    assert find_markers(vocabulary(",", "#")) == ((6, 6), (5, 5))
    with pytest.raises(ModelError, match=r"neither \[unused1\].*nor two of.*choose another model"):
        find_markers(vocabulary(","))


def test_what_is_put_in_shifts_no_offset(tokenizer: Tokenizer) -> None:
    encoded = one(tokenizer, ENGLISH, BOTH, unused=False)
    mark = "" if bert(tokenizer) else "▁"
    assert words(tokenizer, encoded)[1:-1] == (
        ["$", "bob", "$", "knows", "#", "ann", "#", "."]
        if bert(tokenizer)
        else [f"{mark}$", "▁Bob", f"{mark}$", "▁knows", f"{mark}#", "▁Ann", f"{mark}#", "."]
    )
    assert said(ENGLISH, encoded) == ["Bob", "Ann"]
    plain = tokenizer.encode(ENGLISH)
    assert [span for span in encoded.offsets if span != (0, 0)] == [span for span in plain.offsets if span != (0, 0)]
    assert encoded.sequence.count(None) == 2 + 4 and not encoded.truncated


def test_the_second_entity_may_stand_first(tokenizer: Tokenizer) -> None:
    encoded = one(tokenizer, ENGLISH, (BOTH[1], BOTH[0]), unused=False)
    assert said(ENGLISH, encoded) == ["Ann", "Bob"]
    assert [word.strip("▁") for word in words(tokenizer, encoded) if word.strip("▁") in "$#"] == ["#", "#", "$", "$"]


def test_chinese_entities_end_where_they_end(e5_folder: Path, minilm_folder: Path) -> None:
    """Without isolated Han characters a piece may reach over the border of an entity."""
    for folder in (e5_folder, minilm_folder):
        tokenizer = Tokenizer.from_folder(folder, han_isolated=True)
        assert said(CHINESE, one(tokenizer, CHINESE, ((0, 4), (7, 10)))) == ["阿里巴巴", "饿了么"]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (((0, 5), (2, 3)), "$ a # b # c $"),  # one inside the other
        (((2, 3), (0, 5)), "# a $ b $ c #"),
        (((0, 3), (2, 5)), "$ a # b $ c #"),  # they cross
        (((0, 1), (0, 5)), "# $ a $ b c #"),  # they begin together
        (((4, 5), (0, 5)), "# a b $ c $ #"),  # they end together
    ],
)
def test_entities_that_overlap(places: Places, expected: str, minilm_folder: Path) -> None:
    tokenizer = Tokenizer.from_folder(minilm_folder)
    encoded = one(tokenizer, "a b c", places, unused=False)
    assert " ".join(words(tokenizer, encoded)[1:-1]) == expected
    assert said("a b c", encoded) == ["a b c"[start:end] for start, end in places]


@SOME
@given(TEXT, st.data())
def test_markers_taken_out_leave_the_text_as_it_was(tokenizer: Tokenizer, text: str, data: st.DataObject) -> None:
    def place() -> tuple[int, int]:
        start = data.draw(st.integers(0, len(text)))
        return start, data.draw(st.integers(start, len(text) + 1))

    encoded = one(tokenizer, text, (place(), place()), 10_000)
    plain = tokenizer.encode(text, max_length=10_000)
    assert without(encoded, tokenizer) == plain.ids
    assert {span for span, side in zip(encoded.offsets, encoded.sequence, strict=True) if side == 0} == {
        span for span, side in zip(plain.offsets, plain.sequence, strict=True) if side == 0
    }
    lengths = {len(encoded.ids), len(encoded.type_ids), len(encoded.offsets), len(encoded.sequence)}
    assert len(lengths) == 1
    assert all(encoded.sequence[i] == 0 for places in encoded.entities for i in places)


@SOME
@given(st.data())
def test_a_long_text_is_read_around_its_entities(tokenizer: Tokenizer, data: st.DataObject) -> None:
    """Whole pieces of both are in, whether they are near each other or not, and the sequence is full."""

    def place() -> tuple[int, int]:
        first = data.draw(st.integers(0, 59))
        start = LONG.index(f"word{first}")
        return start, start + len(f"word{first}")

    places = place(), place()
    encoded = one(tokenizer, LONG, places, 24)
    assert encoded.truncated and len(encoded) <= 24
    assert said(LONG, encoded) == [LONG[start:end] for start, end in places]
    near = abs(places[0][0] - places[1][0]) < 10
    inside = [span for span, side in zip(encoded.offsets, encoded.sequence, strict=True) if side == 0]
    if near:
        gaps = [LONG[a:b].strip() for (_, a), (b, _) in pairwise(inside) if a < b]
        assert len(encoded) == 24 and not any(gaps)


def test_the_entities_stand_in_the_middle(minilm_folder: Path) -> None:
    tokenizer = Tokenizer.from_folder(minilm_folder)
    text = " ".join("abcdefghijklmnopqrstuvwxyz")
    encoded = one(tokenizer, text, ((24, 25), (28, 29)), 13, unused=False)
    letters = [word for word in words(tokenizer, encoded)[1:-1] if word not in "$#"]
    assert letters == list("klmnopq")
    apart = one(tokenizer, text, ((0, 1), (50, 51)), 12, unused=False)
    assert " ".join(words(tokenizer, apart)[1:-1]) == "$ a $ b c x y # z #"
    assert apart.truncated


def test_an_entity_longer_than_its_half_keeps_its_beginning(minilm_folder: Path) -> None:
    tokenizer = Tokenizer.from_folder(minilm_folder)
    text = " ".join("abcdefghijklmnopqrstuvwxyz")
    encoded = one(tokenizer, text, ((0, 39), (48, 51)), 12, unused=False)
    assert " ".join(words(tokenizer, encoded)[1:-1]) == "$ a b c $ x # y z #"


def test_windows_hold_every_piece_and_mark_what_they_hold(tokenizer: Tokenizer) -> None:
    places = (LONG.index("word3 "), LONG.index("word3 ") + 5), (LONG.index("word50"), LONG.index("word50") + 6)
    (windows,) = encode_entities(tokenizer, [LONG], [places], 32, markers=find_markers(tokenizer), overlap=0.25)
    plain = tokenizer.encode(LONG, max_length=10_000)
    spans = {
        span for window in windows for span, side in zip(window.offsets, window.sequence, strict=True) if side == 0
    }
    assert spans == {span for span, side in zip(plain.offsets, plain.sequence, strict=True) if side == 0}
    assert all(len(window) <= 32 and not window.truncated for window in windows)
    assert windows[0].entities[0] and not windows[-1].entities[0]
    assert any(window.entities[1] for window in windows[1:]) and not windows[0].entities[1]
    assert {said(LONG, window)[0] for window in windows} <= {"word3", ""}


def test_too_many_windows_are_one_around_the_entities(minilm_folder: Path) -> None:
    text = "a " * 5000 + "b c"
    (windows,) = encode_entities(
        Tokenizer.from_folder(minilm_folder), [text], [((10_000, 10_001), (10_002, 10_003))], 32, overlap=0.5
    )
    assert len(windows) == 1 and windows[0].truncated and said(text, windows[0]) == ["b", "c"]


def test_types_mark_the_pieces_and_put_nothing_in(tokenizer: Tokenizer) -> None:
    ((encoded,),) = encode_entities(tokenizer, [ENGLISH], [BOTH], 32)
    plain, typed = tokenizer.encode(ENGLISH), encoded.with_types()
    assert typed.ids == plain.ids and typed.offsets == plain.offsets
    assert [i for i, kind in enumerate(typed.type_ids) if kind] == [i for places in typed.entities for i in places]


def test_an_entity_of_which_nothing_is_left_has_no_pieces(minilm_folder: Path) -> None:
    encoded = one(Tokenizer.from_folder(minilm_folder), "a \u200b b", ((2, 3), (4, 5)))
    assert encoded.entities[0] == () and len(encoded.entities[1]) == 1
    empty = one(Tokenizer.from_folder(minilm_folder), "", ((0, 0), (0, 0)))
    assert empty.entities == ((), ()) and len(empty) == 2


def test_no_room_is_an_error_that_says_so(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="max_length 7 leaves no room"):
        one(tokenizer, ENGLISH, BOTH, 7)
    assert len(one(tokenizer, ENGLISH, BOTH, 8)) == 8


def test_a_piece_by_its_name(minilm_folder: Path) -> None:
    tokenizer = Tokenizer.from_folder(minilm_folder)
    assert tokenizer.token(tokenizer.piece_id("bob") or 0) == "bob" and tokenizer.piece_id("no such piece") is None
    assert json.loads(json.dumps(one(tokenizer, ENGLISH, BOTH).ids))


def test_one_entity_at_several_places_has_the_same_marks_everywhere(tokenizer: Tokenizer) -> None:
    text, places = "Ann met Ann, and Ann left.", ((0, 3), (8, 11), (17, 20))
    markers = find_markers(tokenizer)[:1]
    ((found,),) = encode_entities(tokenizer, [text], [places], 64, markers=markers)
    assert said(text, found) == ["Ann"] * 3
    assert [found.ids.count(piece) for piece in set(markers[0])] == [6 // len(set(markers[0]))] * len(set(markers[0]))
    far = f"Ann {LONG} Ann {LONG} Ann"
    spread = tuple((i, i + 3) for i in range(len(far)) if far.startswith("Ann", i))
    ((cut,),) = encode_entities(tokenizer, [far], [spread], 40, markers=markers)
    assert said(far, cut) == ["Ann"] * 3 and len(cut) <= 40 and cut.truncated
