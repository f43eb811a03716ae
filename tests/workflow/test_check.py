"""Looking at data: what cannot be looked at yet is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertie.core.errors import DataError
from bertie.workflow.check import run_check
from bertie.workflow.request import Reading


def test_rows_of_another_kind_are_named(tmp_path: Path) -> None:
    row = {"tokens": ["我", "在", "北", "京"], "tags": ["O", "O", "B-LOC", "I-LOC"]}
    lines = [json.dumps({**row, "tokens": [*row["tokens"], str(i)], "tags": [*row["tags"], "O"]}) for i in range(30)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"train.jsonl: the rows are read as tagging; `data check` looks at texts"):
        run_check(str(tmp_path / "train.jsonl"), Reading())
