"""Each benchmark runs on a tiny set with a tiny model, and writes its page and its figures."""

from __future__ import annotations

import csv
import importlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import WORDS
from tests.house.source import ROOT
from tests.workflow.rows import write

BENCHMARKS = ROOT / "benchmarks"
SET = "toy_en"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 rows to train on; the label stands in the text."""
    folder = tmp_path_factory.mktemp("data")
    (folder / SET).mkdir()
    rng = random.Random(0)
    for name, count in (("train", 40), ("dev", 12), ("test", 12)):
        with (folder / SET / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            for i in range(count):
                words = rng.choices(WORDS[4:], k=rng.randrange(2, 12))
                table.writerow([" ".join([("good", "bad")[i % 2], *words, str(i)]), ("positive", "negative")[i % 2]])
    return folder


def run(script: str, *words: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    call = [sys.executable, str(BENCHMARKS / script), *map(str, words)]
    done = subprocess.run(call, check=False, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_pretrain_speed(tmp_path: Path) -> None:
    corpus, page, figures = tmp_path / "text.txt", tmp_path / "page.md", tmp_path / "figures.json"
    rng = random.Random(0)
    documents = [" ".join(rng.choices(WORDS[4:], k=40)) + f" 今天天气{i % 7}很好。" for i in range(120)]
    corpus.write_text("\n\n".join(documents), encoding="utf-8")
    options = ("--tokens", 800, "--length", 32, "--vocabulary", 300, "--repeats", 1)
    text = run("pretrain_speed.py", "--corpus", corpus, "--out", page, "--json", figures, *options)
    assert page.read_text(encoding="utf-8") in text
    assert "| transformers | float32 |" in text and "| losses of both heads apart |" in text
    assert str(tmp_path) not in text
    found: dict[str, list[dict[str, Any]]] = json.loads(figures.read_text(encoding="utf-8"))["runs"]
    assert len({one["tokens"] for runs in found.values() for one in runs}) == 1
    [ours] = found["bertie"]
    assert ours["same_loss"] < 1e-5 and 0.0 < ours["waiting"] < 1.0


@pytest.mark.slow
def test_train_speed(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    options = ("--rows", 32, "--test-rows", 12, "--repeats", 1, "--max-length", 32)
    text = run("train_speed.py", SET, "--data", data, "--model", tiny_model, "--out", page, "--json", figures, *options)
    assert page.read_text(encoding="utf-8") in text
    assert f"| {SET} | transformers | float32 |" in text
    assert str(data) not in text
    found: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))["results"][SET]
    for runs in found.values():
        assert [one["rows"] for one in runs] == [32]
        assert all(one["loop_seconds"] > 0 and one["peak_mb"] > 50 for one in runs)
    assert found["bertie"][0]["tokens"] == found["transformers"][0]["tokens"]


@pytest.mark.slow
def test_tuning_speed(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    options = ("--rows", 32, "--test-rows", 12, "--repeats", 1, "--max-length", 32, "--batch", 8, "--rank", 4)
    words = (SET, "--data", data, "--model", tiny_model, "--out", page, "--json", figures)
    text = run("tuning_speed.py", *words, *options)
    assert page.read_text(encoding="utf-8") in text
    assert f"| {SET} | peft | float32 |" in text and "| step, LoRA / full |" in text
    assert str(data) not in text and str(tiny_model) not in text
    found: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))["results"][SET]
    for runs in found.values():
        assert [(one["rows"], one["steps"]) for one in runs] == [(32, 4)]
        assert all(one["loop_seconds"] > 0 and one["loop_peak_mb"] > 50 for one in runs)
    assert found["LoRA"][0]["trained_in_encoder"] == found["peft"][0]["trained_in_encoder"] == 2 * 2 * 2 * 4 * 32
    assert found["full"][0]["trained_in_encoder"] > 10 * found["LoRA"][0]["trained_in_encoder"]


@pytest.mark.slow
def test_encode_speed(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    options = ("--rows", 12, "--repeats", 2, "--bf16", "always")
    words = (SET, "--data", data, "--model", tiny_model, "--out", page, "--json", figures)
    text = run("encode_speed.py", *words, *options)
    assert page.read_text(encoding="utf-8") in text
    found = json.loads(figures.read_text(encoding="utf-8"))["results"][SET]
    assert found["difference"] < 1e-4
    assert {who: len(seconds) for who, seconds in found["seconds"].items()} == {
        "bertie": 2,
        "given order": 2,
        "same batches": 2,
        "bertie bf16": 2,
    }


@pytest.mark.slow
def test_scores_trains_once_and_renders(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    results = tmp_path / "scores.jsonl"
    words = (SET, "--data", data, "--json", results, "--out", tmp_path, "--render", "--seeds", "0")
    settings = ("--model", tiny_model, "--set", "training.epochs=1", "--set", "max_length=32")
    first = run("scores.py", *words, *settings)
    assert f"| {SET} | 12 |" in first
    assert run("scores.py", *words, *settings) == first
    assert len(results.read_text(encoding="utf-8").splitlines()) == 1


def test_scores_renders_what_stands_in_the_file(tmp_path: Path) -> None:
    results = tmp_path / "scores.jsonl"
    lines = [json.dumps(record("trec_en", seed, value)) for seed, value in ((1, 0.94), (0, 0.96), (2, 0.97))]
    results.write_text("\n".join([*lines, json.dumps(record("sst2_en", 0, 0.87, wall=901.0))]) + "\n")
    others = (
        record("semeval2010_re_en", 0, 0.87),
        record("finre_zh", 0, 0.98),
        record("made_zh", 0, 0.95) | {"older": True},
    )
    with results.open("a") as file:
        file.writelines(json.dumps(other) + "\n" for other in others)
    page = run("scores.py", "--json", results, "--out", tmp_path, "--render")
    floors = "tfidf 0.9000, frozen_encoder 0.9400"
    assert f"| trec_en | 500 | accuracy | 0.9600 [0.950, 0.970] | 0.950 | pass | {floors} | pass, clear |" in page
    assert f"| sst2_en | 500 | accuracy | 0.8700 [0.860, 0.880] | 0.880 | **fail** | {floors} | **fail** |" in page
    low = "tfidf 0.7000, frozen_encoder 0.7000"
    assert f"| semeval2010_re_en | 500 | official_macro_f1 | 0.7700 | 0.780 | **fail** | {low} | pass |" in page
    assert "| finre_zh | 500 | accuracy | 0.9800 [0.970, 0.990] | +0.050 | **fail** |" in page
    assert f"| made_zh \\* | 500 | accuracy | 0.9500 [0.940, 0.960] | – | – | {floors} | pass |" in page
    assert "\\* measured before weights were kept as they are now" in page
    assert page.index("| sst2_en") < page.index("| trec_en")
    assert "| 901 | **fail** |" in page
    assert "| trec_en | 3 | 0.9567 | 0.0153 | 0.9400 | 0.9700 | **fail** |" in page
    assert (tmp_path / "scores.md").read_text(encoding="utf-8") in page
    assert "明确" in (tmp_path / "scores.zh.md").read_text(encoding="utf-8")


def record(name: str, seed: int, value: float, wall: float = 100.0) -> dict[str, Any]:
    difference = {"value": value - 0.94, "low": value - 0.95, "high": value - 0.93}
    machine = {"cores": 2, "threads": 2, "memory_gb": 8.0, "instructions": ["avx2"], "gflops": {"float32": 100.0}}
    versions = dict.fromkeys(("torch", "python", "bertie", "transformers", "dtype", "dtype_reason"), "1")
    return {
        "rows": 500,
        "primary": {"name": "accuracy", "value": value, "low": value - 0.01, "high": value + 0.01},
        "task": "classification",
        "metrics": {"accuracy": value, "official_macro_f1": value - 0.1},
        "floors": {
            key: {"name": "accuracy", "value": value, "difference": difference, "metrics": {"official_macro_f1": 0.7}}
            for key, value in (("tfidf", 0.9), ("frozen_encoder", 0.94))
        },
        "model": "minilm",
        "epochs": 3,
        "end": "epochs",
        "best_step": 10,
        "set": name,
        "seed": seed,
        "wall_seconds": wall,
        "command": "python benchmarks/scores.py",
        "machine": {**machine, **versions},
    }


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Utterances whose intent is a word in them, a few out of scope, to be joined; and pairs."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = random.Random(0)
    for name in ("clinc150_en", "lcqmc_zh"):
        (folder / name).mkdir()
    for part, count in (("train", 60), ("dev", 20), ("test", 24)):
        write(folder / "lcqmc_zh" / f"{part}.csv", count, "pair", seed=count)
        with (folder / "clinc150_en" / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            for i in range(count):
                label = (*WORDS[:4], "oos")[i % 5]
                table.writerow([" ".join([label, *rng.choices(WORDS[4:], k=3), str(i)]), label])
    return folder


@pytest.mark.slow
def test_paths_go_all_the_way(shapes: Path, tiny_model: Path, tmp_path: Path) -> None:
    page, figures, kept = tmp_path / "page.md", tmp_path / "figures.json", tmp_path / "kept"
    words = ("--data", shapes, "--model", tiny_model, "--out", page, "--json", figures, "--keep", kept)
    text = run("paths.py", *words, "--rows", 80, "--test-rows", 30, "--intents", 3, "--budget", "10s")
    assert page.read_text(encoding="utf-8") in text
    assert not [folder for folder in (shapes, tiny_model, kept) if str(folder) in text]
    assert "bertie serve WORK/several_en-bundle --port 0" in text
    found = json.loads(figures.read_text(encoding="utf-8"))["results"]
    assert {name: record["compared"] for name, record in found.items()} == {"several labels": 30, "pair": 24}
    assert {name: record["primary"]["name"] for name, record in found.items()} == {
        "several labels": "micro_f1",
        "pair": "accuracy",
    }
    assert all(record["largest_difference"] <= 1e-4 and len(record["floors"]) == 2 for record in found.values())
    with (kept / "several_en" / "test.csv").open(encoding="utf-8", newline="") as file:
        joined = [row["label"].split("|") for row in csv.DictReader(file)]
    assert {len(labels) for labels in joined} == {len(set(labels)) for labels in joined} == {2, 3}
    assert "oos" not in {label for labels in joined for label in labels}


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("paths")


def test_paths_sees_every_difference(paths: ModuleType) -> None:
    one = {"label": "a", "score": 0.75, "scores": {"a": 0.75, "b": 0.25}}
    assert paths.difference(one, one) == 0.0
    assert paths.difference({**one, "score": 0.5}, one) == 0.25
    assert paths.difference({**one, "scores": {"a": 0.75, "b": 0.125}}, one) == 0.125
    for other in ({"label": "b"}, {"note": "the text is empty"}, {"scores": {"a": 0.75}}):
        assert paths.difference({**one, **other}, one) == paths.difference(one, {**one, **other}) == float("inf")
    several = {"labels": ["a", "b"], "scores": {"a": 0.75, "b": 0.75}}
    assert paths.difference({**several, "labels": ["b", "a"]}, several) == 0.0
    assert paths.difference({**several, "labels": ["a"]}, several) == float("inf")
    assert paths.micro_f1(["a|b", "c"], [{"labels": ["a"]}, {"labels": ["c", "d"]}]) == pytest.approx(4 / 6)
    assert paths.micro_f1(["a", "b"], [{"label": "a"}, {"label": "a"}]) == 0.5


@pytest.mark.parametrize(
    ("changed", "code"), [({}, None), ({"largest_difference": 2e-4}, 1), ({"counted_again": 0}, 1)]
)
def test_paths_fails_where_answers_differ(
    paths: ModuleType,
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, float],
    code: int | None,
) -> None:
    steps = ("train", "evaluate", "predict", "ready", "answering")
    good = {
        "model": "minilm",
        "train_rows": 3000,
        "test_rows": 500,
        "primary": {"name": "micro_f1", "value": 0.9, "low": 0.88, "high": 0.92},
        "floors": {"tfidf": 0.7, "frozen_encoder": 0.8},
        "counted_again": 0.9,
        "compared": 500,
        "largest_difference": 1e-6,
        "seconds": dict.fromkeys(steps, 1.0),
        "commands": ["bertie train DIR/lcqmc_zh"],
    }
    monkeypatch.setattr(paths, "walk_all", lambda *_: {"several labels": good, "pair": {**good, **changed}})
    monkeypatch.setattr(paths, "machine", lambda: record("any", 0, 0.9)["machine"])
    monkeypatch.setattr(sys, "argv", ["paths.py", "--data", str(shapes), "--out", str(tmp_path / "page.md")])
    if code is None:
        paths.main()
    else:
        with pytest.raises(SystemExit, match="not as it must be: pair"):  # a message: exit 1
            paths.main()
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| several labels | 1.0 | 1.0 | 1.0 | 500 | 1.0e-06 | pass |" in page
    assert page.count("**fail**") == (code or 0)


def test_paths_fails_where_a_command_fails(paths: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = importlib.import_module("walk")
    monkeypatch.setattr(walk, "CLI", [sys.executable, "-c", "import sys; sys.exit('error: so it is')"])
    walker = walk.Walk(tmp_path / "toy_en", ("text",), tmp_path, tmp_path)
    for step in (lambda: walker.bertie("train", str(tmp_path / "toy_en")), lambda: walker.ask([{"text": "good"}])):
        with pytest.raises(SystemExit, match="so it is"):
            step()
    assert walker.commands == ["bertie train WORK/toy_en", "bertie serve WORK/toy_en-bundle --port 0"]


@pytest.fixture
def faq(tmp_path: Path) -> Path:
    """Questions that share words with their answers."""
    folder, rng = tmp_path / "egret_faq_zh", random.Random(0)
    folder.mkdir()
    pairs = [(rng.choices(WORDS, k=3), i) for i in range(40)]
    rows = [{"id": i, "question": " ".join(words), "answer": f"{words[0]} 好 {words[1]} {i}"} for words, i in pairs]
    asking = [{"query": f"{row['question']} 了", "gold_id": row["id"]} for row in rows[:6]]
    for name, lines in (("train", rows), ("test_answers", rows), ("test_queries", asking)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_retrieval_trains_twice_and_renders(faq: Path, tiny_model: Path) -> None:
    results = faq / "retrieval.jsonl"
    words = ("egret_faq_zh", "--data", faq, "--json", results, "--out", faq, "--render", "--model", tiny_model)
    fast = ("--set", "training.epochs=1", "--set-reranking", "task.negatives=1", "--depth", 5)
    first = run("retrieval.py", *words, *fast)
    (found,) = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert (found["queries"], found["train"], found["held_out"], found["texts"], found["depth"]) == (6, 36, 4, 40, 5)
    for name, one, other in (("tuned - untuned", "tuned", "untuned"), ("re-ranked - tuned", "re-ranked", "tuned")):
        figures = [found["systems"][system]["ndcg_at_10"]["value"] for system in (one, other)]
        assert found["differences"][name]["ndcg_at_10"]["value"] == pytest.approx(figures[0] - figures[1])
    assert run("retrieval.py", *words, *fast) == first
    assert "| BM25 |" in first and "重排 − 微调" in (faq / "retrieval.zh.md").read_text(encoding="utf-8")
    assert str(faq) not in first and str(tiny_model) not in first


def test_retrieval_holds_out_what_is_asked(faq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    retrieval = importlib.import_module("retrieval")
    for name in ("test_answers", "test_queries"):
        (faq / "egret_faq_zh" / f"{name}.jsonl").unlink()
    task = retrieval.load(faq / "egret_faq_zh", "train.jsonl", 0, held_out=True)
    assert (len(task.queries), len(task.train), len(task.held_out), len(task.texts)) == (10, 27, 3, 40)
    assert not set(task.queries) & {*task.train, *task.held_out} and not set(task.train) & set(task.held_out)


@pytest.mark.slow
def test_evaluation_memory(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    text = run("evaluation_memory.py", "--rows", 200, 400, "--tasks", "tagging", "--out", page, "--json", figures)
    assert page.read_text(encoding="utf-8") in text
    assert "评测内存" in page.with_suffix(".zh.md").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))["results"]["tagging"]
    assert set(found) == {"evaluate", "predict"}
    assert all(set(sizes) == {"200", "400"} for sizes in found.values())
    assert all(0 < run["peak_mb"] < 1500 for sizes in found.values() for run in sizes.values())


@pytest.mark.slow
def test_overfitting_trains_once_and_renders(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    results = tmp_path / "overfitting.jsonl"
    words = (SET, "--data", data, "--json", results, "--out", tmp_path, "--render", "--seeds", "0", "--methods", "fgm")
    settings = ("--model", tiny_model, "--set", "training.epochs=1", "--set", "max_length=32")
    first = run("overfitting.py", *words, *settings)
    assert f"| {SET} | fgm | accuracy | 1 |" in first and "| one seed says nothing |" in first
    assert run("overfitting.py", *words, *settings) == first
    found = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [(one["method"], one["epochs"]) for one in found] == [("plain", 1), ("fgm", 1)]
    assert str(data) not in first and "- fgm: `--set training.regularization.name=fgm`" in first


def test_overfitting_renders_what_stands_in_the_file(tmp_path: Path) -> None:
    results = tmp_path / "overfitting.jsonl"
    values = {
        "plain": (0.90, 0.91, 0.92),
        "rdrop": (0.91, 0.92, 0.9305),
        "mixup": (0.88, 0.889, 0.90),
        "fgm": (0.93, 0.90, 0.925),
    }
    with results.open("w") as file:
        for method, scores in values.items():
            for seed, value in reversed(list(enumerate(scores))):
                one = record("trec_en", seed, value) | {"steps": 100, "loop_seconds": 30.0 + 20.0 * (method == "fgm")}
                one |= {"method": method, "settings": [] if method == "plain" else [f"name={method}"]}
                file.write(json.dumps(one) + "\n")
        other = record("trec_en", 3, 0.99) | {"steps": 1, "loop_seconds": 1.0, "method": "fgm", "settings": []}
        file.write(json.dumps(other) + "\n")  # nothing to compare it with
    page = run("overfitting.py", "--json", results, "--out", tmp_path, "--render")
    assert "| trec_en | plain | accuracy | 3 | 0.9100 | – | – | – | – | – |" in page
    # Differences 0.0100, 0.0100, 0.0105: deviation 0.000289, and t of two degrees of freedom is 4.303.
    assert (
        "| trec_en | rdrop | accuracy | 3 | 0.9202 | +0.0102 | 0.0003 | [+0.0094, +0.0109] | 1.00 (1.00–1.00) |" in page
    )
    assert "| **helps** |" in page.split("| rdrop |")[1].splitlines()[0]
    assert "| **harms** |" in page.split("| mixup |")[1].splitlines()[0]
    assert "| 1.67 (1.67–1.67) | no difference seen |" in page.split("| fgm |")[1].splitlines()[0]
    assert "| trec_en | fgm | 0: 0.9300, 1: 0.9000, 2: 0.9250, 3: 0.9900 | 0: +0.0300, 1: -0.0100, 2: +0.0050 |" in page
    assert (tmp_path / "overfitting.md").read_text(encoding="utf-8") in page
    assert "有帮助" in (tmp_path / "overfitting.zh.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_soup(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    results = tmp_path / "soup.jsonl"
    options = ("--members", 2, "--minutes", 2, "--seeds", 5, "--model", tiny_model, "--json", results)
    settings = ("--set", "training.epochs=1", "--set", "training.trackers=[]")
    text = run("soup.py", SET, "--data", data, *options, *settings, "--render", "--out", tmp_path)
    assert (tmp_path / "soup.md").read_text(encoding="utf-8") in text
    assert str(data) not in text
    [record] = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [set(one) for one in record["members"]] == [{"dev", "test"}] * 2
    assert record["soup"]["members"] == record["average"]["members"] == ["seed-5", "seed-6"]
    assert 1 <= len(record["greedy_soup"]["members"]) <= 2
    assert "各模型权重的平均" in (tmp_path / "soup.zh.md").read_text(encoding="utf-8")
    again = run("soup.py", SET, "--data", data, *options)
    assert len(results.read_text(encoding="utf-8").splitlines()) == 1 and again == text
