"""Re-ranking: how well a text answers a query, both read together, to order what a first search has found.

In:  rows with `query`, `positive`, perhaps `negative`; or with `query`, `candidates` and which of them are `positives`;
     to answer: `query` and `text`, or `query` and `candidates`
Out: `{"score"}`, or `{"scores"}` in the order of the candidates; larger is better, within one query
Knows nothing of files, of the training loop or of how a model is stored.

A cross-encoder (Nogueira & Cho 2019): query and text are one sequence, so that each word sees those of the other side.
Learned by telling what is right from k texts that look like it (softmax over the list: Cao et al. 2007).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data import spans
from bertie.data.batches import Batch, Example, stack
from bertie.data.mining import Vectors, best_by_words, hard_negatives
from bertie.data.relevance import Relevance
from bertie.data.rows import Row, Rows
from bertie.metrics.ranking import ndcg, recall, reciprocal_rank
from bertie.nn.encoder import Encoder
from bertie.nn.losses import listwise_cross_entropy
from bertie.nn.pair_head import PairHead
from bertie.nn.sequence_parts import SequencePart, read_states
from bertie.tasks.base import Answer, Mistake, Scores, Task, TaskSettings, VectorPooling
from bertie.text.tokenizer import Encoded, Tokenizer

SEEN = 0.5
"""Part of the right texts that is to be among the candidates; of less a person is told."""


@dataclass(frozen=True, kw_only=True)
class RerankingSettings(TaskSettings):
    """What a recipe may say about the task."""

    negatives: int = 4
    """Texts beside the right one that a training row is told from; each costs as much as the right one."""
    negative_margin: float = 0.05
    """A text whose cosine to the right one is above 1 - this is never mined as a negative: it may say the same."""
    candidates: int = 20
    """Texts to be ordered for each query of the rows that judge, where their file names none: the best by BM25."""
    prefix: str = "auto"
    """Put before a text when negatives are mined by its vector; `auto`: what the model was trained with."""
    pooling: Literal["auto", "mean", "first"] = "auto"
    """How that vector is made of token states: their mean, or the first token's; `auto`: as the model was trained."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.negatives < 1 or self.candidates < 2:
            raise ValueError(
                f"negatives is {self.negatives} and candidates {self.candidates}, expected 1 or more and 2 or more"
            )


@dataclass(frozen=True)
class Candidates(Example):
    """A query with its texts, each of one sequence or with windows several; the target says which are right."""

    windows: tuple[int, ...] = (1,)
    """Sequences of each text."""
    several: bool = False
    """Whether a list was asked for."""


