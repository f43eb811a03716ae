"""Question answering: the piece of a passage that answers a question, or that there is none.

In:  rows with `context` and `question`; `answers`, each with `text` and `start`, in characters of the context
Out: `{"answer", "start", "end", "score"}`; answer, start and end are null where the passage has no answer
Knows nothing of files, of the training loop or of how a model is stored.

A sequence is the question and as much of the passage as fits, so a long passage gives several:

    [CLS] question [SEP] passage, first window  [SEP]     start, end: 3, 5     the answer is in it
    [CLS] question [SEP] passage, second window [SEP]     start, end: 0, 0     no answer, which is the first token

Every token is scored as start and as end (Devlin et al. 2019, sections 4.2 and 4.3). There is no threshold for "no
answer" to tune: its scores are learned by the loss like all others, from rows and from windows that have none, so what
the scores say of it is a probability already.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, UsageError
from bertie.data.answers import check_answers
from bertie.data.batches import Batch, Example, stack
from bertie.data.excerpts import excerpts
from bertie.data.mining import Vectors
from bertie.data.rows import Rows
from bertie.metrics.answers import answer_f1, exact_match
from bertie.metrics.expected_f1 import expected_f1
from bertie.metrics.labels import told_unseen
from bertie.nn.answer_spans import LikelySpan, likely_spans
from bertie.nn.encoder import Encoder
from bertie.nn.losses import IGNORED
from bertie.nn.match_features import FEATURES, match_features
from bertie.nn.token_head import SpanPointer
from bertie.tasks.base import Answer, Defaults, Mistake, Scores, Task, TaskSettings
from bertie.text.least_pieces import least_pieces
from bertie.text.sentences import sentences
from bertie.text.tokenizer import Encoded, Tokenizer
from bertie.text.whole_words import Place, WholeWords, clings

# R rows, S sequences, T tokens, D width, F match features, K candidates of a row
Tokens = tuple[int, int]
"""First and last token of an answer in a sequence."""

NO_ANSWER: Tokens = (0, 0)
"""The first token is the first and the last one of no answer."""
CANDIDATES = 128
"""Spans of each window among which an answer is looked for. The others have too little probability to change it."""
LENGTH_DEVIATION = 0.5
"""Least deviation of the logarithm of lengths: a few answers do not show how long an answer can be."""
NEGLIGIBLE = 10.0
"""Nats below the best candidate at which one no longer counts: less than 0.00005 of its probability."""


@dataclass(frozen=True, kw_only=True)
class QuestionAnsweringSettings(TaskSettings):
    """What a recipe may say about the task."""

    long_texts: Literal["cut", "windows"] = "windows"
    """A passage longer than the model: `windows` reads all of it in overlapping parts, each with the question, and
    takes the best answer of all; `cut` reads its beginning."""
    learned: int = 160
    """Pieces of a passage that a training row keeps, about: the sentences around its answer, and of one in three rows a
    part without it. 0: all of it, at several times the time."""
    longest: int = 64
    """Most pieces of an answer. A Han character is a piece, an English word one or two."""
    choose: Literal["expected_f1", "probability"] = "expected_f1"
    """Which of the likely spans is the answer: the one with the largest F1 to expect, or the most probable one, which
    is more often right to the letter and more often beside the mark."""
    length_prior: bool = True
    """Weigh spans by how usual their length was among the training answers. Starts and ends are scored apart, so the
    start of one good candidate and the end of another would make a long third one."""
    match_feature: bool = True
    """Tell the head of each token whether it stands in the question, and how much of the question stands around it and
    in its sentence (Chen et al. 2017, section 3.2), which a few thousand questions do not teach an encoder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest < 1:
            raise ValueError(f"longest is {self.longest}, expected 1 piece or more")


@dataclass(frozen=True)
class Passage(Example):
    """A question with the windows over its context; the target holds first and last token of the answer in each."""

    context: str = field(kw_only=True)
    """What the offsets of the pieces point into."""
    sentence: tuple[list[int], ...] = field(kw_only=True)
    """For each sequence the number of each token's sentence, -1 for what is no part of the context."""


