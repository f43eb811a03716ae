"""Embeddings: a vector a text, near to those of texts that mean the same or answer it.

In:  rows of one of these forms; to answer: `text`
         query positive [negative]   what is to be found for the query, and what is not
         text_a text_b label         a number, larger for texts that are more alike
         text                        nothing but texts
Out: `{"vector"}`, of length one
Knows nothing of files, of the training loop or of how a model is stored.

The form chooses the loss. A query's positive is told from all other texts of the batch (InfoNCE: van den Oord et al.
2018, equation 4; in both directions as Radford et al. 2021, figure 3). Pairs with a number are to be in its order
(CoSENT: Su 2022). A text alone is its own positive, seen through another dropout (SimCSE: Gao et al. 2021, equation 4).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError
from bertie.data.batches import Batch, Example, stack
from bertie.data.mining import Vectors, best_places, hard_negatives, query_blocks
from bertie.data.relevance import Relevance
from bertie.data.rows import Row, Rows
from bertie.metrics.correlation import pearson, spearman
from bertie.metrics.ranking import ndcg, recall, reciprocal_rank
from bertie.metrics.samples import CorrelationSample
from bertie.nn.encoder import Encoder
from bertie.nn.heads import make_pooling
from bertie.nn.losses import cosine_order, in_batch_contrastive
from bertie.tasks.base import Answer, Scores, Task, TaskSettings, VectorPooling
from bertie.text.normalise import fold
from bertie.text.tokenizer import Encoded, Tokenizer

FORMS = (("query", "positive"), ("text_a", "text_b", "label"), ("text",))
"""Columns that rows to learn from may have; the first that are all there say the form."""
FOUND_METRICS = ("ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10")
ORDER_METRICS = ("spearman", "pearson")
"""Of pairs with a number; of what is to be found those above."""
VECTORS = ("vector", "positive", "vector_b")
RANKED = 100
"""Best candidates that are looked at for each query; a positive further down is not found."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings(TaskSettings):
    """What a recipe may say about the task."""

    pooling: Literal["auto", "mean", "first"] = "auto"
    """How token states become one vector: their mean, or the first token's; `auto`: as the model was trained, where its
    folder says so (`1_Pooling/config.json`), else the mean."""
    temperature: float = 0.05
    """Cosines are divided by this before the softmax; small: only the nearest texts count."""
    matryoshka: tuple[int, ...] = ()
    """Sizes whose leading numbers alone must serve too (Kusupati et al. 2022, equation 1), such as 64 and 128."""
    prefix: str = "auto"
    """Put before every text; `auto`: what the model was trained with, `query: ` for e5, where the catalogue or its
    folder says so (`config_sentence_transformers.json`)."""
    mined_negatives: int = 0
    """Texts that look like the positive and are not, found once before training and told apart in each row beside
    those of the batch; each costs as much as the positive."""
    negative_margin: float = 0.05
    """A text whose cosine to the positive is above 1 - this is never mined as a negative: it may say the same."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0.0:
            raise ValueError(f"temperature is {self.temperature}, expected more than 0")
        if self.mined_negatives < 0:
            raise ValueError(f"mined_negatives is {self.mined_negatives}, expected 0 or more")
        if any(size < 1 for size in self.matryoshka):
            raise ValueError(f"matryoshka is {list(self.matryoshka)}, expected sizes from 1 up to the encoder's width")


@dataclass(frozen=True)
class EmbeddingExample(Example):
    """A row whose texts have one sequence each, or with windows several."""

    windows: tuple[int, ...] = (1,)
    """Sequences of each text."""
    second: str = "positive"
    """Under which name the vector of the second text is answered."""


class Embedding(Task):
    """Pooled states at length one; no parameters of its own."""

    name = "embedding"
    kind = "embedding"
    columns = ("text",)
    gives_vectors = True
    compares_rows = True

    def __init__(self, *, prefix: str, settings: EmbeddingSettings) -> None:
        """`prefix` is what really stands before a text."""
        super().__init__()
        self.prefix, self.settings = prefix, settings
        self.pooling_name = "mean" if settings.pooling == "auto" else settings.pooling

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Embedding:
        """DataError where rows are not all of one form, or there is nothing to tell apart."""
        options = from_dict(EmbeddingSettings, settings, "task")
        form = _form(rows)
        if form == FORMS[1]:
            numbers = _numbers(rows)
            if len(set(numbers)) < 2:
                raise DataError(
                    f"{rows.source}: every label is {numbers[0]:g}; expected pairs that are more and less alike, or "
                    "query and positive where all of them belong together"
                )
        elif len(set(rows.column(form[-1]))) < 2:
            raise DataError(f"{rows.source}: every row has the same {form[-1]}; expected at least two different ones")
        if options.mined_negatives and form != FORMS[0]:
            raise DataError(f"{rows.source}: task.mined_negatives needs query and positive, found {', '.join(form)}")
        return cls(prefix="" if options.prefix == "auto" else options.prefix, settings=options)

    def settle(self, prefix: str, pooling: VectorPooling = "mean") -> None:
        if self.settings.prefix == "auto":
            self.prefix = prefix
        if self.settings.pooling == "auto":
            self.pooling_name, self.settings = pooling, replace(self.settings, pooling=pooling)

    def study(self, rows: Rows, vectors: Vectors) -> Rows:
        """A text alone as its own positive; with the negatives that are to be mined."""
        if _form(rows) == FORMS[2]:
            return replace(rows, rows=[{"query": row["text"], "positive": row["text"]} for row in rows])
        options = self.settings
        if not options.mined_negatives:
            return rows
        mined = hard_negatives(rows, vectors, options.mined_negatives, options.negative_margin)
        return rows.with_column("mined", mined)

    def accept(self, rows: Rows) -> Rows:
        """Labels as numbers. Texts alone are judged by whether the beginning of each finds its end (cropping: Izacard
        et al. 2022).
        """
        form = _form(rows)
        if form != FORMS[2]:
            return rows.with_column("label", _numbers(rows)) if form == FORMS[1] else rows
        halved = [(i, halves) for i, row in enumerate(rows) if (halves := _halves(row["text"]))]
        if not halved:
            raise DataError(f"{rows.source}: no text is long enough to be halved, expected two words or more in some")
        made = [{"query": first, "positive": second} for _, (first, second) in halved]
        return replace(rows.take([i for i, _ in halved]), rows=made, notes=rows.notes)

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The text, under whichever name; of a row to judge its other text too."""
        if "text_a" in row and "text" not in row:
            if not (isinstance(row["text_a"], str) and isinstance(row.get("text_b"), str)):
                raise DataError("columns 'text_a' and 'text_b' must be texts; the model needs text")
            return {"text_a": row["text_a"], "text_b": row["text_b"]}
        text = row.get("text", row.get("query"))
        if not isinstance(text, str):
            raise DataError("column 'text' is missing or no text; the model needs text")
        positive = row.get("positive")
        return {"text": text} | ({"positive": positive} if isinstance(positive, str) else {})

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return _texts(row)[:1]

    def description(self) -> dict[str, Any]:
        return {"prefix": self.prefix, "settings": to_dict(self.settings)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Embedding:
        return cls(prefix=description["prefix"], settings=from_dict(EmbeddingSettings, description["settings"], "task"))

    def build_head(self, hidden_size: int) -> None:
        if any(size > hidden_size for size in self.settings.matryoshka):
            raise DataError(f"task.matryoshka is {list(self.settings.matryoshka)}, the encoder is {hidden_size} wide")
        self.pooling = make_pooling(self.pooling_name, hidden_size)

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        texts = [_texts(row) for row in rows]
        flat = [self.prefix + text for row in texts for text in row]
        encoded = iter(self.settings.sequences(tokenizer, flat, None, max_length))
        return [_example([next(encoded) for _ in own], row) for own, row in zip(texts, rows, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        """Targets: the identity of each text (V,), or of pairs with a number how alike they are (R,)."""
        batch, targets = stack(examples, pad_id), [example.target for example in examples]
        if None in targets:
            return batch
        numbers = [one for target in targets for one in (target if isinstance(target, tuple) else (target,))]
        return replace(batch, targets=torch.tensor(numbers))

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Vectors (V, D) of length one; of a row the query's, the positive's, the negatives', as far as it has them."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        pooled = self.pooling(states, batch.attention_mask).float()  # (S, D)
        texts = _texts_of(batch)
        place = torch.tensor([v for v, count in enumerate(texts) for _ in range(count)], device=pooled.device)  # (S,)
        # Windows of one text add up to its mean; what length the sum has is gone after the normalisation.
        return F.normalize(pooled.new_zeros(len(texts), pooled.shape[1]).index_add_(0, place, pooled), dim=-1)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        assert batch.targets is not None, "a batch without positives has no loss"
        sides = torch.tensor([side for example in batch.examples for side in range(_sides(example))])  # (V,)
        sides = sides.to(output.device)
        sizes = (*self.settings.matryoshka, None)
        return torch.stack([self._loss(output, batch.targets, sides, size) for size in sizes]).mean()

    def _loss(self, output: Tensor, targets: Tensor, sides: Tensor, size: int | None) -> Tensor:
        """Of the first `size` numbers of each vector. Targets that are no whole numbers say how alike two texts are."""
        places = (sides == 0, sides == 1, sides > 1)
        first, second, negatives = (F.normalize(output[one][:, :size], dim=-1) for one in places)  # R, R and M of them
        if targets.is_floating_point():
            return cosine_order((first * second).sum(dim=-1), targets, 1.0 / self.settings.temperature)
        asked, right, wrong = (targets[one] for one in places)
        return in_batch_contrastive(first, second, negatives, (asked, right, wrong), self.settings.temperature)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        vectors = iter(output.float().tolist())
        rows = [[next(vectors) for _ in range(_sides(example))] for example in batch.examples]
        names = [example.second for example in batch.examples if isinstance(example, EmbeddingExample)]
        return [
            {"vector": row[0]} | ({name: row[1]} if len(row) > 1 else {}) for row, name in zip(rows, names, strict=True)
        ]

    def unsure(self, answer: Answer) -> bool:
        """A vector is rounded a little everywhere; there is no label that could change."""
        return False

    def kept(self, answer: Answer) -> Answer:
        """Vectors as arrays: lists of numbers need eight times as much."""
        vectors = {name: np.array(value, dtype=np.float32) for name, value in answer.items() if name in VECTORS}
        return {**answer, **vectors}

    def metrics_on(self, rows: Rows) -> tuple[str, ...]:
        return ORDER_METRICS if _form(rows) == FORMS[1] else FOUND_METRICS

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Every query, each once, among all positives of these rows, of which those are right that any of its rows has;
        what only repeats the query does not count. An answer may also be `{"ranked"}`: positives, best first.

        Of pairs with a number: whether their cosines are in its order. An answer may also be `{"cosine"}`.
        """
        if "text_a" in rows[0]:
            return _correlated(answers, rows)
        relevance = Relevance.of(rows)
        every = [answer["ranked"] for answer in answers] if "ranked" in answers[0] else _ranked(answers, rows)
        queries, orders = zip(*((rows[i]["query"], every[i]) for i in relevance.firsts), strict=True)
        barred = map(relevance.echoes, queries)
        ranked = [[text for text in order if text not in out] for order, out in zip(orders, barred, strict=True)]
        relevant = list(map(relevance.right, queries))
        per_row = {
            "ndcg_at_10": ndcg(ranked, relevant, 10),
            "mrr_at_10": reciprocal_rank(ranked, relevant, 10),
            "recall_at_1": recall(ranked, relevant, 1),
            "recall_at_10": recall(ranked, relevant, 10),
        }
        return Scores("ndcg_at_10", {name: float(np.mean(values)) for name, values in per_row.items()}, per_row)


def _form(rows: Rows) -> tuple[str, ...]:
    """The columns that the rows are learned or judged by; DataError names the first row that has others."""
    form = next((columns for columns in FORMS if set(columns) <= set(rows[0])), FORMS[0])
    missing = next((i for i, row in enumerate(rows) if not set(form) <= set(row)), None)
    if missing is not None:
        raise DataError(f"{rows.where(missing)}: found {', '.join(rows[missing])}, expected {' and '.join(form)}")
    return form


def _numbers(rows: Rows) -> list[float]:
    problems, numbers = [], []
    for i, label in enumerate(rows.column("label")):
        try:
            number = float(label)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            problems.append(f"{rows.where(i)}: the label is {label!r}, expected how alike the texts are, a number")
        numbers.append(number)
    if problems:
        raise DataError(problems)
    return numbers


def _texts(row: Mapping[str, Any]) -> list[str]:
    """All texts of a row whose vectors are wanted: the one that is asked for, be it empty, and those that it has."""
    if "text_a" in row:
        return [row["text_a"], row["text_b"]]
    others = [row.get("positive"), row.get("negative"), *row.get("mined", ())]
    return [row["query"] if "query" in row else row["text"], *(text for text in others if text)]


def _halves(text: str) -> tuple[str, str] | None:
    """The beginning and the end of a text, cut at the first white space behind its middle where there is one."""
    words = text.strip()
    middle = (len(words) + 1) // 2
    space = words.find(" ", middle)
    cut = middle if space < 0 else space
    first, second = words[:cut].strip(), words[cut:].strip()
    return (first, second) if first and second else None


def _correlated(answers: Sequence[Answer], rows: Rows) -> Scores:
    gold = _numbers(rows)
    found = [
        answer["cosine"] if "cosine" in answer else float(np.dot(answer["vector"], answer["vector_b"]))
        for answer in answers
    ]
    metrics = {"spearman": spearman(gold, found), "pearson": pearson(gold, found)}
    return Scores("spearman", metrics, {}, CorrelationSample(gold, found))


def _example(texts: Sequence[tuple[Encoded, ...]], row: Row) -> EmbeddingExample:
    sequences = tuple(sequence for text in texts for sequence in text)
    windows = tuple(len(text) for text in texts)
    if "text_a" in row:
        target = float(row["label"]) if "label" in row else None
        return EmbeddingExample(sequences, target, windows, "vector_b")
    identities = tuple(map(_identity, _texts(row))) if row.get("positive") else None
    return EmbeddingExample(sequences, identities, windows)


def _sides(example: Example) -> int:
    assert isinstance(example, EmbeddingExample)
    return len(example.windows)


def _texts_of(batch: Batch) -> list[int]:
    """Sequences of each text of the batch (V,)."""
    return [count for example in batch.examples if isinstance(example, EmbeddingExample) for count in example.windows]


def _identity(text: str) -> int:
    """The same number for the same text, but for case, spacing and marks."""
    return int.from_bytes(hashlib.sha256(fold(text).encode("utf-8", "replace")).digest()[:7])


def _ranked(answers: Sequence[Answer], rows: Rows) -> list[list[str]]:
    """The positives of all rows by their cosine to each query, best first."""
    known = {row["positive"]: answer["positive"] for row, answer in zip(rows, answers, strict=True)}
    names = list(known)
    candidates: NDArray[np.float32] = np.array([known[name] for name in names], dtype=np.float32)  # (P, D)
    asked: NDArray[np.float32] = np.array([answer["vector"] for answer in answers], dtype=np.float32)  # (N, D)
    return [
        [names[i] for i in best_places(cosines, RANKED)]
        for part in query_blocks(len(asked), len(names))
        for cosines in asked[part] @ candidates.T
    ]
