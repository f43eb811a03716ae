"""Rows to score: what every metric asks of gold and predictions before it counts anything.

In:  gold and predicted values, one of each a row
Out: nothing, or an error that says what to do
Knows nothing of what the values mean.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

from bertie.core.errors import DataError


def check_rows(gold: Sized, predicted: Sized) -> None:
    """DataError where there is nothing to score. Two lengths are our own mistake."""
    assert len(gold) == len(predicted), f"{len(gold)} gold rows, {len(predicted)} predictions"
    if not len(gold):
        raise DataError("there are no rows to score: the file has no row with a label; give a file with labels")


def check_collections(rows: Sequence[Any], what: str) -> None:
    """DataError where a row is a bare text: that is a collection too, of its characters, and would be scored 0 without
    a word.
    """
    text = next((row for row in rows if isinstance(row, str)), None)
    if text is not None:
        raise DataError(f"found the {what} {text!r} where rows have several {what}s, expected a list; write [{text!r}]")