class QuestionAnswering(Task):
    """A pointer to the first and the last token of the answer; of what it points to, the span with the best prospect.

    The windows of a row are merged by their odds against no answer. Where only one of them has the answer, the chance
    of a span is its own in its window times that of no answer in all others, which is p(span) / p(none) of its window,
    up to a factor that all spans and no answer (whose odds are 1) share.

    The most probable span need not be the best answer: where "in June 1998", "1998" and "June 1998" share the
    probability, the last has the best F1 to expect, though each may be less probable than no answer. So each candidate
    gets the F1 that it can be expected to have, over all candidates as possible truths, and the largest is the answer.
    No answer can expect its probability. `score` is this expectation, 0 to 1; with `choose="probability"` it is the
    probability of the span.
    """

    name = "question_answering"
    kind = "question_answering"
    # An encoder of sentences has never compared a question with a passage: that is learned in its lower layers.
    defaults = Defaults(
        rate_factor=2.5, head_rate_factor=10.0, layer_decay=1.0, fewest_epochs=8, max_length=512, minutes=25.0
    )
    han_isolated = True
    columns = ("context", "question")

    def __init__(self, *, unanswerable: bool, length: tuple[float, float], settings: QuestionAnsweringSettings) -> None:
        """`unanswerable`: training rows without an answer exist; else an answer is always given. `length`: mean and
        deviation of the logarithm of the answers' characters."""
        super().__init__()
        self.unanswerable, self.length, self.settings = unanswerable, length, settings

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> QuestionAnswering:
        """Whether there are questions without an answer, and how long answers are; DataError names rows that do not
        fit, or says that none has an answer."""
        options = from_dict(QuestionAnsweringSettings, settings, "task")
        gold = [row["answers"] for row in check_answers(rows)]
        if not any(gold):
            raise DataError(f"{rows.source}: none of {len(gold)} questions has an answer, expected some; add such rows")
        logs = np.log([len(answers[0]["text"]) for answers in gold if answers])
        length = float(logs.mean()), max(float(logs.std()), LENGTH_DEVIATION)
        return cls(unanswerable=not all(gold), length=length, settings=options)

    def study(self, rows: Rows, vectors: Vectors) -> Rows:
        """Rows with passages as short as the settings say; some twice, with and without their answer."""
        if not self.settings.learned:
            return rows
        made = [
            (i, part)
            for i, row in enumerate(rows)
            for part in excerpts(row, self.settings.learned, Random(f"{i} {row['question']}"))
        ]
        return replace(rows.take(i for i, _ in made), rows=[part for _, part in made])

    def accept(self, rows: Rows) -> Rows:
        """The same rows; DataError names those whose answers are missing or do not stand where they say."""
        return check_answers(rows)

    def expect(self, rows: Rows, judged: Rows) -> list[str]:
        """How many answers are longer than any that is given."""
        longest = self.settings.longest
        answers = [row["answers"][0]["text"] for row in rows if row["answers"]]
        longer = sum(least_pieces(text) > longest for text in answers)
        if not longer:
            return []
        wanted = max(map(least_pieces, answers))
        return [
            f"{longer} of {len(answers)} answers are longer than {longest} pieces and cannot be given whole; "
            f"--set task.longest={wanted} gives the longest of them"
        ]

    def description(self) -> dict[str, Any]:
        return {
            "unanswerable": self.unanswerable,
            "length": list(self.length),
            "settings": to_dict(self.settings),
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> QuestionAnswering:
        values = dict(description)
        options = from_dict(QuestionAnsweringSettings, values.pop("settings"), "task")
        mean, deviation = values.pop("length")
        return cls(length=(mean, deviation), settings=options, **values)

    def build_head(self, hidden_size: int) -> None:
        self.head = SpanPointer(hidden_size + (len(FEATURES) if self.settings.match_feature else 0))

    def start_from(self, weight: Tensor) -> None:
        """Puts weights (2, F) of the match features, for start and end, into the head; states count for nothing yet.

        UsageError where the head is not told of matches.
        """
        if not self.settings.match_feature:
            raise UsageError("a start from matches needs the match features; take task.match_feature=true")
        output = self.head.tokens.output
        with torch.no_grad():
            output.weight.zero_()
            output.weight[:, -len(FEATURES) :] = weight
            output.bias.zero_()

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Windows of each row; DataError only where `max_length` leaves no room."""
        questions, contexts = [row["question"] for row in rows], [row["context"] for row in rows]
        encoded = self.settings.sequences(tokenizer, questions, contexts, max_length, windowed="second")
        return [self._example(row, one) for row, one in zip(rows, encoded, strict=True)]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        """Targets (S, 2): first and last token of the answer in each sequence; 0, 0 for none, `IGNORED` for unknown."""
        batch = stack(examples, pad_id)
        if any(example.target is None for example in examples):
            return batch
        return replace(batch, targets=torch.tensor([place for example in examples for place in example.target]))

    def matches(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the head reads beside the states, (S, T, F), and where an answer may start and end: the passage, and the
        first token, (S, T) bool."""
        question, sentence = _layout(batch)  # (S, T) each
        allowed = sentence >= 0
        allowed[:, 0] = True
        return match_features(batch.input_ids, question, sentence), allowed

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Logits (S, T, 2) of start and end, of the windows of a row beside each other."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (S, T, D)
        features, allowed = self.matches(batch)
        if self.settings.match_feature:
            states = torch.cat([states.float(), features], dim=-1)  # (S, T, D + F)
        logits: Tensor = self.head(states, allowed)
        return logits

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of start and end: their mean, over the windows of a row, over the rows."""
        assert batch.targets is not None, "a batch without targets has no loss"
        # Tokens are the classes, so they come second: (S, T, 2) to (S, T), start and end at once.
        both = F.cross_entropy(output.float(), batch.targets, ignore_index=IGNORED, reduction="none")  # (S, 2)
        return batch.mean_of_rows(both.mean(dim=-1)).mean()

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        windows = iter(likely_spans(output, longest=self.settings.longest, most=CANDIDATES))
        return [self._answer(passage, [next(windows) for _ in passage.sequences]) for passage in _passages(batch)]

    def kept(self, answer: Answer) -> Answer:
        return {"answer": answer["answer"]}

    @property
    def metrics(self) -> tuple[str, ...]:
        return "f1", "exact_match"

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """F1 and exact match as in `metrics.answers`; where rows have no answer, also for both kinds apart."""
        gold, said = [_texts_of(row) for row in rows], [answer["answer"] or "" for answer in answers]
        per_row = {"f1": answer_f1(gold, said), "exact_match": exact_match(gold, said)}
        metrics = {name: float(np.mean(values)) for name, values in per_row.items()}
        asked = np.array([bool(texts) for texts in gold])
        if not asked.all():
            metrics["no_answer_accuracy"] = float(np.mean(np.array(per_row["f1"])[~asked]))
            if asked.any():
                metrics |= {f"answerable_{name}": float(np.mean(np.array(v)[asked])) for name, v in per_row.items()}
        unseen = 0 if self.unanswerable else int((~asked).sum())
        metrics["unseen_labels"] = float(unseen)
        return Scores("f1", metrics, per_row, details=told_unseen({"unanswerable": unseen} if unseen else {}))

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """How near the scores are to the F1 that they promise."""
        found = answer_f1([_texts_of(row) for row in rows], [answer["answer"] or "" for answer in answers])
        promised = np.array([answer["score"] for answer in answers])
        return 1.0 - float(np.abs(np.array(found) - promised).mean())

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        """The question first: where a page has room for the beginning only, that is what a person wants to read."""
        return [row["question"], row["context"]]

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """The less of an answer is right, and the surer it was, the worse."""
        gold, said = _texts_of(row), answer["answer"] or ""
        (found,) = answer_f1([gold], [said])
        if found == 1.0:
            return None
        return Mistake("\n".join(self.texts(row)), gold[0] if gold else "", said, float(answer["score"]) * (1 - found))

    def counts(self, rows: Rows) -> dict[str, int]:
        """Questions with and without an answer, where there are both."""
        asked = sum(bool(row["answers"]) for row in rows)
        kinds = {"answerable": asked, "unanswerable": len(rows) - asked}
        return dict(sorted(kinds.items(), key=lambda kind: -kind[1])) if all(kinds.values()) else {}

    def _example(self, row: Mapping[str, Any], sequences: tuple[Encoded, ...]) -> Passage:
        ends = [end for _, end in sentences(row["context"])]
        numbers = tuple(_sentence_numbers(sequence, ends) for sequence in sequences)
        return Passage(sequences, self._target(row, sequences), context=row["context"], sentence=numbers)

    def _target(self, row: Mapping[str, Any], sequences: Sequence[Encoded]) -> list[Tokens] | None:
        """First and last token in each sequence. A row whose answer was cut off teaches nothing, unless no answer is
        one that can be given: then that is what is right of what was read."""
        if row.get("answers") is None:
            return None
        if not row["answers"]:
            return [NO_ANSWER] * len(sequences)
        answer = row["answers"][0]
        stands = (answer["start"], answer["start"] + len(answer["text"]))
        places = [_tokens_of(stands, sequence, row["context"]) for sequence in sequences]
        lost = not self.unanswerable and not any(places)
        return [place or ((IGNORED, IGNORED) if lost else NO_ANSWER) for place in places]

    def _answer(self, passage: Passage, windows: Sequence[Sequence[LikelySpan]]) -> Answer:
        odds = [span.log_odds for spans in windows for span in spans]
        top = max([*odds, *([0.0] if self.unanswerable else [])], default=0.0)
        weights = _weights(passage, windows, top)
        none = math.exp(-top) if self.unanswerable else 0.0
        total = none + sum(weights.values())
        if weights:
            places, chances = np.array(list(weights)), np.array(list(weights.values())) / total  # (K, 2), (K,)
            if self.settings.length_prior:
                chances = self._with_usual_lengths(places, chances)
            worth = expected_f1(places, chances) if self.settings.choose == "expected_f1" else chances
            best = int(worth.argmax())
            if worth[best] > none / total:
                start, end = (int(place) for place in places[best])
                return {"answer": passage.context[start:end], "start": start, "end": end, "score": float(worth[best])}
        return {"answer": None, "start": None, "end": None, "score": none / total if total else 0.0}

    def _with_usual_lengths(self, places: NDArray[np.int64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chances (K,) times the log-normal one of each length; that there is an answer stays as probable."""
        lengths, (mean, deviation) = places[:, 1] - places[:, 0], self.length
        weighed = chances * np.exp(-0.5 * ((np.log(lengths) - mean) / deviation) ** 2) / lengths
        found: NDArray[np.float64] = weighed * (chances.sum() / weighed.sum())
        return found


def _weights(passage: Passage, windows: Iterable[Sequence[LikelySpan]], top: float) -> dict[Place, float]:
    """Odds of each place of the context, over e^top. What several spans of a window widen to adds up; of a place that
    several windows show, the surest counts."""
    found: dict[Place, float] = {}
    whole_words = WholeWords(passage.context)
    for sequence, spans in zip(passage.sequences, windows, strict=True):
        own: dict[Place, float] = defaultdict(float)
        for span in spans:
            if span.log_odds > top - NEGLIGIBLE:
                first, last = sequence.offsets[span.first], sequence.offsets[span.last]
                own[whole_words(first[0], last[1])] += math.exp(span.log_odds - top)
        found |= {place: max(weight, found.get(place, 0.0)) for place, weight in own.items() if place[0] < place[1]}
    return found


def _layout(batch: Batch) -> tuple[Tensor, Tensor]:
    """Which tokens are the question, (S, T) bool, and the sentence of those of the context, (S, T), -1 elsewhere."""
    question = torch.zeros(batch.input_ids.shape, dtype=torch.bool)
    sentence = torch.full(batch.input_ids.shape, -1)
    shown = (pair for passage in _passages(batch) for pair in zip(passage.sequences, passage.sentence, strict=True))
    for s, (sequence, numbers) in enumerate(shown):
        question[s, : len(sequence)] = torch.tensor([side == 0 for side in sequence.sequence])
        sentence[s, : len(sequence)] = torch.tensor(numbers)
    return question.to(batch.input_ids.device), sentence.to(batch.input_ids.device)


def _passages(batch: Batch) -> list[Passage]:
    passages = [example for example in batch.examples if isinstance(example, Passage)]
    assert len(passages) == len(batch.examples), "a batch of this task holds its own examples"
    return passages


def _sentence_numbers(sequence: Encoded, ends: Sequence[int]) -> list[int]:
    """The sentence of each token of the context; -1 for specials, the question, and pieces that no character made."""
    return [
        bisect_right(ends, start) if side == 1 and start < end else -1
        for (start, end), side in zip(sequence.offsets, sequence.sequence, strict=True)
    ]


def _tokens_of(stands: Place, sequence: Encoded, context: str) -> Tokens | None:
    """First and last token of the answer that stands there; None where the sequence does not show all of it."""
    start, end = stands
    pieces = enumerate(zip(sequence.offsets, sequence.sequence, strict=True))
    tokens = [t for t, ((a, b), side) in pieces if side == 1 and a < b and a < end and b > start]
    if not tokens:
        return None
    shown = sequence.offsets[tokens[0]][0], sequence.offsets[tokens[-1]][1]
    # A gold answer may begin or end with a space, or end with an accent, of which no piece is made.
    lost = context[start : max(start, shown[0])] + context[min(end, shown[1]) : end]
    return (tokens[0], tokens[-1]) if all(one.isspace() or clings(one) for one in lost) else None


def _texts_of(row: Mapping[str, Any]) -> list[str]:
    return [answer["text"] for answer in row["answers"]]
