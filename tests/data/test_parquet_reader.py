"""Parquet: class numbers that `datasets` wrote come back as the names of their classes."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from bertie.core.errors import DataError
from bertie.data.parquet_reader import names_in
from bertie.data.readers import read_rows


def test_parquet_classes_of_datasets_get_their_names(tmp_path: Path) -> None:
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["差评", "好评"]))
    datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features).to_parquet(
        tmp_path / "a.parquet"
    )
    assert read_rows(tmp_path / "a.parquet").column("label") == ["好评", "差评"]


def test_parquet_classes_in_lists_get_their_names_and_minus_one_is_no_label(tmp_path: Path) -> None:
    path, tags = tmp_path / "a.parquet", datasets.ClassLabel(names=["O", "B-LOC"])
    features = datasets.Features(tokens=datasets.List(datasets.Value("string")), ner_tags=datasets.List(tags))
    content = {"tokens": [["我", "在", "京"]], "ner_tags": [[0, 0, 1]]}
    datasets.Dataset.from_dict(content, features=features).to_parquet(path)
    assert read_rows(path)[0] == {"text": "我在京", "entities": [{"start": 2, "end": 3, "label": "LOC"}]}
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["bad", "good"]))
    content = {"text": ["a", "b", "c"], "label": [1, -1, 0]}
    datasets.Dataset.from_dict(content, features=features).to_parquet(path)
    with pytest.raises(DataError, match=r"a.parquet:2: 'label' is empty, expected a label"):
        read_rows(path)
    assert read_rows(path, skip_bad_rows=True).column("label") == ["good", "bad"]


def test_names_of_classes_are_found_however_a_list_is_written() -> None:
    label = {"num_classes": 2, "names": ["a", "b"], "_type": "ClassLabel"}
    features = {
        **{"one": label, "old": [label], "list": {"feature": label, "_type": "Sequence"}},
        **{
            "nested": {"feature": {"feature": label}},
            "text": {"dtype": "string"},
            "parts": {"names": {"dtype": "int"}},
        },
    }
    assert names_in(features) == {name: ["a", "b"] for name in ("one", "old", "list", "nested")}
