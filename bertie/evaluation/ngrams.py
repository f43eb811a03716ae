"""N-grams: texts to sparse TF-IDF features, and linear support vector machines over them.

In:  texts of training rows; columns of rows to turn into features
Out: fitted vectorizers, sparse features (N, F), weights (F + 1, C)
Knows nothing of which of them is best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from bertie.core.errors import DataError
from bertie.data.rows import Rows
from bertie.evaluation.linear import Floats, Targets
from bertie.text.language import detect

# N rows, F sparse features, C labels
MANY_CHARACTERS = 10_000_000
"""Training text beyond this goes without character n-grams inside words, which would take minutes."""
FEW_ROWS = 1000
"""Below this an n-gram counts even if only one text has it."""
SCRIPT_SHARE = 0.2
"""Part of the writing from which a script gets features of its own."""


def fit_vectorizers(texts: Sequence[str]) -> list[TfidfVectorizer]:
    """Words (1-2) with the characters inside them (2-5) for Latin script, plain characters (1-3) for any other.

    Texts in both get both. Chosen on the dev rows of sst2_en, clinc150_en, chnsenticorp_zh and thucnews_zh.
    """
    mix = detect(texts[:: max(1, len(texts) // 2000)])
    rare = 1 if len(texts) < FEW_ROWS else 2
    made: list[TfidfVectorizer] = []
    if mix.latin > SCRIPT_SHARE:
        made.append(_ngrams("word", (1, 2), rare))
        if sum(map(len, texts)) < MANY_CHARACTERS:
            made.append(_ngrams("char_wb", (2, 5), rare))
    if not made or mix.latin < 1 - SCRIPT_SHARE:
        made.append(_ngrams("char", (1, 3), rare))
    if not any(text.strip() for text in texts):
        raise DataError("every text is empty, so there is nothing to count for TF-IDF; look at the text column")
    try:
        return [vectorizer.fit(texts) for vectorizer in made]
    except ValueError as error:
        raise DataError(f"no word is frequent enough for TF-IDF ({error}); give more rows, or longer texts") from error


def sparse_features(vectorizers: Sequence[TfidfVectorizer], rows: Rows, columns: Sequence[str]) -> csr_matrix:
    """(N, F). A pair a, b gives a, b, |a - b|, a x b and, for each vectorizer, the cosine of the two."""
    sides = [[vectorizer.transform(rows.column(column)) for vectorizer in vectorizers] for column in columns]
    if len(sides) == 1:
        return hstack(sides[0], format="csr")
    blocks = []
    for a, b in zip(*sides, strict=True):
        both = a.multiply(b).tocsr()
        blocks += [a, b, abs(a - b), both, csr_matrix(both.sum(axis=1))]
    return hstack(blocks, format="csr")


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


def _ngrams(analyzer: str, lengths: tuple[int, int], rare: int) -> TfidfVectorizer:
    # The default pattern drops words of one character, which are half of the meaning in "I" and "5".
    pattern = r"(?u)\w+" if analyzer == "word" else None
    return TfidfVectorizer(
        analyzer=analyzer, ngram_range=lengths, token_pattern=pattern, min_df=rare, sublinear_tf=True, dtype=np.float32
    )
