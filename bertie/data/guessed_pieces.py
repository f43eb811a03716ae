"""Guessed pieces: a language model's scores at the places of a text, as a person reads them.

In:  scores of all pieces at each place asked for, what stands there, which row a place belongs to
Out: the likeliest pieces for a hidden one, or behind a text's end; how well a text is foretold
Knows nothing of models, or of why these places are asked for.
"""

# M places asked for, V pieces of the vocabulary

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.core.errors import UsageError
from bertie.data.passages import Passage
from bertie.text.tokenizer import Tokenizer

CANDIDATES = 5
"""Pieces that are named for a hidden one, or for the next."""
Spell = Callable[[int], str]


@dataclass(frozen=True)
class Asked(Passage):
    """A passage of a person's text with hidden pieces: nobody knows what stands there."""

    spell: Spell = str
    """A piece's id to the piece."""


@dataclass(frozen=True)
class Begun(Passage):
    """A passage of a person's text, read from its beginning: it may go on behind its end."""

    spell: Spell = str
    """A piece's id to the piece."""


@dataclass
class _Row:
    """What has been found of one row."""

    passage: Passage
    nats: float = 0.0
    places: int = 0
    right: int = 0
    unigram: float = 0.0
    unigram_right: int = 0
    candidates: list[list[dict[str, Any]]] = field(default_factory=list)
    next: list[dict[str, Any]] = field(default_factory=list)


class Guesses:
    """Answers of the rows of a batch, from scores that come some places at a time: of these nothing is held."""

    def __init__(self, passages: Sequence[Passage], log_shares: Tensor, specials: Sequence[int]) -> None:
        """`passages`: for each row one of those that it was made into; `log_shares` (V,): how often each piece stands
        in the training text, as logarithms."""
        self.rows = [_Row(passage) for passage in passages]
        self.log_shares, self.specials = log_shares, list(specials)

    def add(self, scores: Tensor, gold: Tensor, row: Tensor) -> None:
        """Scores (M, V) at the places that follow, what stands there (M,), and of which row each is (M,)."""
        for r in sorted(set(row.tolist())):
            own = row == r
            self._add(self.rows[r], scores[own], gold[own])

    def go_on(self, scores: Tensor, row: Tensor) -> None:
        """Scores (M, V) of what follows texts read from their beginning, and of which row each is (M,); of several of a
        row the last one counts."""
        for r, one in zip(row.tolist(), scores, strict=True):
            passage = self.rows[r].passage
            assert isinstance(passage, Begun), "another text has no end to go on from"
            self.rows[r].next = self._next(one, passage.spell)

    def answers(self) -> list[dict[str, Any]]:
        """One a row."""
        return [self._answer(row) for row in self.rows]

    def _add(self, row: _Row, scores: Tensor, gold: Tensor) -> None:
        if isinstance(row.passage, Asked):
            row.candidates += [_named(one, row.passage.spell) for one in scores]
            return
        row.nats += float(F.cross_entropy(scores, gold, reduction="sum"))
        row.places += len(gold)
        row.right += int((scores.argmax(dim=-1) == gold).sum())
        row.unigram -= float(self.log_shares[gold].sum())
        row.unigram_right += int((gold == self.log_shares.argmax()).sum())

    def _next(self, last: Tensor, spell: Spell) -> list[dict[str, Any]]:
        """The likeliest pieces there. Specials are left out: nothing that is foretold is one."""
        last = last.clone()  # (V,)
        last[self.specials] = -torch.inf
        return _named(last, spell)

    def _answer(self, row: _Row) -> dict[str, Any]:
        """The likeliest pieces at the first hidden place, at all of them where there are several; or how well the
        pieces that were asked for are guessed."""
        if isinstance(row.passage, Asked):
            first = {"candidates": row.candidates[0]}
            more = [{"candidates": one} for one in row.candidates]
            return first if len(more) == 1 else {**first, "masks": more}
        loss = row.nats / max(1, row.places)
        told = {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "positions": row.places,
            "right": row.right,
            "unigram": row.unigram / max(1, row.places),
            "unigram_right": row.unigram_right,
        }
        return {"next": row.next, **told} if isinstance(row.passage, Begun) else told


def spelled(tokenizer: Tokenizer, piece: int) -> str:
    """A piece as it stands in the vocabulary; some vocabularies have rows that nothing stands for."""
    try:
        return tokenizer.token(piece)
    except UsageError:
        return f"[unused {piece}]"


def _named(scores: Tensor, spell: Spell) -> list[dict[str, Any]]:
    best = scores.softmax(dim=-1).topk(min(CANDIDATES, len(scores)))  # scores (V,)
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [{"token": spell(piece), "score": score} for score, piece in pairs]
