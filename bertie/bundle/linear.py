"""A bundle that counts words: the engine `linear`, for classification.

    bundle.json         as in other bundles; its engine is linear/float32
    linear.json         the n-grams, and how they are counted
    linear.safetensors  their weights (idf), and the linear solution

In:  fitted vectorizers and a linear solution over their features; a folder
Out: answers to rows; the folder; the same again, checked. No pickle
Knows nothing of how the solution was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer

from bertie.bundle import folder as bundle
from bertie.core.errors import BundleError
from bertie.core.version import __version__
from bertie.tasks.base import Answer
from bertie.tasks.classification import Classification
from bertie.text.ngrams import OPTIONS, WORDS, features_of, vectorizer_document, vectorizer_of

# N rows, F sparse features, C labels
ENGINE = "linear/float32"
DOCUMENT, WEIGHTS = "linear.json", "linear.safetensors"


@dataclass(frozen=True)
class LinearModel:
    """What answers, instead of an encoder with a head."""

    engine: ClassVar[str] = ENGINE
    task: Classification
    """Its labels and settings; it has no head."""
    vectorizers: list[TfidfVectorizer]
    solution: NDArray[np.float32]  # (F + 1, C), the last row is the bias
    scale: float
    """Margins times this are logits whose probabilities are honest."""
    origin: str = "tfidf"
    golden: list[dict[str, Any]] = field(default_factory=list)

    def answers(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Answer], list[bool]]:
        """One answer a row, and whether any of its n-grams is known."""
        features = features_of(self.vectorizers, [[row[name] for row in rows] for name in self.task.columns])  # (N, F)
        margins = features @ self.solution[:-1] + self.solution[-1]  # (N, C)
        logits = torch.from_numpy(margins) * self.scale
        scores = (logits.sigmoid() if self.task.several else logits.softmax(-1)).tolist()
        return [self.task.answer_from(row) for row in scores], (features.getnnz(axis=1) > 0).tolist()

    @property
    def nbytes(self) -> int:
        """Bytes of what is stored, about."""
        terms = sum(len(term.encode()) + 4 for one in self.vectorizers for term in one.vocabulary_)
        return int(self.solution.nbytes + sum(one.idf_.nbytes for one in self.vectorizers)) + terms


def save(
    model: LinearModel, folder: Path, documents: Mapping[str, str], add: Callable[[Path], None] | None = None
) -> None:
    """Writes the bundle whole or not at all; the arguments are those of `bundle.folder.save`."""

    def write(making: Path) -> None:
        weights = {f"idf.{i}": one.idf_.astype(np.float32) for i, one in enumerate(model.vectorizers)}
        weights["solution"] = np.ascontiguousarray(model.solution, dtype=np.float32)
        save_file(weights, making / WEIGHTS)
        counted = [vectorizer_document(one) for one in model.vectorizers]
        bundle.write_json(making / DOCUMENT, {"scale": model.scale, "vectorizers": counted})
        bundle.write_json(making / "bundle.json", _description(model))
        bundle.write_json(making / "golden.json", model.golden)
        for name, text in documents.items():
            (making / name).write_text(text, encoding="utf-8")
        if add is not None:
            add(making)

    bundle.put(folder, model.nbytes, write)


def read(folder: Path) -> LinearModel:
    """Reads the model of a bundle whose sums were checked; BundleError where its parts do not fit together."""
    description, document = bundle.described(folder), bundle.read_json(folder / DOCUMENT)
    try:
        weights = load_file(folder / WEIGHTS)
        task = Classification.from_description(description["task"]["description"])
        task.metric = description["task"].get("metric")
        vectorizers = [_vectorizer(one, weights[f"idf.{i}"]) for i, one in enumerate(document["vectorizers"])]
        model = LinearModel(
            task,
            vectorizers,
            weights["solution"],
            float(document["scale"]),
            description["origin"],
            bundle.read_json(folder / "golden.json"),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{folder}: {DOCUMENT} and {WEIGHTS} cannot be read: {error}; copy the bundle again"
        ) from error
    needed = (features_of(vectorizers, [[""]] * len(task.columns)).shape[1] + 1, len(task.labels))
    if model.solution.shape != needed:
        raise BundleError(
            f"{folder / WEIGHTS}: found a solution of {model.solution.shape}, the n-grams and labels need {needed}; "
            "copy the bundle again"
        )
    return model


def _description(model: LinearModel) -> dict[str, Any]:
    return {
        "format": bundle.FORMAT,
        "bertie": __version__,
        "engine": model.engine,
        "origin": model.origin,
        "task": bundle.described_task(model.task),
    }


def _vectorizer(description: Mapping[str, Any], idf: NDArray[np.float32]) -> TfidfVectorizer:
    """One that counts as this version does: what a word is no file decides."""
    options = description["options"]
    if set(options) != set(OPTIONS) or options["token_pattern"] not in (None, WORDS):
        raise ValueError(f"it counts by {options}")
    if len(description["terms"]) != len(idf):
        raise ValueError(f"{len(description['terms'])} n-grams have {len(idf)} weights")
    return vectorizer_of(description, idf)
