"""Guessed pieces: a language model's scores at the places of a text, as a person reads them.

In:  scores of all pieces at each place asked for, what stands there, which row a place belongs to
Out: the likeliest pieces for a hidden one, or behind a text's end; how well a text is foretold
Knows nothing of models, or of why these places are asked for.
"""

# M places asked for, V pieces of the vocabulary

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Guesses:
    """Scores at the places of a batch, as answers of its rows."""

    scores: Tensor  # (M, V)
    gold: Tensor  # (M,) what stands there
    row: Tensor  # (M,) ascending
    log_shares: Tensor  # (V,) how often each piece stands in the training text
    specials: tuple[int, ...]

    def of(self, r: int, passage: Passage) -> dict[str, Any]:
        """The answer to row r; `passage` is one that it was made from."""
        if isinstance(passage, Asked):
            return self.candidates(r, passage.spell)
        told = self.foretold(r)
        return {"next": self.next(r, passage.spell), **told} if isinstance(passage, Begun) else told

    def foretold(self, r: int) -> dict[str, Any]:
        """How well the pieces of a row that were asked for are guessed."""
        own = self.row == r
        scores, gold = self.scores[own], self.gold[own]
        if not len(gold):
            return {"loss": 0.0, "perplexity": 1.0, "positions": 0, "right": 0, "unigram": 0.0, "unigram_right": 0}
        loss = float(F.cross_entropy(scores, gold))
        return {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "positions": len(gold),
            "right": int((scores.argmax(dim=-1) == gold).sum()),
            "unigram": float(-self.log_shares[gold].mean()),
            "unigram_right": int((gold == self.log_shares.argmax()).sum()),
        }

    def candidates(self, r: int, spell: Spell) -> dict[str, Any]:
        """The likeliest pieces at the first hidden place of a row; at all of them where there are several."""
        best = [_named(one, spell) for one in self.scores[self.row == r]]
        answer: dict[str, Any] = {"candidates": best[0]}
        return answer if len(best) == 1 else {**answer, "masks": [{"candidates": one} for one in best]}

    def next(self, r: int, spell: Spell) -> list[dict[str, Any]]:
        """The likeliest pieces behind the end of a row, at its last place. Specials are left out: where a passage of
        the training ended tells nothing of a text."""
        last = self.scores[self.row == r][-1].clone()
        last[list(self.specials)] = -torch.inf
        return _named(last, spell)


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
