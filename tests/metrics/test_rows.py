"""Nothing is scored where there is nothing to score, or where a text stands for a list."""

from __future__ import annotations

import pytest

from bertie.core.errors import DataError
from bertie.metrics.rows import check_collections, check_rows


def test_no_rows_is_an_error_that_says_what_to_give() -> None:
    with pytest.raises(DataError, match=r"no rows to score.*give a file with labels"):
        check_rows([], [])
    check_rows(["a"], ["b"])


def test_gold_and_predictions_of_different_rows_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="2 gold rows, 1 predictions"):
        check_rows(["a", "b"], ["a"])


def test_a_bare_text_is_named_with_what_to_write() -> None:
    with pytest.raises(DataError, match=r"found the answer '北京' where rows have several answers.*write \['北京'\]"):
        check_collections([["上海"], "北京"], "answer")
    check_collections([["上海"], ()], "answer")
