"""Linear support vector machines over counted n-grams.

In:  columns of rows; sparse features with their targets
Out: sparse features (N, F), weights (F + 1, C), signed distances (N, C)
Knows nothing of which of them is best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from bertie.data.rows import Rows
from bertie.evaluation.linear import Floats, Targets
from bertie.text.ngrams import features_of

# N rows, F sparse features, C labels


def sparse_features(vectorizers: Sequence[TfidfVectorizer], rows: Rows, columns: Sequence[str]) -> csr_matrix:
    """(N, F) of these columns of the rows, as `features_of` makes them."""
    return features_of(vectorizers, [rows.column(column) for column in columns])


def fit_machines(features: csr_matrix, targets: Targets, penalty: float) -> Floats:
    """One linear machine a label against the rest, (F + 1, C) with the bias last; `penalty` is scikit-learn's C."""
    truth = targets.matrix > 0
    if not targets.several and truth.shape[1] == 2:
        second = _machine(features, truth[:, 1], penalty)
        return np.stack([-second, second], axis=1)
    return np.stack([_machine(features, truth[:, c], penalty) for c in range(truth.shape[1])], axis=1)


def margins(solution: Floats, features: csr_matrix) -> Floats:
    """Signed distances (N, C)."""
    found: Floats = features @ solution[:-1] + solution[-1]
    return found


def _machine(features: csr_matrix, truth: NDArray[np.bool_], penalty: float) -> Floats:
    made = np.zeros(features.shape[1] + 1, dtype=np.float32)
    if truth.all() or not truth.any():  # a label that this fold does not have, or that every row has
        made[-1] = 1.0 if truth.all() else -1.0
        return made
    machine = LinearSVC(C=penalty, tol=1e-3, random_state=0).fit(features, truth)
    made[:-1], made[-1] = machine.coef_[0], machine.intercept_[0]
    return made
