"""Extraction by two floors: the lexicon with counted words between entities, and linear heads on a frozen encoder.

In:  labelled rows of entities and relations
Out: answers in the form of the task, a linear solution that both of its heads can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from bertie.data.batches import Batch, Example
from bertie.data.pairs import Possible
from bertie.data.rows import Rows
from bertie.evaluation.features import frozen_batches
from bertie.evaluation.floors.base import Floor, Ground, State, together
from bertie.evaluation.floors.frozen_tokens import FrozenTokens
from bertie.evaluation.floors.lexicon import LexiconFloor
from bertie.evaluation.floors.tfidf_between import TfidfBetween
from bertie.evaluation.linear import Floats
from bertie.evaluation.probe import LinearProbe
from bertie.nn.relation_head import PAIR_PARTS
from bertie.tasks.base import Answer, Task
from bertie.tasks.extraction import Extraction, Pair, RelatedText, learned_pairs

# P pairs, D width, K relations + 1
PAIRS = 20_000
"""Pairs that the regression on states reads; more would take longer, and move it little."""
SMALLEST = 1e-6
"""Deviation of a feature that is the same in every pair."""
Linear = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class LexiconBetween(Floor):
    """Entities by the lexicon; what two of them are to each other by TF-IDF of the words between and around them."""

    name: ClassVar[str] = "lexicon_between"
    tasks: ClassVar[tuple[str, ...]] = ("extraction",)
    entities: LexiconFloor
    relations: TfidfBetween
    possible: Possible

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> LexiconBetween | None:
        """None where the pairs of the training have one label only: then there is nothing to tell apart."""
        task = _task(ground)
        pairs = [
            {**_pair(row, head, tail), "label": label}
            for row in train
            for head, tail, label in task.possible.labelled(row, task.settings.unrelated)
        ]
        if len({pair["label"] for pair in pairs}) < 2:
            return None
        between = TfidfBetween.fit(Rows(pairs, train.source), ground)
        return cls(LexiconFloor.fit(train, ground), between, task.possible)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        answers = self.entities.predict(rows, ground)
        asked = [(r, pair) for r, answer in enumerate(answers) for pair in self.possible.pairs(answer["entities"])]
        pairs = [_pair({"text": rows[r]["text"], **answers[r]}, *pair) for r, pair in asked]
        for answer in answers:
            answer["relations"] = []
        for (r, pair), said in zip(asked, self.relations.predict(Rows(pairs), ground) if pairs else [], strict=True):
            if said["label"]:
                found = {"head": pair[0], "tail": pair[1], "label": said["label"], "score": said["score"]}
                answers[r]["relations"].append(found)
        return answers

    def state(self) -> State | None:
        joined = together({"entities": self.entities, "relations": self.relations})
        possible = {"types": [list(pair) for pair in sorted(self.possible.types)], "reach": self.possible.reach}
        return joined and State({**joined.document, "possible": possible}, joined.weights)

    @classmethod
    def from_state(cls, state: State) -> LexiconBetween:
        possible = state.document["possible"]
        return cls(
            LexiconFloor.from_state(state.part("entities")),
            TfidfBetween.from_state(state.part("relations")),
            Possible(frozenset((head, tail) for head, tail in possible["types"]), possible["reach"]),
        )


@dataclass(frozen=True)
class FrozenExtraction(Floor):
    """Logistic regression on each unit's state, then on the states of each pair of what that found."""

    name: ClassVar[str] = "frozen_extraction"
    tasks: ClassVar[tuple[str, ...]] = ("extraction",)
    reads_encoder: ClassVar[bool] = True
    bounds_rows: ClassVar[bool] = True
    tags: FrozenTokens
    weight: Floats  # (K, 5 D) over `Extraction.pair_features`
    bias: Floats  # (K,)
    centre: Floats  # (5 D,)
    scale: Floats  # (5 D,)

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenExtraction | None:
        """None where the pairs of the training have one label only."""
        task = _task(ground)
        features, labels = _pairs_of(ground, ground.encode(train))
        names = ["", *task.relations]
        if len(set(labels.tolist())) < 2:
            return None
        probe = LinearProbe.fit(features, [names[label] for label in labels], names)
        # One of the five vectors is always zero, so every pair has mean 0 and this deviation, by which the probe
        # divides once more.
        weight = probe.weight / np.sqrt((PAIR_PARTS - 1) / PAIR_PARTS, dtype=np.float32)
        centre, scale = features.mean(axis=0), features.std(axis=0).clip(min=SMALLEST)
        return cls(FrozenTokens.fit(train, ground), weight, probe.bias, centre, scale)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        """By a task with linear heads, beside the one that is trained."""
        ground.prove(self.tags.encoder)
        task, encoder = _task(ground), ground.encoder
        linear = Extraction.from_description({**task.description(), "settings": _plain(task)})
        linear.build_head(task.width)
        linear.start_from(self.tags.linear(), self._linear())
        linear.eval().to(next(encoder.parameters()).device)
        answers: dict[int, Answer] = {}
        for indices, (batch, output) in _outputs(ground, ground.encode(rows)):
            with torch.inference_mode():
                answers |= zip(indices, linear.answer(output, batch), strict=True)
        return [answers[i] for i in range(len(rows))]

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune; here both heads."""
        if not isinstance(task, Extraction):
            return False
        task.start_from(self.tags.linear(), self._linear())
        return True

    def state(self) -> State | None:
        own = {"weight": self.weight, "bias": self.bias, "centre": self.centre, "scale": self.scale}
        joined = together({"tags": self.tags})
        return joined and State(joined.document, {**joined.weights, **own})

    @classmethod
    def from_state(cls, state: State) -> FrozenExtraction:
        own = (state.weights[name] for name in ("weight", "bias", "centre", "scale"))
        return cls(FrozenTokens.from_state(state.part("tags")), *own)

    def _linear(self) -> Linear:
        weight, bias, centre, scale = map(torch.from_numpy, (self.weight, self.bias, self.centre, self.scale))
        return weight, bias, centre, scale


def _task(ground: Ground) -> Extraction:
    assert isinstance(ground.task, Extraction)
    return ground.task


def _plain(task: Extraction) -> dict[str, Any]:
    """The settings with a head of tags that learns nothing of neighbours, as linear solutions are."""
    return {**task.description()["settings"], "head": "token"}


def _pair(row: Any, head: int, tail: int) -> dict[str, Any]:
    """A row of relations: two of a row's entities."""
    return {"text": row["text"], "head": row["entities"][head], "tail": row["entities"][tail]}


