"""Suspicious labels: rows whose label a simple model, trained on the other rows, confidently contradicts.

In:  texts and their labels
Out: indices with the label expected there, most suspicious first
Knows nothing of files and splits. (Northcutt et al. 2021, "Confident learning", in its simplest form.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold

SAMPLE = 20_000
"""Rows that are looked at; more take minutes on a CPU."""
CLASSES = 300
"""Labels up to which a linear model per label is affordable."""
FOLDS = 5
CONFIDENT = 0.85
"""Probability of another label from which a row is suspicious."""
TRUSTED = 0.75
"""Share of its confident answers that agree with the labels, from which the model may contradict the rest of them."""


@dataclass(frozen=True)
class Suspect:
    """A row, the label it has and the label that rows like it have."""

    index: int
    label: str
    expected: str
    confidence: float


def suspicious_labels(
    texts: Sequence[str], labels: Sequence[str], seed: int = 0, say: Callable[[str], None] = lambda line: None
) -> list[Suspect]:
    """Every such row. Labels of fewer than `FOLDS` rows are left out: nothing can be learned about them.

    `say` gets a line where not all was looked at, as there are too many rows or labels.
    """
    counts = Counter(labels)
    usable = np.array([i for i, label in enumerate(labels) if counts[label] >= FOLDS and texts[i].strip()], dtype=int)
    rows = len(usable)
    if rows > SAMPLE:
        usable = np.sort(np.random.default_rng(seed).choice(usable, SAMPLE, replace=False))
    counts = Counter(labels[i] for i in usable)
    usable = np.array([i for i in usable if counts[labels[i]] >= FOLDS], dtype=int)
    names, classes = np.unique([labels[i] for i in usable], return_inverse=True)
    if len(names) > CLASSES:
        say(f"labels that look wrong were not looked for: that takes too long with {len(names):,} labels")
    elif rows > SAMPLE:
        say(f"labels that look wrong were looked for in {SAMPLE:,} of {rows:,} rows, drawn at random")
    if not 2 <= len(names) <= CLASSES:
        return []
    probabilities = _held_out([texts[i] for i in usable], classes, seed)  # (N, classes)
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    sure = confidence >= CONFIDENT
    if not sure.any() or (best == classes)[sure].mean() < TRUSTED:
        return []  # the model learned too little to accuse anybody
    found = np.flatnonzero((best != classes) & sure)
    found = found[np.argsort(-confidence[found], kind="stable")]
    return [
        Suspect(int(usable[i]), str(names[classes[i]]), str(names[best[i]]), round(float(confidence[i]), 3))
        for i in found
    ]


def _held_out(texts: Sequence[str], classes: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """(N, classes) probabilities of each row by a model that did not see it."""
    features = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, max_features=50_000, sublinear_tf=True)
    try:
        table = features.fit_transform([text[:1000] for text in texts])
    except ValueError:  # nothing occurs twice
        return np.zeros((len(texts), int(classes.max()) + 1))
    held_out = np.zeros((len(texts), int(classes.max()) + 1))
    for train, rest in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(table, classes):
        model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=10, tol=None, n_jobs=2, random_state=seed)
        model.fit(table[train], classes[train])
        held_out[np.ix_(rest, model.classes_)] = model.predict_proba(table[rest])
    return held_out
