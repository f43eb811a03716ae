"""From a table to a bundle that is evaluated, predicts and is refused where it was changed."""

from __future__ import annotations

import html
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.bundle import folder as bundle
from bertie.core.errors import BundleError, ConfigError, DataError, UsageError
from bertie.predict import Predictor, load_torch
from bertie.training.company import lead
from bertie.workflow import train
from bertie.workflow.request import TrainRequest, seconds
from tests.workflow.rows import write

FAST = {"training.epochs": 2, "training.optimizer.rate": 1e-3}
SILENT = {"say": lambda line: None}


@pytest.mark.parametrize(("kind", "metric"), [("one", "accuracy"), ("several", "micro_f1"), ("pair", "accuracy")])
def test_each_kind_goes_all_the_way(kind: str, metric: str, tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 200, kind)
    result = bertie.train(data, model=str(tiny_model), out=tmp_path / "m", settings=FAST, **SILENT)
    primary = result.evaluation["primary"]
    assert primary["name"] == metric
    assert 0.0 <= primary["low"] <= primary["value"] <= primary["high"] <= 1.0
    assert set(result.evaluation["floors"]) == {"tfidf", "frozen_encoder"}
    again = bertie.evaluate(tmp_path / "m", write(tmp_path / "new.csv", 50, kind, seed=1))
    assert (again["rows"], set(again["floors"])) == (50, {"tfidf", "frozen_encoder"})
    row = {"text_a": "good", "text_b": "bad"} if kind == "pair" else "服务很好"
    answer = bertie.load(tmp_path / "m").predict([row])[0]
    assert set(answer) >= ({"labels", "scores"} if kind == "several" else {"label", "score", "scores"})