class Reranking(Task):
    """One linear layer over the pair; of the windows of a text the best counts (Dai & Callan 2019, MaxP)."""

    name = "reranking"
    kind = "reranking"
    columns = ("query", "text")

    def __init__(self, *, prefix: str, settings: RerankingSettings) -> None:
        """`prefix` is what the encoder was trained with before a text; it is needed only to mine with it."""
        super().__init__()
        self.prefix, self.settings = prefix, settings
        self.pooling_name = "mean" if settings.pooling == "auto" else settings.pooling

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Reranking:
        """DataError where rows have neither positives nor candidates, or nothing can be told apart."""
        options = from_dict(RerankingSettings, settings, "task")
        problems = [f"{rows.where(i)}: {problem}" for i, row in enumerate(rows) if (problem := _problem(row))]
        if problems:
            raise DataError(problems)
        if "positive" in rows[0]:
            if len(set(rows.column("positive"))) < 2:
                raise DataError(f"{rows.source}: every row has the same positive; expected at least two different ones")
        elif not any(map(_wrongs, rows)):
            raise DataError(
                f"{rows.source}: in every row all candidates are positives, expected wrong ones among them; add some, "
                "or give query and positive"
            )
        return cls(prefix="" if options.prefix == "auto" else options.prefix, settings=options)

    def settle(self, prefix: str, pooling: VectorPooling = "mean") -> None:
        if self.settings.prefix == "auto":
            self.prefix = prefix
        if self.settings.pooling == "auto":
            self.pooling_name, self.settings = pooling, replace(self.settings, pooling=pooling)

    def study(self, rows: Rows, vectors: Vectors) -> Rows:
        """Each positive with the row's own negative and with mined ones; of given candidates the first that are wrong.
        A row with many positives becomes several, each with as many of them as negatives at most.

        Rows that leave nothing to tell apart are left out, and a note says how many; DataError where all do.
        """
        count = self.settings.negatives
        if "positive" in rows[0]:
            mined = hard_negatives(rows, vectors, count, self.settings.negative_margin)
            own = [[row["negative"]] if row.get("negative") else [] for row in rows]
            wrongs = [list(dict.fromkeys([*one, *more]))[:count] for one, more in zip(own, mined, strict=True)]
        else:
            wrongs = list(map(_wrongs, rows))
        made = [(i, part) for i, row in enumerate(rows) if wrongs[i] for part in _parts(row, wrongs[i], count)]
        if not made:
            raise DataError(
                f"{rows.source}: no row has a wrong text from which its positive could be told; add negatives or wrong "
                f"candidates, or lower task.negative_margin, which is {self.settings.negative_margin}"
            )
        left = wrongs.count([])
        note = f"{left} of {len(rows)} training rows are left out: in them there is nothing to tell apart"
        notes = [*rows.notes, *([note] if left else [])]
        return replace(rows.take(i for i, _ in made), rows=[part for _, part in made], notes=notes)

    def accept(self, rows: Rows) -> Rows:
        """Rows with candidates: where the file names none, the best of all positives of these rows by BM25, of which
        those are right that any row of the query has; each query once. A note says where most of what is right is not
        among them.
        """
        problems = [f"{rows.where(i)}: {problem}" for i, row in enumerate(rows) if (problem := _problem(row))]
        if problems:
            raise DataError(problems)
        if "candidates" in rows[0]:
            return rows
        relevance, found = Relevance.of(rows), best_by_words(rows, self.settings.candidates)
        places = relevance.firsts
        made = [
            {"query": rows[i]["query"], "candidates": found[i], "positives": relevance.right(rows[i]["query"])}
            for i in places
        ]
        return replace(rows.take(places), rows=made, notes=[*rows.notes, *_missed(made, rows.source)])

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The query, and a text or a list of them."""
        if not isinstance(row.get("query"), str):
            raise DataError("column 'query' is missing or no text; the model needs query, and text or candidates")
        if "candidates" not in row:
            return super().asked(row)
        texts = row["candidates"]
        if not isinstance(texts, list):
            raise DataError(f"column 'candidates' is {spans.found(texts)}, expected a list of texts")
        odd = [spans.found(one) for one in texts if not isinstance(one, str)]
        if odd or not texts:
            raise DataError(f"column 'candidates' holds {[*odd, 'nothing'][0]}, expected texts, at least one")
        return {"query": row["query"], "candidates": texts}

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return [row["query"], *_texts(row)]

    def description(self) -> dict[str, Any]:
        return {"prefix": self.prefix, "settings": to_dict(self.settings)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Reranking:
        return cls(prefix=description["prefix"], settings=from_dict(RerankingSettings, description["settings"], "task"))

    def build_head(self, hidden_size: int) -> None:
        self.head = PairHead(hidden_size)

    def start_from(self, weight: Tensor) -> None:
        """Puts a linear solution (3 D,) over `pair_features` into the head."""
        with torch.no_grad():
            self.head.output.weight.copy_(weight[None])

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        pairs = [(row["query"], text) for row in rows for text in _texts(row)]
        queries, texts = [query for query, _ in pairs], [text for _, text in pairs]
        encoded = iter(self.settings.sequences(tokenizer, queries, texts, max_length))
        return [_example(row, [next(encoded) for _ in _texts(row)]) for row in rows]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        """Targets (C,): 1 for each candidate that is right, those of a row beside each other."""
        batch, targets = stack(examples, pad_id), [example.target for example in examples]
        return batch if None in targets else replace(batch, targets=torch.tensor([t for one in targets for t in one]))

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Scores (C,), those of a row's candidates beside each other."""
        masks = sides(batch)

        def score(states: Tensor, part: SequencePart) -> Tensor:
            scores: Tensor = self.head(states, *(mask[part.places, : states.shape[1]] for mask in masks))
            return scores

        scores = read_states(encoder, batch.input_ids, batch.attention_mask, batch.token_type_ids, score)  # (S,)
        windows = [count for example in _rows(batch) for count in example.windows]  # (C,)
        if len(windows) == len(scores):
            return scores
        place = torch.tensor([c for c, count in enumerate(windows) for _ in range(count)], device=scores.device)
        return scores.new_full((len(windows),), -torch.inf).scatter_reduce(0, place, scores, "amax")

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without targets has no loss"
        row = torch.tensor([r for r, example in enumerate(_rows(batch)) for _ in example.windows])
        return listwise_cross_entropy(output, batch.targets, row.to(output.device), batch.rows)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        scores = iter(output.float().tolist())
        rows = [(example.several, [next(scores) for _ in example.windows]) for example in _rows(batch)]
        return [{"scores": found} if several else {"score": found[0]} for several, found in rows]

    def averaged(self, answers: Sequence[Answer], row: Mapping[str, Any]) -> Answer:
        """The mean of the scores of each text."""
        name = "scores" if "scores" in answers[0] else "score"
        return {name: np.mean([answer[name] for answer in answers], axis=0).tolist()}

    def unsure(self, answer: Answer) -> bool:
        """A score is rounded a little everywhere; there is no label that could change."""
        return False

    @property
    def metrics(self) -> tuple[str, ...]:
        return "mrr_at_10", "ndcg_at_10", "recall_at_1", "in_candidates"

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Rows with candidates, as `accept` gives them; a right text that is not among them counts as missed."""
        ranked, scores = rows.column("candidates"), [answer["scores"] for answer in answers]
        relevant = rows.column("positives")
        per_row = {
            "mrr_at_10": reciprocal_rank(ranked, relevant, 10, scores),
            "ndcg_at_10": ndcg(ranked, relevant, 10, scores),
            "recall_at_1": recall(ranked, relevant, 1, scores),
            "in_candidates": recall(ranked, relevant, max(map(len, ranked))),
        }
        return Scores("mrr_at_10", {name: float(np.mean(values)) for name, values in per_row.items()}, per_row)

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """Another text stands above all that are right; how sure: its share against the best of them."""
        scores = dict(zip(row["candidates"], answer["scores"], strict=True))
        first = max(scores, key=lambda text: scores[text])
        right = [text for text in row["positives"] if text in scores]
        if not right or first in right:
            return None
        gold = max(right, key=lambda text: scores[text])
        return Mistake(row["query"], gold, first, float(1 / (1 + np.exp(scores[gold] - scores[first]))))


def sides(batch: Batch) -> tuple[Tensor, Tensor]:
    """Which tokens are the query's and which the text's, (S, T) bool each."""
    sequence = torch.full(batch.input_ids.shape, -1)
    for s, one in enumerate(one for example in batch.examples for one in example.sequences):
        sequence[s, : len(one)] = torch.tensor([-1 if side is None else side for side in one.sequence])
    sequence = sequence.to(batch.input_ids.device)
    return sequence == 0, sequence == 1


def _rows(batch: Batch) -> list[Candidates]:
    return [example for example in batch.examples if isinstance(example, Candidates)]


def _example(row: Mapping[str, Any], texts: Sequence[tuple[Encoded, ...]]) -> Candidates:
    """A row that does not say what is right, or of which that is not among the candidates, has no target."""
    rights = set(row.get("positives", ()))
    target = [float(text in rights) for text in _texts(row)] if rights.intersection(_texts(row)) else None
    windows = tuple(len(text) for text in texts)
    return Candidates(tuple(one for text in texts for one in text), target, windows, "candidates" in row)


def _texts(row: Mapping[str, Any]) -> list[str]:
    if "candidates" in row:
        return list(row["candidates"])
    return [row["text"] if "text" in row else row["positive"]]


def _rights(row: Mapping[str, Any]) -> list[str]:
    return list(row["positives"]) if "positives" in row else [row["positive"]]


def _wrongs(row: Mapping[str, Any]) -> list[str]:
    """The candidates of a row that are no positives."""
    return [text for text in row["candidates"] if text not in row["positives"]]


def _missed(made: Sequence[Row], source: str) -> list[str]:
    """A note where the first search finds less than half of what is right: no order of its candidates can mend that."""
    ranked = [row["candidates"] for row in made]
    share = float(np.mean(recall(ranked, [row["positives"] for row in made], max(1, *map(len, ranked)))))
    if share >= SEEN:
        return []
    return [
        f"{source}: {share:.0%} of the right texts are among the candidates that BM25 finds, others count as missed; "
        "raise task.candidates, or give columns query, candidates and positives"
    ]


def _parts(row: Mapping[str, Any], wrongs: list[str], count: int) -> list[Row]:
    """Rows that hold at most `count` of what is right, and as much that is wrong; where that ends, from its beginning.

    All candidates of a row are learned at once, so that its positives alone could fill the memory.
    """
    found, rights = list[Row](), _rights(row)
    for start in range(0, len(rights), count):
        some, others = rights[start : start + count], wrongs[start : start + count] or wrongs[:count]
        found.append({"query": row["query"], "candidates": [*some, *others], "positives": some})
    return found


def _problem(row: Mapping[str, Any]) -> str | None:
    """Why a row cannot be learned from or judged by."""
    if isinstance(row.get("query"), str) and ("positive" in row or {"candidates", "positives"} <= set(row)):
        return None if _rights(row) else "there is no positive, expected at least one; add it or delete the row"
    return f"found {', '.join(row)}, expected query and positive, or query, candidates and positives"
