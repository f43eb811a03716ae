"""Pre-training as a task: objectives with weights, composed over the same passages (Devlin et al. 2019, section 3.1).

In:  passages of a corpus; or a person's texts, with or without hidden pieces
Out: the weighted sum of the objectives' losses; `{"candidates"}` for a text with a hidden piece, else how well the text
     is foretold, `{"loss", "perplexity", ...}`, and where it is read from the left what comes `{"next"}`
Knows nothing of corpora, of single objectives or of how a model is stored.
"""

# S passages, T tokens, M places asked for, V pieces of the vocabulary

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import bertie.objectives
from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, UsageError
from bertie.core.registry import Registry
from bertie.data.batches import Batch, Example, stack
from bertie.data.guessed_pieces import Asked, Begun, Guesses, spelled
from bertie.data.masking import Unit, Vocabulary, choose, hidden
from bertie.data.passages import Arrangement, Join, Passage
from bertie.data.rows import Rows
from bertie.metrics.samples import RatioSample
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.objectives.base import Objective, Outcome, Views
from bertie.tasks.base import Answer, Scores, Task
from bertie.text.tokenizer import Encoded, Tokenizer

TOKENS = 4096
"""Padded tokens that are read at once where texts are answered."""
SCORES = 1 << 25
"""Scores that are computed at once there, 128 MB: some hundred places of a large vocabulary."""
JUDGED_RATE = 0.15
"""Most of the pieces that are hidden where a model is judged (Devlin et al. 2019, section 3.1): losses of models that
learned with different shares can be compared."""
OBJECTIVES: Registry[Objective] = Registry(bertie.objectives, Objective, "objective")  # type: ignore[type-abstract]


@dataclass(frozen=True, kw_only=True)
class PretrainingSettings:
    """What a recipe may say about the task."""

    rate: float = 0.15
    """Part of the pieces that is hidden; where a model is judged, 0.15 at most. From random weights 0.3, where nothing
    else is said: a small encoder learns more from as much text (Wettig et al. 2023)."""
    unit: Unit = "word"
    """What is hidden together: `token` single pieces, `word` whole words (Chinese by the dictionary; Cui et al. 2021),
    `span` runs of words (Joshi et al. 2020), `mixed` single pieces of half of the passages and whole words of the
    others. From random weights `mixed`, where nothing else is said."""

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ValueError(f"rate is {self.rate}, expected more than 0 and less than 1")