def _outputs(ground: Ground, examples: Sequence[Example]) -> Iterator[tuple[list[int], tuple[Batch, Tensor]]]:
    """Batches of similar length with what the heads read, from an encoder that nobody has tuned."""
    task, encoder, device = _task(ground), ground.encoder, next(ground.encoder.parameters()).device

    def output(chosen: list[Example]) -> tuple[Batch, Tensor]:
        batch = task.collate(chosen, ground.tokenizer.pad_id).to(device)
        return batch, task.forward(encoder, batch)

    costs = [example.length * len(example.sequences) for example in examples]
    return frozen_batches(encoder, examples, costs, output, ground.dtype)


def _pairs_of(ground: Ground, examples: Sequence[Example]) -> tuple[Floats, Any]:
    """Features (P, 5 D) and labels (P,) of the pairs to learn from, those of some rows where there are too many."""
    task, rng = _task(ground), np.random.default_rng(0)
    order = rng.permutation(len(examples))
    counts = np.cumsum([len(_pairs(examples[i])) for i in order])
    chosen = [examples[i] for i in order[: max(1, int((counts <= PAIRS).sum()))]]
    features, labels = list[Floats](), list[int]()
    for _, (batch, output) in _outputs(ground, chosen):
        pairs = learned_pairs(batch)
        features.append(task.pair_features(output, pairs).cpu().numpy())
        labels += [pair.label for _, pair in pairs]
    return np.concatenate(features), np.array(labels)


def _pairs(example: Example) -> tuple[Pair, ...]:
    assert isinstance(example, RelatedText)
    return example.pairs
