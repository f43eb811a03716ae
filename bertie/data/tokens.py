"""Tokens: a list of them to one text in which each has its place, tags to entities, and back.

In:  tokens and their tags; or a text, its tokens' offsets and entities
Out: a row of {"text", "entities"}; or tags. CellError where a token is empty or an entity cuts one
Knows nothing of files and of the tokens of a model.

Between two Han characters stands nothing, everywhere else one space:

    你 好 ， 世 界 5 G   ->   你好 ， 世界 5 G

Chinese punctuation is not a Han character, so it has a space on either side, and so have digits and Latin letters in a
Chinese sentence. It looks odd, but anybody can compute the offsets from this one sentence, and tokenizers of encoders
pass over the spaces.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bertie.data.cells import CellError, as_text
from bertie.data.rows import Row
from bertie.data.spans import Entity, as_list, found, in_order, one_label, shown
from bertie.data.table import CELL_LIMIT
from bertie.data.tags import Scheme, TokenSpan, spans_of_tags, tags_of_token_spans
from bertie.text.whole_words import clings

Offsets = list[tuple[int, int]]

_HAN = re.compile(r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")  # as in text/language.py


@dataclass(frozen=True, slots=True)
class Joined:
    """A text, and [start, end) of each token in it."""

    text: str
    offsets: Offsets


def join(tokens: Sequence[str], gap: str = " ") -> Joined:
    """The text that offsets of a row of tokens refer to. No token is empty.

    `gap` stands where not both neighbours are Han, as `gap_of` says it.
    """
    parts, offsets, position, before = list[str](), Offsets(), 0, ""
    for token in tokens:
        if before and not (_HAN.match(before) and _HAN.match(token)):
            parts.append(gap)
            position += len(gap)
        parts.append(token)
        offsets.append((position, position + len(token)))
        position, before = position + len(token), token[-1]
    return Joined("".join(parts), offsets)


def gap_of(sentences: Iterable[Sequence[str]]) -> str:
    """What `join` puts between the tokens of a file: nothing where each is one character and most of them are Han, as
    in the usual Chinese sets, in which 2 0 1 9 is one number; else a space.

    Several marks, such as an ellipsis or the parts of an emoji, are one character here.
    """
    han = count = 0
    for sentence in sentences:
        for token in sentence:
            if len(token) > 1 and sum(map(str.isalnum, token)) > 1:
                return " "
            han += _HAN.match(token) is not None
        count += len(sentence)
    return "" if 2 * han > count else " "


def join_around(tokens: Sequence[str], spans: Sequence[TokenSpan], gap: str) -> Joined:
    """The same with entities in it: where one would begin or end inside a word that only the missing spaces make of
    several tokens, this sentence has its spaces.
    """
    joined = join(tokens, gap)
    if gap == " " or not spans:
        return joined
    words = marked_tokens(joined.text)
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    whole = all(joined.offsets[a][0] in starts and joined.offsets[b - 1][1] in ends for a, b, _ in spans)
    return joined if whole else join(tokens)


def as_tokens(value: Any, name: str) -> list[str]:
    """Tokens that can be joined: texts, none empty. One that is a space is a token, as in files of characters."""
    tokens = as_list(value, name)
    for i, token in enumerate(tokens):
        if not isinstance(token, str) or not token:
            what = "empty" if token == "" else found(token)
            raise CellError(f"'{name}[{i}]' is {what}, expected a token; fill it in, or remove it and its tag")
        as_text(token, f"{name}[{i}]")
    size = sum(len(token) + 1 for token in tokens)
    if size > CELL_LIMIT:
        raise CellError(f"{name!r} have {size:,} characters, expected at most {CELL_LIMIT:,}; split the sentence")
    return tokens


def row_of_tokens(tokens: Any, tags: Any, scheme: Scheme | None = None, gap: str = " ") -> Row:
    """A tagging row of tokens and one tag for each; `scheme` as in `spans_of_tags`, `gap` as in `join`."""
    words, marks = as_tokens(tokens, "tokens"), as_list(tags, "tags")
    if len(words) != len(marks):
        what = f"there are {len(words)} tokens and {len(marks)} tags"
        raise CellError(f"{what}, expected one tag a token; add or remove the missing ones")
    spans = spans_of_tags(marks, scheme)
    joined = join_around(words, spans, gap)
    entities = [
        Entity(
            start=joined.offsets[first][0],
            end=joined.offsets[last - 1][1],
            label=one_label(label, f"tags[{first}]"),
        )
        for first, last, label in spans
    ]
    return {"text": joined.text, "entities": in_order(entities)[0]}


def tags_of_spans(text: str, offsets: Offsets, entities: Iterable[Entity], scheme: Scheme = "BIO") -> list[str]:
    """The tags of tokens that stand at `offsets` of `text`.

    Spaces at the edges of an entity belong to no token and are passed over. CellError for an entity that cuts a token,
    holds none, or shares one with another entity.
    """
    spans = [_token_span(text, offsets, entity) for entity in entities]
    return tags_of_token_spans(spans, len(offsets), scheme)


def _token_span(text: str, offsets: Offsets, entity: Entity) -> TokenSpan:
    start, end = entity["start"], entity["end"]
    first = bisect_right(offsets, start, key=lambda token: token[1])
    last = bisect_left(offsets, end, key=lambda token: token[0])
    named = f"the entity {shown(text[start:end])} ({entity['label']}) at [{start}, {end})"
    if first >= last:
        raise CellError(f"{named} holds no token, expected at least one; correct its place")
    for i in (first, last - 1):
        token_start, token_end = offsets[i]
        if token_start < start or token_end > end:
            token = f"token {i + 1}, {shown(text[token_start:token_end])} at [{token_start}, {token_end})"
            raise CellError(f"{named} cuts {token}, expected whole tokens; move its border or split the token")
    return first, last, entity["label"]


def character_tokens(text: str) -> Offsets | None:
    """The characters of a text but its spaces; None where one of them can be no token of a file."""
    if any(character in text for character in "\t\r\n\ufeff"):
        return None
    return [(i, i + 1) for i, character in enumerate(text) if character != " "]


def joined_tokens(text: str) -> Offsets | None:
    """Tokens that joined give exactly this text: cut at single spaces and between Han characters.

    None where there are no such, because the text is no join: spaces are doubled or missing between scripts.
    """
    pieces = [piece for word in text.split(" ") for piece in _between_han(word)]
    if not all(pieces) or any(character in text for character in "\t\r\n\ufeff"):
        return None
    joined = join(pieces)
    return joined.offsets if joined.text == text else None


def _between_han(word: str) -> list[str]:
    cuts = [i for i, pair in enumerate(pairwise(word), start=1) if _HAN.match(pair[0]) and _HAN.match(pair[1])]
    return [word[start:end] for start, end in pairwise([0, *cuts, len(word)])]


def marked_tokens(text: str) -> Offsets:
    """Tokens of a text as it was written: runs of letters and digits, each Han character, each mark. Spaces are none.

    A combining character, a variation selector and the rest of a joined emoji stay with the character before them.
    """
    offsets, kind, joins = Offsets(), "", False
    for i, character in enumerate(text):
        here = _kind(character)
        clings = joins or here == "clings" or (here == kind == "word")
        if here == "space":
            kind = ""
        elif kind and clings:
            offsets[-1] = (offsets[-1][0], i + 1)
        else:
            offsets.append((i, i + 1))
            kind = here
        joins = character == "\u200d" and bool(kind)
    return offsets


def _kind(character: str) -> str:
    if character.isspace() or character == "\ufeff":  # at the start of a file it would be taken for its mark
        return "space"
    if _HAN.match(character):
        return "han"
    if clings(character):
        return "clings"
    return "word" if character.isalnum() else "mark"