class Pretraining(Task):
    """Several objectives on one encoder."""

    name = "pretraining"
    labelled = False
    columns = ("text",)

    def __init__(
        self,
        weights: Mapping[str, float],
        shape: EncoderConfig,
        vocabulary: Vocabulary,
        *,
        settings: PretrainingSettings,
        teacher_width: int | None = None,
    ) -> None:
        """`weights`: the objectives by name, each with the factor of its loss; `shape` is the encoder's."""
        super().__init__()
        self.teacher_width = teacher_width
        self._teacher: tuple[Encoder, ...] = ()  # no module of this one: it is neither trained nor stored
        self.weights, self.shape, self.vocabulary, self.settings = dict(weights), shape, vocabulary, settings
        classes = {name: OBJECTIVES.get(name) for name in self.weights}
        self.join = _one_join(classes)
        self.masks = any(kind.masks for kind in classes.values())
        self.compares_rows = any(kind.compares for kind in classes.values())
        guessing = [name for name, kind in classes.items() if kind.answers]
        # Hidden pieces are asked for where any are: an objective that reads from the left does not see them.
        guessing.sort(key=lambda name: (classes[name].masks, classes[name].foretells), reverse=True)
        self.asking = next(iter(guessing), None)
        # Whether that one fills in what is hidden, or else goes on from what stands before.
        self.fills = self.asking is not None and classes[self.asking].masks
        # Of that one the loss is a perplexity; None where it learns something else, and guesses only beside that.
        self.foretelling = self.asking if self.asking and classes[self.asking].foretells else None
        self.register_buffer("log_shares", torch.zeros(shape.vocab_size))  # (V,)
        self.log_shares: Tensor

    @classmethod
    def of(cls, objective: str, encoder: Encoder, tokenizer: Tokenizer, settings: dict[str, Any]) -> Pretraining:
        """The task of `--objective`, for an encoder and the tokenizer of its texts."""
        options = from_dict(PretrainingSettings, settings, "task")
        weights = read_objectives(objective)
        specials = (tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.unk_id)
        mask = tokenizer.mask_id
        if mask is None and any(OBJECTIVES.get(name).masks for name in weights):
            raise UsageError(
                "the tokenizer has no mask token, which masked_lm needs; take --objective causal_lm, or a tokenizer of "
                "bertie tokenizer"
            )
        known = Vocabulary(tokenizer.vocab_size, tokenizer.unk_id if mask is None else mask, (*specials, mask or 0))
        return cls(weights, encoder.config, known, settings=options)

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Pretraining:
        """Refused: what it needs to know is not in rows."""
        raise UsageError("pre-training learns from text: bertie pretrain CORPUS; bertie train needs a task with labels")

    def description(self) -> dict[str, Any]:
        return {
            "objectives": self.weights,
            "shape": asdict(self.shape),
            "vocabulary": {**asdict(self.vocabulary), "specials": list(self.vocabulary.specials)},
            "settings": to_dict(self.settings),
            "teacher_width": self.teacher_width,
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Pretraining:
        known = description["vocabulary"]
        return cls(
            description["objectives"],
            EncoderConfig(**description["shape"]),
            Vocabulary(known["size"], known["mask"], tuple(known["specials"])),
            settings=from_dict(PretrainingSettings, description["settings"], "task"),
            teacher_width=description.get("teacher_width"),
        )

    def build_head(self, hidden_size: int) -> None:
        self.objectives = nn.ModuleDict({name: OBJECTIVES.get(name)(self.shape) for name in self.weights})
        if self.teacher_width is not None:
            for name in self.weights:
                self.objective(name).meet(self.teacher_width)

    def learn_from(self, teacher: Encoder) -> None:
        """Told before `build_head` whose states are to be learned: an encoder for the same pieces, on the same device.
        It is read in evaluation mode, and no bundle holds it."""
        self.teacher_width = teacher.config.hidden_size
        self._teacher = (teacher.eval().requires_grad_(False),)

    def know(self, counts: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Told how often each piece (V,) stands in the training text: what a model is measured beside."""
        smoothed = torch.from_numpy(counts[: self.shape.vocab_size].astype(np.float64) + 1.0)
        found = torch.ones(self.shape.vocab_size, dtype=torch.float64)
        found[: len(smoothed)] = smoothed
        self.log_shares.copy_((found / found.sum()).log())

    def start_from_shares(self) -> None:
        """Lets heads that have learned nothing begin with what is known of single pieces."""
        for name in self.weights:
            self.objective(name).start_from_shares(self.log_shares)

    def take_heads(self, heads: Mapping[str, Tensor]) -> list[str]:
        """Puts output layers that came with a checkpoint into the objectives that have such; returns their names."""
        taken = []
        for name in self.weights:
            own = self.objective(name).heads()
            kinds = {part.partition(".")[0] for part in own}
            # One with a weight more, such as a bias that its config knows nothing of, would give other guesses.
            found = {part: weight.shape for part, weight in heads.items() if part.partition(".")[0] in kinds}
            if own and found == {part: weight.shape for part, weight in own.items()}:
                with torch.no_grad():
                    for part, weight in own.items():
                        weight.copy_(heads[part])
                taken.append(name)
        return taken

    def heads(self) -> dict[str, Tensor]:
        return {name: weight for one in self.weights for name, weight in self.objective(one).heads().items()}

    def rows_of(self, examples: Sequence[Example], tokenizer: Tokenizer) -> Rows:
        """The texts of passages, as far as pieces give them back."""
        texts = [tokenizer.decode(passage.plain.tolist()) for example in examples for passage in example.target]
        return Rows([{"text": text} for text in texts], "held-out text")

    def arrangement(self, tokenizer: Tokenizer, length: int) -> Arrangement:
        """How passages are to be made for these objectives."""
        rate = self.settings.rate if self.masks else 0.0
        return Arrangement(
            vocabulary=self.vocabulary,
            cls=tokenizer.cls_id,
            sep=tokenizer.sep_id,
            length=length,
            join=self.join,
            rate=rate,
            unit=self.settings.unit,
        )

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """A text with a mask in it (`[MASK]` or `<mask>`, whatever the vocabulary has) asks what stands there; of any
        other some pieces are hidden, always the same ones, or it is read from the left. A text longer than the model is
        read in parts that do not overlap."""
        texts = [tokenizer.with_own_mask(row["text"]) if self.fills else row["text"] for row in rows]
        windows = tokenizer.encode_windows(texts, None, max_length, overlap=0.0, most=10**6)
        return [self._example(one, tokenizer) for one in windows]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack(examples, pad_id)

    def forward(self, encoder: Encoder, batch: Batch) -> Views:
        """The ways in which the batch can be read; each is computed when it is asked for."""
        return Views(encoder, batch, next(iter(self._teacher), None))

    def loss(self, output: Views, batch: Batch) -> Tensor:
        """The weighted sum of the means over what each objective asks."""
        parts = [self.weights[name] * _mean(outcome) for name, outcome in self.outcomes(output).items()]
        return torch.stack(parts).sum()

    def means(self, output: Views, batch: Batch) -> list[tuple[Tensor, int | Tensor]]:
        """Two of each objective: over what it asks, and over what is beside it."""
        found: list[tuple[Tensor, int | Tensor]] = []
        for name, outcome in self.outcomes(output).items():
            weight = self.weights[name]
            found.append((weight * _mean(replace(outcome, beside=None)), len(outcome.nats)))
            if outcome.beside is not None:
                found.append((weight * outcome.beside, outcome.beside_of))
        return found

    def outcomes(self, output: Views) -> dict[str, Outcome]:
        """What each objective finds."""
        return {name: self.objective(name).outcome(output) for name in self.weights}

    def objective(self, name: str) -> Objective:
        """One of the objectives."""
        found = self.objectives[name]
        assert isinstance(found, Objective)
        return found

    def answer(self, output: Views, batch: Batch) -> list[Answer]:
        if self.asking is None:
            raise UsageError(f"{', '.join(self.weights)}: guesses no pieces; pre-train with masked_lm or causal_lm too")
        objective = self.objective(self.asking)
        found = Guesses([example.target[0] for example in batch.examples], self.log_shares, self.vocabulary.specials)
        for chosen in self._blocks(output):
            part, row = output.some(chosen), batch.row[chosen].to(batch.input_ids.device)
            rows, columns = part.places if self.fills else part.foretold
            scores = objective.scores(part, rows, columns).float()  # (M, V)
            found.add(scores, part.plain[rows, columns], row[rows])
            rows, columns = _ends(part)
            if len(rows):
                found.go_on(objective.scores(part, rows, columns).float(), row[rows])
        return found.answers()

    def kept(self, answer: Answer) -> Answer:
        return {name: value for name, value in answer.items() if name != "next"}

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Loss, perplexity and the share of right guesses over all places; the cross-entropy of single pieces, with
        their shares in the training text, at the same places."""
        told = [answer for answer in answers if "positions" in answer]
        places = sum(answer["positions"] for answer in told)
        if not places:
            raise DataError(f"{rows.source}: no text in which a piece could be asked for; give texts without the mask")
        loss = sum(answer["loss"] * answer["positions"] for answer in told) / places
        usual = sum(answer["unigram"] * answer["positions"] for answer in told) / places
        right = sum(answer["right"] for answer in told)
        name = "masked_accuracy" if self.fills else "next_piece_accuracy"
        metrics = {
            name: right / places,
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "unigram_entropy": usual,
            "positions": float(places),
        }
        sample = RatioSample(name, [answer["right"] for answer in told], [answer["positions"] for answer in told])
        return Scores(name, metrics, {}, sample)

    def _blocks(self, views: Views) -> Iterator[slice]:
        """Sequences that are read at once: a text of any length, which is one row, takes the memory of a batch."""
        longest, most = views.batch.input_ids.shape[1], SCORES // self.shape.vocab_size
        first = places = 0
        for s, passage in enumerate(views.passages):
            asked = len(passage.places) if self.fills else len(passage.plain) - 1
            if s > first and ((s + 1 - first) * longest > TOKENS or places + asked > most):
                yield slice(first, s)
                first, places = s, 0
            places += asked
        yield slice(first, len(views.passages))

    def _example(self, windows: Sequence[Encoded], tokenizer: Tokenizer) -> Example:
        known, mask, spell = self.vocabulary, tokenizer.mask_id, partial(spelled, tokenizer)
        asks = any(mask in window.ids for window in windows) and self.fills
        made: list[Encoded] = []
        targets: list[Passage] = []
        for window in windows:
            ids = np.array(window.ids, dtype=np.int64)
            if asks:
                places = np.flatnonzero(ids == mask)
                targets.append(Asked(ids, places, spell=spell))
                made.append(window)
                continue
            askable = np.array([side is not None for side in window.sequence])
            places = np.zeros(0, dtype=np.int64)
            if self.fills and askable.any():
                rate = min(self.settings.rate, JUDGED_RATE)
                places = choose(askable, askable, rate, "token", _random(ids))
                if not len(places):  # a short text is asked for one piece at least
                    places = np.flatnonzero(askable)[:1]
            targets.append(Passage(ids, places) if self.fills else Begun(ids, places, spell=spell))
            shown = hidden(ids, places, known).tolist()
            made.append(Encoded(shown, window.type_ids, window.offsets, window.sequence, window.truncated))
        return Example(tuple(made), tuple(targets))


def needs_teacher(names: Iterable[str]) -> list[str]:
    """Which objectives learn from another encoder."""
    return [name for name in names if OBJECTIVES.get(name).needs_teacher]


def read_objectives(text: str) -> dict[str, float]:
    """`masked_lm:1,next_sentence:0.5` to names and weights; a name alone weighs 1."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        OBJECTIVES.get(name)
        try:
            value = float(weight or 1.0)
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise UsageError(f"objective {part.strip()!r}: the weight is {weight!r}, expected a number above 0")
        if name in weights:
            raise UsageError(f"objective {name!r} is named twice; give it one weight, {name}:W")
        weights[name] = value
    return weights


def _one_join(classes: Mapping[str, type[Objective]]) -> Join | None:
    joins = {kind.join: name for name, kind in classes.items() if kind.join is not None}
    if len(joins) > 1:
        raise UsageError(f"{' and '.join(joins.values())} want passages joined in two ways; take one of them")
    return next(iter(joins), None)


def _random(ids: np.ndarray[Any, np.dtype[np.int64]]) -> np.random.Generator:
    """Draws that depend on the text alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(ids.tobytes()).digest()[:8], "little"))


def _ends(output: Views) -> tuple[Tensor, Tensor]:
    """Rows and columns of the last token of each passage that may go on: what is foretold there follows its text."""
    found = [(s, len(one.plain) - 1) for s, one in enumerate(output.passages) if isinstance(one, Begun)]
    rows, columns = torch.tensor(found, dtype=torch.long, device=output.batch.input_ids.device).view(-1, 2).unbind(1)
    return rows, columns


def _mean(outcome: Outcome) -> Tensor:
    """The loss of one objective; 0 with a gradient where nothing was asked."""
    nats = outcome.nats.mean() if len(outcome.nats) else outcome.nats.sum()
    return nats if outcome.beside is None else nats + outcome.beside
