"""The comparison of tuning methods runs on a tiny set, and its page says what stands in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.test_benchmarks import SET, data, record, run

__all__ = ["data"]  # the fixture


@pytest.mark.slow
def test_tuning_trains_each_method_on_the_encoder_of_full_tuning(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    results = tmp_path / "tuning.jsonl"
    words = (SET, "--data", data, "--json", results, "--out", tmp_path, "--render", "--methods", "lora,prefix")
    settings = ("--model", tiny_model, "--set", "training.epochs=1", "--set", "max_length=32")
    first = run("tuning.py", *words, *settings)
    assert run("tuning.py", *words, *settings) == first
    found = {one["method"]: one for one in map(json.loads, results.read_text(encoding="utf-8").splitlines())}
    assert list(found) == ["full", "lora", "prefix"] and {one["model"] for one in found.values()} == {tiny_model.name}
    assert found["full"]["trained"] == found["full"]["whole"] == found["prefix"]["whole"] > found["lora"]["trained"] > 0
    assert 0 < found["lora"]["bytes"] < found["full"]["bytes"] and found["prefix"]["bytes"] > 0
    assert all(one["peak_mb"] > 50 for one in found.values())


def test_tuning_renders_what_stands_in_the_file(tmp_path: Path) -> None:
    results = tmp_path / "tuning.jsonl"
    values = {"full": (0.90, 0.92), "lora": (0.895, 0.905), "houlsby": (0.85, 0.95), "frozen": (0.8, 0.8)}
    trained = {"full": 1000, "lora": 31, "houlsby": 60, "frozen": 0}
    with results.open("w") as file:
        for method, scores in values.items():
            for seed, value in enumerate(scores):
                one = record("trec_en", seed, value) | {"steps": 100, "loop_seconds": 40.0 - 10.0 * (method == "lora")}
                one |= {"method": method, "trained": trained[method], "whole": 1000, "bytes": 2**19, "peak_mb": 900}
                file.write(json.dumps(one) + "\n")
    page = run("tuning.py", "--json", results, "--out", tmp_path, "--render")
    full = "| trec_en | minilm | full | 2 | 0.9100 | – | 100.00% | 0.50 | 900 (900–900) | – | 100 (100–100) |"
    lora = "| minilm | lora | 2 | 0.9000 | -0.0100 | 3.10% | 0.50 | 900 (900–900) | 0.75 (0.75–0.75) | 100 (100–100) |"
    assert full in page and lora in page
    assert "| trec_en | lora | 0.010 | -0.0100 | 3% | 3.10% | **fail** |" in page
    assert "| trec_en | houlsby | 0.020 | -0.0100 | – | 6.00% | pass |" in page
    assert "微调方法" in (tmp_path / "tuning.zh.md").read_text(encoding="utf-8")
