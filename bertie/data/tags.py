"""Tags: BIO and its relatives to spans over tokens and back.

In:  the tags of one sentence; or spans over its tokens
Out: (first token, the one behind the last, label) in order; or tags. TagError names the tag that does not fit
Knows nothing of texts, characters and files.

    scheme   a b c are one entity   one token alone   who writes it
    BIO      B I I                  B                 most files today (also called IOB2)
    IOB1     I I I                  I                 CoNLL-2003; B only where an entity follows one of its own type
    BIOES    B I E                  S                 (E, S mark the end)
    BMES     B M E                  S                 Chinese data sets
    BILOU    B I L                  U                 spaCy
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bertie.data.cells import CellError
from bertie.data.spans import found, shown

Scheme = Literal["BIO", "IOB1", "BIOES", "BMES", "BILOU"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
TokenSpan = tuple[int, int, str]
"""The first token, the one behind the last, the label."""

_TAG = re.compile(r"([BIMESLUW])[-_](.*\S.*)")
_ROLES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
_LETTERS = {
    "BIO": ("B", "I", "I", "B"),
    "BIOES": ("B", "I", "E", "S"),
    "BMES": ("B", "M", "E", "S"),
    "BILOU": ("B", "I", "L", "U"),
}
"""The first token of an entity, those inside, the last, and one alone."""
_OPEN_ENDED = ("BIO", "IOB1")


class TagError(CellError):
    """A tag that does not fit; `place` is its index in the sentence, so that a reader can name its line."""

    def __init__(self, place: int, what: str) -> None:
        super().__init__(what)
        self.place = place


def is_tag(value: Any) -> bool:
    """Whether the value has the form of a tag: O, or a letter, a hyphen (or `_`) and a label."""
    return isinstance(value, str) and (value == "O" or _TAG.fullmatch(value) is not None)


def tag_problem(value: Any) -> str:
    """What to say about a value that is no tag."""
    numbers = " (numbers of tags must be turned into their names)" if isinstance(value, int) else ""
    return f"is {found(value)}, expected O or a tag such as B-PER, I-PER, E-PER, S-PER{numbers}; correct it"


def detect(sequences: Iterable[Any]) -> Scheme:
    """The scheme of all sentences of a file together: one alone may not show it.

    What is no tag, or no list of them, is passed over here: who reads the row names it.

    An I- with nothing of its type before it is IOB1 only if every B- is where IOB1 has it, directly behind an entity of
    its own type; otherwise it is a mistake in BIO.
    """
    letters, early, free = set[str](), False, False
    for tags in sequences:
        before = ""
        for tag in tags if isinstance(tags, Sequence) else ():
            match = _TAG.fullmatch(tag) if isinstance(tag, str) else None
            letter, label = (match[1], match[2]) if match else ("", "")
            letters.add(letter)
            early |= letter == "I" and label != before
            free |= letter == "B" and label != before
            before = label
    if letters & {"M", "W"}:
        return "BMES"
    if letters & {"L", "U"}:
        return "BILOU"
    if letters & {"E", "S"}:
        return "BIOES"
    return "IOB1" if early and not free else "BIO"


def spans_of_tags(tags: Sequence[Any], scheme: Scheme | None = None) -> list[TokenSpan]:
    """The entities of one sentence.

    Args:
        tags: one a token.
        scheme: None takes what the letters of this sentence say, never IOB1: there the same tags mean something else,
            and one sentence cannot tell it from a mistake. `detect` can, from all of a file.
    """
    if scheme is None:
        scheme = detect([tags])
        scheme = "BIO" if scheme == "IOB1" else scheme
    reader = _Reader(scheme)
    for place, tag in enumerate(tags):
        reader.feed(place, tag)
    reader.close(len(tags), "the end of the sentence")
    return reader.spans


@dataclass
class _Reader:
    """One sentence while it is read; `start` and `label` are those of the entity that is open."""

    scheme: Scheme
    spans: list[TokenSpan] = field(default_factory=list)
    start: int = -1
    label: str = ""
    before: str = "the beginning of the sentence"

    def feed(self, place: int, tag: Any) -> None:
        role, label = self._parsed(place, tag)
        goes_on = role in ("I", "E") and self.start >= 0 and label == self.label
        if not goes_on:
            self.close(place, shown(tag))
            if role in ("I", "E") and self.scheme != "IOB1":
                advice = f"write {_LETTERS[self.scheme][0]}-{label} or correct the tag before it"
                what = f"tag {place + 1} is {shown(tag)} after {self.before}, expected something of {shown(label)}"
                raise TagError(place, f"{what} before it; {advice}")
            self.start, self.label = (place, label) if role != "O" else (-1, "")
        if role in ("E", "S"):
            self._end(place + 1)
        self.before = shown(tag)

    def close(self, place: int, after: str) -> None:
        """Ends the entity that is open, if there is one, before the tag at `place`."""
        if self.start >= 0 and self.scheme not in _OPEN_ENDED:
            last = f"{_LETTERS[self.scheme][2]}-{self.label}"
            what = f"the entity {shown(self.label)} that begins at tag {self.start + 1} is not ended before {after}"
            raise TagError(place - 1, f"{what}, expected {last}; correct tag {place}")
        if self.start >= 0:
            self._end(place)

    def _end(self, place: int) -> None:
        self.spans.append((self.start, place, self.label))
        self.start, self.label = -1, ""

    def _parsed(self, place: int, tag: Any) -> tuple[str, str]:
        if tag == "O":
            return "O", ""
        match = _TAG.fullmatch(tag) if isinstance(tag, str) else None
        if match is None:
            raise TagError(place, f"tag {place + 1} {tag_problem(tag)}")
        if self.scheme in _OPEN_ENDED and match[1] not in "BI":
            what = f"tag {place + 1} is {shown(tag)}, expected the letters of {self.scheme} (B, I, O)"
            raise TagError(place, f"{what}; one scheme must hold for the whole file")
        return _ROLES[match[1]], match[2]


def tags_of_token_spans(spans: Iterable[TokenSpan], length: int, scheme: Scheme = "BIO") -> list[str]:
    """The tags of a sentence of `length` tokens; the other way of `spans_of_tags`. A token holds one tag only."""
    tags, end, before = ["O"] * length, 0, ""
    for first, last, label in sorted(spans):
        assert 0 <= first < last <= length  # spans come from offsets that were checked
        if first < end:
            what = f"two entities, {shown(before)} and {shown(label)}, share token {first + 1}"
            raise CellError(f"{what}, expected one tag a token; keep one of them, or use a format with offsets")
        follows = first == end and label == before
        tags[first:last] = _tags(last - first, label, scheme, follows)
        end, before = last, label
    return tags


def _tags(length: int, label: str, scheme: Scheme, follows: bool) -> list[str]:
    if scheme == "IOB1":
        letters = ("B" if follows else "I") + "I" * (length - 1)
    else:
        first, inside, last, alone = _LETTERS[scheme]
        letters = alone if length == 1 else first + inside * (length - 2) + last
    return [f"{letter}-{label}" for letter in letters]
