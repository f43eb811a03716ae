"""Fewer pieces: the part of a vocabulary that a language or a field uses (Abdaoui et al. 2020, "Load what you need").

In:  a tokenizer, texts, how many of its pieces to keep
Out: a tokenizer of these pieces, which cuts the texts as the old one does wherever all that it used is kept
Knows nothing of models: `text/shared_pieces.py` tells which rows of their tables go with the pieces.

Most of a small multilingual encoder is its table of word vectors; of 250,000 pieces a Chinese corpus uses some 15,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

from bertie.core.errors import DataError, UsageError
from bertie.text.learned_pieces import FewPieces
from bertie.text.tokenizer import Tokenizer

_METASPACE = "▁"
_AT_ONCE = 1000  # texts
_WHOLE = 1 << 40  # pieces of a text: more than any has
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def fewer_pieces(tokenizer: Tokenizer, texts: Iterable[str], size: int) -> Tokenizer:
    """The `size` pieces that the texts use most, in the order of their ids: specials first of all, then whatever is
    needed to spell every character that the texts have, or ASCII, then the commonest.

    Raises:
        UsageError: `size` has no room for the characters, or the pieces are merged from each other (BPE).
        DataError: the texts use fewer pieces, or none.
    """
    spec = tokenizer.spec
    kind = spec["model"]["type"]
    if kind not in ("Unigram", "WordPiece"):
        raise UsageError(
            f"the pieces of this {kind} vocabulary are made of each other, so none can be left out; take a model with "
            "a WordPiece or Unigram vocabulary, or learn new pieces without --model"
        )
    mark = spec["model"].get("continuing_subword_prefix", "") if kind == "WordPiece" else _METASPACE
    counts = _used(tokenizer, texts)
    pieces = tokenizer.pieces
    specials = {token["id"] for token in spec["added_tokens"]} | {pieces[one] for one in tokenizer.specials.values()}
    letters = set(_ASCII).union(*(tokenizer.token(piece).removeprefix(mark) for piece in counts))
    spelling = {pieces[form] for letter in (*letters, mark) for form in (letter, mark + letter) if form in pieces}
    kept = [*sorted(specials), *sorted(spelling - specials)]
    if size < len(kept):
        raise UsageError(
            f"--size {size:,} has no room for {len(specials)} specials and {len(kept) - len(specials):,} pieces of one "
            f"character, which spell the text; give at least {len(kept):,}"
        )
    common = sorted(counts.keys() - {*kept}, key=lambda piece: (-counts[piece], piece))
    kept += common[: size - len(kept)]
    if len(kept) < size:
        raise FewPieces(len(kept), size)
    return _with_only(tokenizer, spec, sorted(kept))


def _used(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[int]:
    """How often the texts use each piece."""
    counts: Counter[int] = Counter()
    left = iter(texts)
    while some := list(islice(left, _AT_ONCE)):
        for encoded in tokenizer.encode_batch(some, None, _WHOLE):
            counts.update(piece for piece, side in zip(encoded.ids, encoded.sequence, strict=True) if side is not None)
    counts.pop(tokenizer.unk_id, None)
    if not counts:
        raise DataError("found no text of which this model knows any piece; name another file or another --model")
    return counts


def _with_only(tokenizer: Tokenizer, spec: dict[str, Any], kept: list[int]) -> Tokenizer:
    """The tokenizer of some ids, ascending, which get the numbers from 0 on."""
    number = {old: new for new, old in enumerate(kept)}
    model, inside = dict(spec["model"]), set(kept)
    if model["type"] == "Unigram":
        model["vocab"] = [entry for piece, entry in enumerate(model["vocab"]) if piece in inside]
        model["unk_id"] = number[tokenizer.unk_id]
    else:
        model["vocab"] = {token: number[piece] for token, piece in model["vocab"].items() if piece in inside}
    added = [{**token, "id": number[token["id"]]} for token in spec["added_tokens"]]
    step = spec["post_processor"]
    made = {**spec, "model": model, "added_tokens": added, "post_processor": step and _renumbered(step, number)}
    return Tokenizer(made, tokenizer.specials, "the pieces that are kept")


def _renumbered(step: dict[str, Any], number: dict[int, int]) -> dict[str, Any]:
    """A post-processor of tokenizer.json, whose specials have other ids."""
    made = dict(step)
    if "processors" in step:
        made["processors"] = [_renumbered(one, number) for one in step["processors"]]
    if "special_tokens" in step:
        tokens = step["special_tokens"].items()
        made["special_tokens"] = {name: {**one, "ids": [number[old] for old in one["ids"]]} for name, one in tokens}
    for role in ("sep", "cls"):
        if role in step:
            token, old = step[role]
            made[role] = [token, number[old]]
    return made
