"""N-grams: texts to sparse TF-IDF features.

In:  texts to learn from; columns of texts to turn into features; a vectorizer's plain description
Out: fitted vectorizers, sparse features (N, F), the description again
Knows nothing of labels or of what is made of the features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from bertie.core.errors import DataError
from bertie.text.language import detect

# N rows, F sparse features
MANY_CHARACTERS = 10_000_000
"""Training text beyond this goes without character n-grams inside words, which would take minutes."""
FEW_ROWS = 1000
"""Below this an n-gram counts even if only one text has it."""
SCRIPT_SHARE = 0.2
"""Part of the writing from which a script gets features of its own."""
WORDS = r"(?u)\w+"
"""What a word is. The library's own pattern drops words of one character, half of the meaning in "I" and "5"."""
OPTIONS = ("analyzer", "ngram_range", "token_pattern", "sublinear_tf", "lowercase", "min_df")


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


def features_of(vectorizers: Sequence[TfidfVectorizer], columns: Sequence[Sequence[str]]) -> csr_matrix:
    """(N, F) of one column of texts, or of two. A pair a, b gives a, b, |a - b|, a x b and, for each vectorizer, the
    cosine of the two.
    """
    sides = [[vectorizer.transform(texts) for vectorizer in vectorizers] for texts in columns]
    if len(sides) == 1:
        return hstack(sides[0], format="csr")
    blocks = []
    for a, b in zip(*sides, strict=True):
        both = a.multiply(b).tocsr()
        blocks += [a, b, abs(a - b), both, csr_matrix(both.sum(axis=1))]
    return hstack(blocks, format="csr")


def vectorizer_document(vectorizer: TfidfVectorizer) -> dict[str, Any]:
    """A fitted vectorizer as plain JSON, without its weights."""
    options = {name: getattr(vectorizer, name) for name in OPTIONS}
    terms = sorted(vectorizer.vocabulary_, key=lambda term: int(vectorizer.vocabulary_[term]))
    return {"options": options, "terms": terms}


def vectorizer_of(description: Mapping[str, Any], idf: NDArray[np.float32]) -> TfidfVectorizer:
    """The inverse of `vectorizer_document`, with its weights (F,)."""
    options = {**description["options"], "ngram_range": tuple(description["options"]["ngram_range"])}
    made = TfidfVectorizer(**options, vocabulary=description["terms"], dtype=np.float32)
    made.idf_ = idf
    return made


def _ngrams(analyzer: str, lengths: tuple[int, int], rare: int) -> TfidfVectorizer:
    pattern = WORDS if analyzer == "word" else None
    return TfidfVectorizer(
        analyzer=analyzer, ngram_range=lengths, token_pattern=pattern, min_df=rare, sublinear_tf=True, dtype=np.float32
    )
