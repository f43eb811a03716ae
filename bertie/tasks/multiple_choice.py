"""Multiple choice: which of a few choices answers a question, continues a text, or is the more likely cause.

In:  rows with `question` and `choices`, perhaps a `context`; `answer`, the index of the right choice
Out: `{"choice", "index", "scores"}`, one probability a choice
Knows nothing of files, of the training loop or of how a model is stored.

    row         context, question, choices a b
    sequences   question + context | a | b          read apart: the question's vector beside each choice's
                question + a, context | question + b, context      read together; without a context: question, a
                of what is too long the choice is never cut: it stands in each part that is read
    features    u * v, |u - v|, pair                one linear layer, the same for every choice: a score
    output      softmax over the choices of the row (Radford et al. 2018, section 3.3)

Rows may have different numbers of choices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data.batches import Batch, Example, stack_numbers
from bertie.data.cells import CellError
from bertie.data.row_checks import multiple_choice as read_row
from bertie.data.row_checks import read_each
from bertie.data.rows import Rows
from bertie.nn.choice_features import CHOICE, PAIR, QUESTION, by_row, choice_features
from bertie.nn.encoder import Encoder
from bertie.nn.heads import mean_pool
from bertie.nn.relation_head import RelationHead
from bertie.nn.sequence_parts import SequencePart, read_states
from bertie.tasks.base import Answer, Mistake, Scores, Task, TaskSettings
from bertie.text.kept_parts import Kept, encode_kept
from bertie.text.tokenizer import Encoded, Tokenizer

# S sequences, R rows, N choices of all rows, K most choices of a row, D width
Part = tuple[Encoded, int, int]
"""A sequence, what it is, and of which choice, 0 for the question."""


@dataclass(frozen=True, kw_only=True)
class MultipleChoiceSettings(TaskSettings):
    """What a recipe may say about the task."""

    reading: Literal["both", "apart", "together"] = "both"
    """`apart`: question and choices each for itself, their vectors compared; `together`: question and choice as one
    sequence that attends to both; `both`: the head sees what either gives."""
    dropout: float = 0.1
    """Share of the features that is dropped in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}, expected 0 to below 1")

    @property
    def parts(self) -> int:
        """How many vectors beside each other the head reads."""
        return {"both": 3, "apart": 2, "together": 1}[self.reading]


@dataclass(frozen=True)
class Offer(Example):
    """A row's sequences, and what each of them is of; the target is the index of the right choice."""

    choices: tuple[str, ...] = field(kw_only=True)
    roles: tuple[tuple[int, int], ...] = field(kw_only=True)
    """For each sequence what it is (`nn/choice_features.py`), and of which choice, 0 for the question."""