def test_what_words_tell_is_learned_and_the_bundle_has_its_documents(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 300)
    lines: list[str] = []
    result = bertie.train(data, model=str(tiny_model), out=tmp_path / "m", settings=FAST, say=lines.append)
    recipe = tomllib.loads((result.folder / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["training"]["epochs"] == 2 and "seconds" not in recipe["training"]
    assert result.evaluation["primary"]["value"] >= 0.9
    names = {path.name for path in result.folder.iterdir()}
    assert names == {
        *(
            "bundle.json",
            "checksums.json",
            "data.json",
            "golden.json",
            "head.safetensors",
            "metrics.json",
            "recipe.toml",
        ),
        *("README.md", "report.html", "model", "floors", "run"),
    }
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "240 train" in page
    assert any(line.startswith("rows: 240 train, 30 dev, 30 test") for line in lines)
    assert json.loads((result.folder / "metrics.json").read_text())["primary"] == result.evaluation["primary"]
    assert list((result.folder / "run" / "tensorboard").iterdir())


def test_a_method_against_over_fitting_and_an_average_go_all_the_way(tiny_model: Path, tmp_path: Path) -> None:
    data, lines = write(tmp_path / "data.csv", 120), list[str]()
    names = {
        "training.regularization.name": "fgm",
        "training.regularization.epsilon": 0.1,
        "training.average.name": "ema",
    }
    settings = {**FAST, **names, "tuning.rank": 2}
    bertie.train(data, model=str(tiny_model), out=tmp_path / "m", method="lora", settings=settings, say=lines.append)
    said = [line for line in lines if line.startswith("against over-fitting: ")]
    assert [line.split()[2] for line in said] == ["fgm,", "ema,"] and "epsilon 0.1" in said[0]
    recipe = tomllib.loads((tmp_path / "m" / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["training"]["regularization"] == {"name": "fgm", "epsilon": 0.1}
    assert said[0] in html.unescape((tmp_path / "m" / "report.html").read_text(encoding="utf-8"))


def test_what_went_wrong_on_the_way_is_said(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = "step-9: a checksum differs; going back to the checkpoint before it"
    monkeypatch.setattr(train, "lead", lambda *given: replace(lead(*given), warnings=(warning,)))
    data, lines = write(tmp_path / "data.csv", 80), list[str]()
    bertie.train(data, dev=data, model=str(tiny_model), out=tmp_path / "m", settings=FAST, say=lines.append)
    assert warning in lines
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert warning in page
    assert "模型也由这些数据选出" in page and "从未见过的数据" not in page
    kept = json.loads((tmp_path / "m" / "run" / "result.json").read_text())["best_step"]
    assert f"保留：第 {kept} 步" in page


def test_rows_that_judge_and_were_seen_before_are_told_from_the_others(tiny_model: Path, tmp_path: Path) -> None:
    data, lines = write(tmp_path / "data.csv", 80), list[str]()
    test, new = tmp_path / "test.csv", write(tmp_path / "new.csv", 20, seed=1).read_text(encoding="utf-8")
    test.write_text(new + "".join(data.read_text(encoding="utf-8").splitlines(keepends=True)[1:6]), encoding="utf-8")
    options: dict[str, Any] = {"model": str(tiny_model), "settings": {"training.epochs": 1}, "say": lines.append}
    bertie.train(data, test=test, out=tmp_path / "m", **options)
    told = [line for line in lines if "are also in" in line]
    assert len(told) == 1 and told[0].startswith("5 of 25 test rows are also in train or dev: scores will be too good")
    page, card = ((tmp_path / "m" / name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))
    assert "其中 5 条此前已经见过" in page or "5 of which it had seen before" in page
    assert "从未见过的数据" not in page and "never saw" not in page
    for document in (page, card):
        assert "评测的 25 条数据中有 5 条也在" in document or "5 of the 25 rows that were judged are" in document
    lines.clear()
    bertie.train(data, out=tmp_path / "n", **options)
    page = (tmp_path / "n" / "report.html").read_text(encoding="utf-8")
    assert not any("are also in" in line for line in lines), "parts that were split off share no text"
    assert "从未见过的数据" in page or "never saw" in page


def test_the_same_request_gives_the_same_weights(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 120)
    sums = []
    for name in ("a", "b"):
        bertie.train(data, model=str(tiny_model), out=tmp_path / name, settings=FAST, **SILENT)
        sums.append(json.loads((tmp_path / name / "checksums.json").read_text())["model/model.safetensors"])
    assert sums[0] == sums[1]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_encodings_train_to_the_same_scores(encoding: str, tiny_model: Path, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.csv", 120)
    other = tmp_path / "other.csv"
    other.write_text(plain.read_text(encoding="utf-8"), encoding=encoding)
    found = [
        bertie.train(path, model=str(tiny_model), out=tmp_path / path.stem, settings=FAST, **SILENT).evaluation
        for path in (plain, other)
    ]
    assert found[0]["metrics"] == found[1]["metrics"]
    assert found[0]["floors"] == found[1]["floors"]


def test_a_finished_bundle_is_not_written_over_unasked(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 80)
    once = {"model": str(tiny_model), "out": tmp_path / "m", "settings": {"training.epochs": 1}, **SILENT}
    bertie.train(data, **once)
    with pytest.raises(UsageError, match="holds a finished bundle"):
        bertie.train(data, **once)
    bertie.train(data, overwrite=True, **once)


def test_the_bundle_proves_itself_before_training_is_done(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = {"model": str(tiny_model), "settings": {"training.epochs": 1}, **SILENT}
    data, honest = write(tmp_path / "data.csv", 80), bundle.save
    result = bertie.train(data, out=tmp_path / "m", **once)
    assert result.predictor.model.golden == json.loads((result.folder / "golden.json").read_text(encoding="utf-8"))

    def damaged(model: bundle.Model, folder: Path, *rest: Any) -> None:
        honest(model, folder, *rest)
        (folder / "model" / "config.json").write_text("{}")

    monkeypatch.setattr(bundle, "save", damaged)
    with pytest.raises(BundleError, match=r"model/config\.json was changed"):
        bertie.train(data, out=tmp_path / "n", **once)


def test_what_was_trained_on_a_device_is_loaded_there(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: list[str] = []

    def loaded(folder: Path, device: str) -> Predictor:
        devices.append(device)
        return load_torch(folder, device=device)

    monkeypatch.setattr(train, "load_torch", loaded)
    settings = {"training.epochs": 1, "training.device": "cpu"}
    bertie.train(
        write(tmp_path / "data.csv", 60), model=str(tiny_model), out=tmp_path / "m", settings=settings, **SILENT
    )
    train.published(tmp_path / "m", "cpu")
    assert devices == ["cpu", "cpu"]
    with pytest.raises(UsageError, match="device 'cuda:99' does not exist on this machine"):
        load_torch(tmp_path / "m", device="cuda:99")


def test_errors_come_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\ngood,a\nbad,a\n", encoding="utf-8")
    with pytest.raises(DataError):
        bertie.train(tmp_path / "one.csv", out=tmp_path / "m", **SILENT)
    with pytest.raises(ConfigError, match="unknown setting 'epoch'"):
        bertie.train(tmp_path / "one.csv", out=tmp_path / "m", settings={"training.epoch": 1}, **SILENT)


def test_a_time_is_read_as_people_write_it() -> None:
    assert [seconds(text) for text in ("90s", "10m", "1.5h", "30")] == [90, 600, 5400, 30]
    with pytest.raises(UsageError, match="expected a time such as 90s, 10m or 2h"):
        seconds("soon")
    assert TrainRequest(data="hub:a/b c").folder == Path("runs/b-c")
