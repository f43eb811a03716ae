"""The floors as files in a bundle, so that they can be measured on other rows later.

In:  fitted floors, a folder
Out: floors.json and floors.safetensors, and the floors again; no pickle
Knows nothing of what a bundle is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer

from bertie.evaluation.floors import FrozenFloor, TfidfFloor
from bertie.evaluation.linear import Floats, Targets

DOCUMENT, WEIGHTS = "floors.json", "floors.safetensors"
LARGEST = 40_000_000
"""Weights of TF-IDF beyond this are not kept: a floor must not outweigh the model."""
OPTIONS = ("analyzer", "ngram_range", "token_pattern", "sublinear_tf", "lowercase", "min_df")


def save_floors(folder: Path, tfidf: TfidfFloor, frozen: FrozenFloor) -> None:
    """Writes both; TF-IDF weights as float16, and only where they are few enough."""
    targets = tfidf.targets
    document: dict[str, Any] = {"labels": targets.labels, "several": targets.several}
    document["frozen"] = {"threshold": frozen.threshold, "encoder": frozen.encoder}
    weights: dict[str, Any] = {"frozen.weight": frozen.weight, "frozen.bias": frozen.bias}
    if tfidf.solution.size <= LARGEST:
        document["tfidf"] = {
            "columns": list(tfidf.columns),
            "scale": tfidf.scale,
            "threshold": tfidf.threshold,
            "vectorizers": [_description(vectorizer) for vectorizer in tfidf.vectorizers],
        }
        weights["tfidf.solution"] = tfidf.solution.astype(np.float16)
        weights |= {f"tfidf.idf.{i}": one.idf_.astype(np.float32) for i, one in enumerate(tfidf.vectorizers)}
    (folder / DOCUMENT).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, folder / WEIGHTS)


def load_floors(folder: Path) -> tuple[TfidfFloor | None, FrozenFloor | None]:
    """The floors that lie in a bundle; None for one that was not kept."""
    if not (folder / DOCUMENT).is_file():
        return None, None
    document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    weights = load_file(folder / WEIGHTS)
    targets = Targets(document["labels"], document["several"], np.zeros((0, len(document["labels"])), np.float32))
    frozen = FrozenFloor(targets, weights["frozen.weight"], weights["frozen.bias"], **document["frozen"])
    if "tfidf" not in document:
        return None, frozen
    values = document["tfidf"]
    vectorizers = [_vectorizer(one, weights[f"tfidf.idf.{i}"]) for i, one in enumerate(values["vectorizers"])]
    solution = weights["tfidf.solution"].astype(np.float32)
    tfidf = TfidfFloor(vectorizers, tuple(values["columns"]), targets, solution, values["scale"], values["threshold"])
    return tfidf, frozen


def _description(vectorizer: TfidfVectorizer) -> dict[str, Any]:
    options = {name: getattr(vectorizer, name) for name in OPTIONS}
    terms = sorted(vectorizer.vocabulary_, key=lambda term: int(vectorizer.vocabulary_[term]))
    return {"options": options, "terms": terms}


def _vectorizer(description: dict[str, Any], idf: Floats) -> TfidfVectorizer:
    options = {**description["options"], "ngram_range": tuple(description["options"]["ngram_range"])}
    made = TfidfVectorizer(**options, vocabulary=description["terms"], dtype=np.float32)
    made.idf_ = idf
    return made
