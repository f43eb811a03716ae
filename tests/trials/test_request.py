"""What a person may ask: sizes and times with units; what makes no sense is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertie.core.errors import UsageError
from bertie.trials.request import SearchRequest


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 * 2**30), ("800M", 800 * 2**20), ("1.5 GB", 1.5 * 2**30), ("512MiB", 512 * 2**20)]
)
def test_memory_is_read_as_people_write_it(text: str, size: float) -> None:
    assert SearchRequest(data="d.csv", max_memory=text).memory_bytes == size


@pytest.mark.parametrize(("text", "seconds"), [("20ms", 0.02), ("0.1s", 0.1), ("500us", 0.0005)])
def test_latency_too(text: str, seconds: float) -> None:
    assert SearchRequest(data="d.csv", max_latency=text).latency_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_memory": "4"}, "--max-memory '4': expected a number with a unit, such as 4G or 800M"),
        ({"max_memory": "0G"}, "--max-memory '0G'"),
        ({"max_latency": "20"}, "--max-latency '20': expected a number with a unit, such as 20ms or 0.1s"),
        ({"max_latency": "fast"}, "--max-latency 'fast'"),
        ({"trials": 0}, "--trials 0: expected at least 1"),
        ({"budget": "soon"}, "expected a time such as"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        SearchRequest(data="d.csv", **options)  # type: ignore[arg-type]


def test_the_training_that_it_has_to_better_is_the_same_request() -> None:
    request = SearchRequest(data="hub:a/b", budget="10m", seed=7, overrides=("training.epochs=2",))
    training = request.training("minilm")
    assert (training.model, training.seconds, training.seed) == ("minilm", 600.0, 7)
    assert training.settings().training.epochs == 2
    assert request.folder == Path("runs/search-b") == training.folder
    assert SearchRequest(data="d.csv").budget_seconds == 1800.0
