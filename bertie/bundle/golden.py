"""Golden examples: inputs with the answers that the model gave when it was saved.

In:  a predictor and a few rows; later, a predictor made from the files
Out: a list of {"row", "answer"}; a BundleError that says which answer changed, from what to what
Knows nothing of files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from bertie.core.errors import BundleError

Answers = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]

TOLERANCE = {
    "torch/float32": 1e-3,
    "torch/bfloat16": 3e-2,
    "ensemble/float32": 1e-3,
    "ensemble/bfloat16": 3e-2,
    "linear/float32": 1e-4,
}
"""Largest change of a probability, or part of a larger number, by engine and dtype: another processor adds up in
another order, nothing more."""


def record(answers: Answers, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the answers of the model as it is now."""
    return [{"row": row, "answer": answer} for row, answer in zip(rows, answers(rows), strict=True)]


def check(answers: Answers, golden: Sequence[dict[str, Any]], engine: str, where: str) -> None:
    """BundleError unless every golden row is answered as it was, within the tolerance of the engine and dtype."""
    if engine not in TOLERANCE:
        known = ", ".join(TOLERANCE)
        raise BundleError(f"{where}: engine {engine!r}, this version knows {known}; install the version that wrote it")
    rows = [example["row"] for example in golden]
    for example, answer in zip(golden, answers(rows), strict=True):
        difference = _difference(example["answer"], answer, TOLERANCE[engine], "answer")
        if difference:
            raise BundleError(
                f"{where}: the golden example {example['row']!r} is not answered as when the model was saved: "
                f"{difference}; the labels, the tokenizer or the weights are not the ones that were trained"
            )


def _difference(expected: Any, found: Any, tolerance: float, path: str) -> str | None:
    """The first place where two answers differ, in words; None where they agree."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if list(expected) != list(found) and set(expected) != set(found):
            return f"{path} has {', '.join(map(str, found))}, expected {', '.join(map(str, expected))}"
        parts = (_difference(expected[key], found[key], tolerance, f"{path}.{key}") for key in expected)
        return next((part for part in parts if part), None)
    if (
        isinstance(expected, list)
        and isinstance(found, list)
        and path != "answer.labels"
        and len(expected) == len(found)
    ):
        places = enumerate(zip(expected, found, strict=True))
        parts = (_difference(one, other, tolerance, f"{path}[{i}]") for i, (one, other) in places)
        return next((part for part in parts if part), None)
    if isinstance(expected, float) and isinstance(found, float):
        near = math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance)
        same = near or (math.isnan(expected) and math.isnan(found))
    elif path == "answer.labels" and isinstance(expected, list):
        same = set(expected) == set(found)  # in the order of their scores, which may change places
    else:
        same = expected == found
    return None if same else f"{path} was {expected!r}, is {found!r}"