class MultipleChoice(Task):
    """A score a choice by one linear layer over question, choice and both; softmax over the choices of a row."""

    name = "multiple_choice"
    kind = "multiple_choice"

    def __init__(self, *, context: bool, settings: MultipleChoiceSettings, first: int | None = None) -> None:
        """`context`: the rows have one; where a single row lacks it, it is empty. `first`: the number of the first
        choice in the file, where it showed that.
        """
        super().__init__()
        self.context, self.settings, self.first_choice = context, settings, first
        self.columns = ("context", "question", "choices") if context else ("question", "choices")

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> MultipleChoice:
        """Whether there are contexts; DataError names the rows that do not fit."""
        options = from_dict(MultipleChoiceSettings, settings, "task")
        read_each(rows, _read)
        return cls(context=any("context" in row for row in rows), first=rows.first, settings=options)

    def accept(self, rows: Rows) -> Rows:
        """The same rows; DataError as in `from_rows`."""
        read_each(rows, _read)
        return rows

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Question and choices, and the context, empty where there is none."""
        names = {name: name for name in self.columns if name in row or name != "context"}
        try:
            found = read_row(row, names, for_prediction=True)
        except CellError as error:
            raise DataError(str(error)) from error
        return {"context": "", **found} if self.context else found

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return [*_asked_texts(row), *row["choices"]]

    def description(self) -> dict[str, Any]:
        return {"context": self.context, "first": self.first_choice, "settings": to_dict(self.settings)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> MultipleChoice:
        options = from_dict(MultipleChoiceSettings, description["settings"], "task")
        return cls(context=description["context"], first=description.get("first"), settings=options)

    @property
    def chooses(self) -> bool:
        return True

    def build_head(self, hidden_size: int) -> None:
        self.head = RelationHead(hidden_size, 1, parts=self.settings.parts, dropout=self.settings.dropout)

    def start_from(self, weight: Tensor, centre: Tensor, scale: Tensor) -> None:
        """Puts a linear solution (F,) over `features` into the head (Kumar et al. 2022: probe, tune).

        `centre` and `scale` (F,) are mean and deviation of each feature, as `RelationHead.start_from` wants them.
        """
        self.head.start_from(weight[None], weight.new_zeros(1), centre, scale)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """An `Offer` a row."""
        places = [(r, k) for r, row in enumerate(rows) for k in range(len(row["choices"]))]
        choices = [row["choices"][k] for row in rows for k in range(len(row["choices"]))]
        found: list[list[Part]] = [[] for _ in rows]

        def add(role: int, where: Sequence[tuple[int, int]], encoded: Sequence[Sequence[Encoded]]) -> None:
            for (r, k), sequences in zip(where, encoded, strict=True):
                found[r] += [(sequence, role, k) for sequence in sequences]

        if self.settings.reading != "together":
            asked = [" ".join(_asked_texts(row)) for row in rows]
            add(
                QUESTION,
                [(r, 0) for r in range(len(rows))],
                self.settings.sequences(tokenizer, asked, None, max_length),
            )
            add(CHOICE, places, self.settings.sequences(tokenizer, choices, None, max_length))
        if self.settings.reading != "apart":
            offered = [(rows[r], choice) for (r, _), choice in zip(places, choices, strict=True)]
            add(PAIR, places, self._pairs(offered, tokenizer, max_length))
        return [_offer(row, parts) for row, parts in zip(rows, found, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack_numbers(examples, pad_id)

    def features(self, encoder: Encoder, batch: Batch) -> Tensor:
        """What the head reads of every choice (N, F), float32."""
        role, place, owner = _places(batch)
        groups = [one for one in ((role == PAIR).nonzero()[:, 0], (role != PAIR).nonzero()[:, 0]) if len(one)]
        pooled = torch.cat([_pooled(encoder, batch, one) for one in groups])  # (S, D)
        return choice_features(pooled[torch.cat(groups).argsort()], role, place, owner)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Scores (R, K), the least number there is for a choice that a row does not have."""
        scores: Tensor = self.head(self.features(encoder, batch)).squeeze(-1)  # (N,)
        return by_row(scores, _places(batch)[2])

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without targets has no loss"
        return F.cross_entropy(output, batch.targets)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        offers = [cast(Offer, example) for example in batch.examples]
        rows = output.softmax(-1).float().tolist()
        return [answer_from(one.choices, scores) for one, scores in zip(offers, rows, strict=True)]

    def averaged(self, answers: Sequence[Answer], row: Mapping[str, Any]) -> Answer:
        """The mean of the probabilities of each choice."""
        return answer_from(row["choices"], np.mean([answer["scores"] for answer in answers], axis=0).tolist())

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("accuracy",)

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        right = [float(answer["index"] == row["answer"]) for answer, row in zip(answers, rows, strict=True)]
        return Scores("accuracy", {"accuracy": float(np.mean(right))}, {"accuracy": right})

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """Mean probability of the right choices."""
        judged = zip(answers, rows.column("answer"), strict=True)
        return float(np.mean([answer["scores"][right] for answer, right in judged]))

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """Sure by the probability of the answer."""
        right, given = row["answer"], answer["index"]
        if right == given:
            return None
        text, choices = "\n".join(reversed(_asked_texts(row))), row["choices"]
        return Mistake(text, choices[right], choices[given], answer["scores"][given])

    def _pairs(
        self, offered: Sequence[tuple[Mapping[str, Any], str]], tokenizer: Tokenizer, max_length: int
    ) -> list[tuple[Encoded, ...]]:
        """The sequences of each choice with its question, and the context: the choice is whole in all of them."""
        firsts, seconds, kept = list[str](), list[str](), list[Kept]()
        for row, choice in offered:
            question = row["question"]
            firsts.append(f"{question} {choice}" if self.context else question)
            seconds.append(row.get("context", "") if self.context else choice)
            kept.append(Kept(0, len(question)) if self.context else Kept(1))
        overlap = None if self.settings.long_texts == "cut" else self.settings.overlap
        return encode_kept(tokenizer, firsts, seconds, kept, max_length, overlap=overlap)


def answer_from(choices: Sequence[str], scores: Sequence[float]) -> Answer:
    """One probability a choice, perhaps with more behind them, to the answer a person reads."""
    own = list(scores[: len(choices)])
    index = max(range(len(own)), key=lambda i: own[i])
    return {"choice": choices[index], "index": index, "scores": own}


def _offer(row: Mapping[str, Any], parts: Sequence[Part]) -> Offer:
    return Offer(
        tuple(sequence for sequence, _, _ in parts),
        row.get("answer"),
        choices=tuple(row["choices"]),
        roles=tuple((role, choice) for _, role, choice in parts),
    )


def _asked_texts(row: Mapping[str, Any]) -> list[str]:
    """The question, and the context where there is one."""
    context = row.get("context", "")
    return [row["question"], context] if context else [row["question"]]


def _pooled(encoder: Encoder, batch: Batch, chosen: Tensor) -> Tensor:
    """The mean states (s, D) of some sequences (s,), computed no longer than the longest of these: pairs are long."""
    ids, mask, types = (
        None if one is None else one[chosen] for one in (batch.input_ids, batch.attention_mask, batch.token_type_ids)
    )
    assert ids is not None
    if mask is not None:
        longest = int(mask.sum(dim=1).max())
        ids, mask, types = ids[:, :longest], mask[:, :longest], None if types is None else types[:, :longest]
        mask = None if bool(mask.all()) else mask

    def mean(states: Tensor, part: SequencePart) -> Tensor:
        with torch.autocast(states.device.type, enabled=False):
            return mean_pool(states.float(), part.attention_mask)

    return read_states(encoder, ids, mask, types, mean)


def _places(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Role (S,) and place (S,) of each sequence and the row of each choice (N,), as `choice_features` wants them."""
    offers = [cast(Offer, example) for example in batch.examples]
    owner = torch.tensor([r for r, offer in enumerate(offers) for _ in offer.choices])
    flat = torch.tensor(list(_numbered(offers)))  # (S, 2)
    device = batch.input_ids.device
    return flat[:, 0].to(device), flat[:, 1].to(device), owner.to(device)


def _numbered(offers: Sequence[Offer]) -> Iterator[tuple[int, int]]:
    first = 0
    for r, offer in enumerate(offers):
        for role, choice in offer.roles:
            yield role, r if role == QUESTION else first + choice
        first += len(offer.choices)


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("context", "question", "choices", "answer")
    return read_row(row, {name: name for name in names if name in row or name != "context"})
