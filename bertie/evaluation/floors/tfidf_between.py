"""TF-IDF around two entities with linear support vector machines: what counting words reaches for a relation.

In:  labelled rows of relations
Out: answers in the form of the task
Knows nothing of encoders.

    text      In May Google bought the start-up Fitbit for 2 billion.        head Fitbit, tail Google
    head                                        Fitbit
    tail             Google
    between                 bought the start-up
    before    In May
    after                                              for 2 billion.
    forward                                                                  (the stretch, where head stands first)
    backward         Google bought the start-up Fitbit                       (the stretch, where tail does)

Each line has n-grams of its own. A relation is told by the words and by the order of its entities, which a sum of
features cannot join: so the stretch from one to the other is counted in one of two places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State
from bertie.evaluation.floors.tfidf import LARGEST, best_machines
from bertie.evaluation.linear import Floats, Targets, answers, probabilities
from bertie.evaluation.ngrams import margins
from bertie.tasks.base import Answer
from bertie.text.ngrams import fit_vectorizers, vectorizer_document, vectorizer_of

# N rows, F sparse features, C labels
REACH = 50
"""Characters that are read before the first entity, and after the second."""
REGIONS = {name: name for name in ("head", "tail", "between", "before", "after")}
REGIONS |= {"forward": "stretch", "backward": "stretch"}
"""What is counted, and on which texts its n-grams are found."""
WITH_LETTERS = ("head", "tail", "between")
"""Where n-grams inside words are counted too: in what is long they take minutes."""


@dataclass(frozen=True)
class TfidfBetween(Floor):
    """N-grams of the text between and around the entities, and linear machines, one against the rest."""

    name: ClassVar[str] = "tfidf_between"
    tasks: ClassVar[tuple[str, ...]] = ("relation",)
    vectorizers: Mapping[str, list[TfidfVectorizer]]
    """Of each text that has any word."""
    targets: Targets
    solution: Floats  # (F + 1, C), the last row is the bias
    scale: float

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> TfidfBetween:
        """Chooses C on held-out training rows, then fits all of them."""
        targets = Targets.of(train.column("label"))
        texts = [_regions(row) for row in train]
        vectorizers = _fit_vectorizers(texts)
        features = _features(vectorizers, texts)
        solution, scale, _ = best_machines(features, targets)
        return cls(vectorizers, targets, solution, scale)

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        distances = margins(self.solution, _features(self.vectorizers, [_regions(row) for row in rows]))
        return answers(probabilities(distances, False, self.scale), self.targets, 0.5)

    def state(self) -> State | None:
        """Weights as float16, where they are few enough."""
        if self.solution.size > LARGEST:
            return None
        document = {
            "labels": self.targets.labels,
            "scale": self.scale,
            "vectorizers": {name: list(map(vectorizer_document, some)) for name, some in self.vectorizers.items()},
        }
        weights: dict[str, Any] = {"solution": self.solution.astype(np.float16)}
        for name, some in self.vectorizers.items():
            weights |= {f"idf.{name}.{i}": one.idf_.astype(np.float32) for i, one in enumerate(some)}
        return State(document, weights)

    @classmethod
    def from_state(cls, state: State) -> TfidfBetween:
        values, weights = state.document, state.weights
        vectorizers = {
            name: [vectorizer_of(one, weights[f"idf.{name}.{i}"]) for i, one in enumerate(some)]
            for name, some in values["vectorizers"].items()
        }
        targets = Targets.none(values["labels"], several=False)
        return cls(vectorizers, targets, weights["solution"].astype(np.float32), values["scale"])


def _regions(row: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a text that are counted apart, by name."""
    text, head, tail = row["text"], row["head"], row["tail"]
    first, second = sorted((head, tail), key=lambda place: (place["start"], place["end"]))
    stretch = text[first["start"] : max(first["end"], second["end"])]
    return {
        "head": text[head["start"] : head["end"]],
        "tail": text[tail["start"] : tail["end"]],
        "between": text[first["end"] : second["start"]],  # empty where they overlap
        "before": text[max(0, first["start"] - REACH) : first["start"]],
        "after": text[max(first["end"], second["end"]) :][:REACH],
        "stretch": stretch,
        "forward": stretch if first is head else "",
        "backward": stretch if first is tail else "",
    }


def _fit_vectorizers(texts: Sequence[Mapping[str, str]]) -> dict[str, list[TfidfVectorizer]]:
    """N-grams of each text; one that has no frequent word, in any row, is left out."""
    made: dict[str, list[TfidfVectorizer]] = {}
    for source in dict.fromkeys(REGIONS.values()):
        try:
            some = fit_vectorizers([one[source] for one in texts])
        except DataError:
            continue
        made[source] = [one for one in some if one.analyzer != "char_wb" or source in WITH_LETTERS]
    if not made:
        raise DataError("no word around the entities is frequent enough for TF-IDF; give more rows")
    return made


def _features(vectorizers: Mapping[str, list[TfidfVectorizer]], texts: Sequence[Mapping[str, str]]) -> csr_matrix:
    """(N, F)."""
    counted = [(region, one) for region, source in REGIONS.items() for one in vectorizers.get(source, [])]
    return hstack([one.transform([text[region] for text in texts]) for region, one in counted], format="csr")
