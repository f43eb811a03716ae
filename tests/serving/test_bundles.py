"""Real bundles behind the HTTP app: rows of every shape are answered as the Predictor answers them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import bertie
from tests.serving.running import running
from tests.workflow.rows import write

SETTINGS = {"training.epochs": 1, "training.optimizer.rate": 1e-3}
KINDS = {"one": ("text",), "several": ("text",), "pair": ("text_a", "text_b"), "ensemble": ("text",)}
MORE: dict[str, dict[str, Any]] = {"ensemble": {"seeds": 2, "combine": "average"}}


@pytest.fixture(scope="module")
def bundles(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for kind in KINDS:
        data = write(folder / f"{kind}.csv", 60, kind)
        options = {"out": folder / kind, "settings": SETTINGS, **MORE.get(kind, {})}
        bertie.train(data, model=str(tiny_model), say=lambda line: None, **options)
    return {kind: folder / kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_answers_over_http_as_the_predictor_does(kind: str, bundles: dict[str, Path], tmp_path: Path) -> None:
    with write(tmp_path / "new.csv", 20, kind, seed=1).open(encoding="utf-8", newline="") as file:
        rows = [{column: row[column] for column in KINDS[kind]} for row in csv.DictReader(file)]
    rows += [dict.fromkeys(KINDS[kind], text) for text in ("", "🙂", "good 服务 " * 100)]
    predictor = bertie.load(bundles[kind])
    expected = predictor.predict(rows)
    with running(predictor) as server:
        whole = server.client.post("/v1/predict", json={"rows": rows}).json()
        alone = [server.client.post("/v1/predict", json={"rows": [row]}).json()["answers"][0] for row in rows]
    assert whole["model"] == kind
    for answers in (whole["answers"], alone):
        for one, other in zip(answers, expected, strict=True):
            assert one.keys() == other.keys()
            assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)  # other batches, another thread
            assert [one.get(name) for name in ("label", "labels", "note")] == [
                other.get(name) for name in ("label", "labels", "note")
            ]
    assert [bool(answer.get("note")) for answer in alone[-3:]] == [True, True, True]


def test_bundles_of_several_shapes_side_by_side(bundles: dict[str, Path]) -> None:
    with running(*map(bertie.load, bundles.values())) as server:
        pair, text = {"text_a": "good", "text_b": "bad"}, {"text": "服务很好"}

        def ask(kind: str, row: dict[str, str]) -> tuple[int, dict[str, Any]]:
            answer = server.client.post("/v1/predict", json={"rows": [row], "model": kind})
            return answer.status_code, answer.json()

        assert set(ask("pair", pair)[1]["answers"][0]) == {"label", "score", "scores"}
        assert set(ask("several", text)[1]["answers"][0]) == {"labels", "scores"}
        assert "text_a, text_b" in ask("pair", text)[1]["error"]["message"]
        assert [ask(kind, pair)[0] for kind in ("one", "several")] == [422, 422]
