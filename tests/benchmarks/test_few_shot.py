"""The benchmark of few examples: runs once, goes on, and renders what stands in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.test_benchmarks import SET, data, record, run

__all__ = ["data"]


def line(name: str, draw: int, way: str, value: float) -> str:
    about = {"set": name, "draw": draw, "way": way, "value": value, "low": value - 0.1, "high": value + 0.1}
    more = {"examples": 8, "test_rows": 1000, "model": "e5-small", "described": False, "seconds": 60.0 + draw}
    shared = {key: record(name, draw, value)[key] for key in ("machine", "command")}
    return json.dumps({**about, **more, **shared}) + "\n"


def test_the_page_has_means_deviations_and_the_paired_difference(tmp_path: Path) -> None:
    results = tmp_path / "few_shot.jsonl"
    with results.open("w", encoding="utf-8") as file:
        for draw, frozen, ours in ((0, 0.70, 0.78), (1, 0.60, 0.62), (2, 0.80, 0.84)):
            file.write(line("trec_en", draw, "frozen", frozen) + line("trec_en", draw, "contrastive", ours))
        file.write(line("trec_en", 0, "zero_shot", 0.5))
        file.write(line("sst2_en", 0, "frozen", 0.7) + line("sst2_en", 0, "contrastive", 0.73))
    page = run("few_shot.py", "--json", results, "--out", tmp_path, "--render")
    expected = "70.0 ± 10.0 | 74.7 ± 11.4 | – | 50.0 | +4.7 ± 3.1 | pass | 61 |"
    assert f"| trec_en | e5-small | 8 | 3 | {expected}" in page
    assert "| sst2_en | e5-small | 8 | 1 | 70.0 | 73.0 | – | – | +3.0 | **fail** | 60 |" in page
    assert "| trec_en | 1 | 1000 | 60.0 | 62.0 | – | – | +2.0 |" in page
    assert page.index("| sst2_en") < page.index("| trec_en")
    assert (tmp_path / "few_shot.md").read_text(encoding="utf-8") in page
    assert "未达到" in (tmp_path / "few_shot.zh.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_runs_once_and_goes_on(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    results = tmp_path / "few_shot.jsonl"
    words = (SET, "--data", data, "--json", results, "--model", tiny_model, "--examples", 4, "--full-epochs", 1)
    first = run("few_shot.py", *words, "--draws", 1, "--set", "contrast.pairs=16")
    assert f"| {SET} |" in first and str(data) not in first
    found = [json.loads(one) for one in results.read_text(encoding="utf-8").splitlines()]
    assert [one["way"] for one in found] == ["frozen", "contrastive", "full", "zero_shot"]
    results.write_text("".join(json.dumps(one) + "\n" for one in found[:2]), encoding="utf-8")
    run("few_shot.py", *words, "--draws", 1)
    again = [json.loads(one) for one in results.read_text(encoding="utf-8").splitlines()]
    assert [one["value"] for one in again] == [one["value"] for one in found]
