"""From a table to a bundle that has seen a few rows of each class, in each of the three ways; and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bertie
from bertie.bundle.folder import METHODS
from bertie.cli.app import run
from bertie.core.errors import DataError, UsageError
from bertie.learning.few_shot import run_few_shot
from bertie.learning.request import FewShotRecipe, FewShotRequest
from bertie.learning.settings import fill
from bertie.objectives.pattern import PatternTask
from bertie.tasks.base import Defaults
from bertie.tasks.classification import Classification
from bertie.training.settings import Optimizer, Training
from bertie.tuning.lora import Lora
from bertie.workflow import train
from tests.learning.making import masked_lm_folder
from tests.workflow.rows import write

FAST = ("contrast.pairs=48", "training.optimizer.rate=1e-3", "training.trackers=[]", "training.dtype=float32")
PATTERN = (*FAST, "pattern.words.positive=good", "pattern.words.negative=bad", "training.epochs=4")


def learn(data: Path, model: Path, out: Path, overrides: tuple[str, ...] = FAST, **options: Any) -> list[str]:
    """What was said on the way."""
    lines: list[str] = []
    request = FewShotRequest(data=str(data), model=str(model), out=out, overrides=overrides, **options)
    run_few_shot(request, lines.append)
    return lines


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_pairs_leave_an_ordinary_classification_bundle(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.csv", 120), tmp_path / "m"
    lines = learn(data, tiny_model, out, ("contrast.pairs=320", *FAST[1:]), seed=3)
    assert any(line.startswith("rows: 16 to learn from, of 2 classes (seed 3), 104 of") for line in lines)
    assert any("320 pairs of 18 texts (2 of them descriptions" in line for line in lines)
    evaluation = figures(out)
    assert set(evaluation["floors"]) == {"frozen_encoder", "tfidf"} and evaluation["rows"] == 104
    assert evaluation["primary"]["value"] > evaluation["floors"]["frozen_encoder"]["value"]
    predictor = bertie.load(out)
    assert isinstance(predictor.task, Classification)
    assert predictor.predict(["服务很好"])[0]["label"] in ("positive", "negative")
    again = bertie.evaluate(out, write(tmp_path / "new.csv", 40, seed=1))
    assert (again["rows"], set(again["floors"])) == (40, {"frozen_encoder", "tfidf"})
    assert run(["export", str(out), "--format", "huggingface", "--out", str(tmp_path / "hf")]) == 0
    parts = json.loads((out / "data.json").read_text(encoding="utf-8"))
    assert [(part["name"], part["rows"]) for part in parts] == [("train", 16), ("test", 104)]
    assert "examples = 8" in (out / "recipe.toml").read_text(encoding="utf-8")


def test_another_metric_judges_and_rows_that_are_learned_from_are_no_dev_rows(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.csv", 80), tmp_path / "m"
    lines = learn(data, tiny_model, out, (*FAST, "training.metric=macro_f1"), examples=0, test=str(data))
    assert figures(out)["primary"]["name"] == "macro_f1"
    assert any(line.startswith("80 of 80 test rows are also in train or dev: scores will be too") for line in lines)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "训练损失" in page or "Training loss" in page
    assert "开发集得分" not in page and "Score on the development rows" not in page
    assert "其中 80 条此前已经见过" in page or "80 of which it had seen before" in page
    lines = learn(data, tiny_model, tmp_path / "n", by="descriptions", examples=4)
    assert not any("are also in" in line for line in lines)


def test_rows_in_memory_are_drawn_from_like_a_file(tiny_model: Path, tmp_path: Path) -> None:
    with write(tmp_path / "data.csv", 60).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    options: dict[str, Any] = {"model": str(tiny_model), "overrides": FAST, "examples": 4, "say": lambda line: None}
    found = [
        bertie.few_shot(data, test=rows[40:], out=tmp_path / name, **options)
        for name, data in (("given", rows), ("named", tmp_path / "data.csv"))
    ]
    assert found[0].evaluation["rows"] == 20
    assert found[0].evaluation["metrics"] == found[1].evaluation["metrics"]
    parts = json.loads((tmp_path / "given" / "data.json").read_text(encoding="utf-8"))
    assert [(part["source"], part["rows"]) for part in parts] == [("rows", 8), ("test rows", 20)]
    with pytest.raises(DataError, match=r"test rows:2: there is no 'label', expected a label"):
        bertie.few_shot(rows, test=[rows[0], {"text": "a"}], out=tmp_path / "m", **options)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answers_another_draws_other_rows(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 80)
    sums = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        learn(data, tiny_model, tmp_path / name, seed=seed, examples=4)
        sums.append(json.loads((tmp_path / name / "checksums.json").read_text(encoding="utf-8")))
    weights = [[one[file] for file in sorted(one) if file.endswith(".safetensors")] for one in sums]
    assert weights[0] == weights[1] and weights[0] != weights[2]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cosine", "order"])
def test_each_loss_and_a_method_with_few_weights(loss: str, tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 60, "pair" if loss == "order" else "one")
    lines = learn(data, tiny_model, tmp_path / "m", (*FAST, f"contrast.loss={loss}"), method="lora", examples=4)
    assert any("tuning: lora" in line for line in lines)
    assert bertie.load(tmp_path / "m").model.tuning is not None


@pytest.mark.slow
def test_a_run_that_ended_before_its_bundle_goes_on(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write(tmp_path / "data.csv", 60)

    def full(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr("bertie.learning.few_shot.publish", full)
        with pytest.raises(OSError, match="no space"):
            learn(data, tiny_model, tmp_path / "m")
    learn(data, tiny_model, tmp_path / "whole")
    learn(data, tiny_model, tmp_path / "m", resume=True)
    assert figures(tmp_path / "m")["primary"] == figures(tmp_path / "whole")["primary"]


def test_descriptions_alone_decide_and_no_example_is_looked_at(tiny_model: Path, tmp_path: Path) -> None:
    data, words = write(tmp_path / "data.csv", 80), tmp_path / "words.csv"
    words.write_text("text,label\ngood great fast 好 快,positive\nbad poor slow 坏 慢,negative\n", encoding="utf-8")
    answers = []
    for seed in (0, 1):
        out = tmp_path / str(seed)
        lines = learn(data, tiny_model, out, by="descriptions", descriptions=words, seed=seed)
        assert "positive: good great fast 好 快" in lines
        answers.append(bertie.load(out).predict(["good and fast", "坏", "the film"]))
        assert isinstance(bertie.load(out).task, Classification) and figures(out)["rows"] == 64
    assert [[one["label"] for one in found] for found in answers[:1]] == [[one["label"] for one in answers[1]]]
    assert answers[0][0]["label"] == "positive" and answers[0][1]["label"] == "negative"


def test_a_pattern_is_learned_by_an_encoder_with_the_head(tiny_model: Path, tmp_path: Path) -> None:
    data, model = write(tmp_path / "data.csv", 80), masked_lm_folder(tiny_model, tmp_path / "head")
    lines = learn(data, model, tmp_path / "m", PATTERN, by="pattern")
    assert any(line.startswith("pattern: {text} It was {mask}., words: bad for negative") for line in lines)
    predictor = bertie.load(tmp_path / "m")
    assert isinstance(predictor.task, PatternTask)
    assert set(predictor.predict(["good"])[0]) == {"label", "score", "scores"}
    assert set(figures(tmp_path / "m")["floors"]) == {"frozen_encoder", "tfidf"}
    again = bertie.evaluate(tmp_path / "m", write(tmp_path / "new.csv", 30, seed=1))
    assert set(again["floors"]) == {"tfidf"}  # the other one has not seen texts in the pattern
    new = (tmp_path / "new.csv").read_text(encoding="utf-8")
    table = [line.rsplit(",", 1) for line in new.splitlines()[1:]]
    lists = [json.dumps({"text": text, "label": [label]}, ensure_ascii=False) for text, label in table]
    (tmp_path / "new.jsonl").write_text("\n".join(lists), encoding="utf-8")
    assert bertie.evaluate(tmp_path / "m", tmp_path / "new.jsonl")["metrics"] == again["metrics"]
    (tmp_path / "new.csv").write_text(f"{new}good food,negative|positive\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"new.csv:32: found 2 labels \(negative, positive\), expected one label"):
        bertie.evaluate(tmp_path / "m", tmp_path / "new.csv")


@pytest.mark.parametrize(("given", "rate", "head"), [(0.0, 4e-4, 0.1), (1e-3, 1e-3, 1.0)])
def test_a_given_rate_is_that_of_the_head_too(given: float, rate: float, head: float) -> None:
    recipe = FewShotRecipe(training=Training(optimizer=Optimizer(rate=given)))
    prepared: Any = SimpleNamespace(recipe=recipe, method=Lora())
    filled = fill(prepared, epochs=1, rows=8, rate=4e-5).optimizer
    assert (filled.rate, filled.head_rate_factor) == pytest.approx((rate, head))


@pytest.mark.parametrize("said", [Optimizer(), Optimizer(rate=1e-3), Optimizer(layer_decay=0.7, head_rate_factor=3.0)])
@pytest.mark.parametrize("method", METHODS.classes())
def test_rates_are_filled_in_as_by_a_training_on_so_few_rows(method: str, said: Optimizer) -> None:
    recipe, chosen = FewShotRecipe(training=Training(optimizer=said)), METHODS.get(method)()
    prepared: Any = SimpleNamespace(recipe=recipe, method=chosen)
    usual = train.fill(recipe.training, train.Extent(16, 0, 12, 384, train.COMPUTE), Defaults(), chosen)
    assert fill(prepared, epochs=1, rows=8, rate=train.FEW_RATE).optimizer == usual.optimizer


HEADER = "text,label\n"
TWO = HEADER + "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(20))
REFUSED = {
    "more than there are": (TWO, ["--examples", "11"], "the smallest class, 'a', has 10 different texts"),
    "nothing left to judge by": (TWO, ["--examples", "10"], "no rows are left to judge by; take fewer with --examples"),
    "all and nothing left": (TWO, ["--examples", "0"], "name others with --test"),
    "one class": (HEADER + "x,a\ny,a\n", [], "found 1 label ('a'), expected at least two"),
    "less than none": (TWO, ["--examples", "-1"], "--examples -1: expected 1 or more"),
    "another way": (TWO, ["--by", "magic"], "--by 'magic': expected one of contrastive, pattern, descriptions"),
    "names that are numbers": (
        TWO.replace(",a", ",0").replace(",b", ",1"),
        ["--by", "descriptions"],
        "say nothing of what the labels mean",
    ),
    "no head": (TWO, ["--by", "pattern"], "has no masked-LM head"),
    "no such label": (TWO, ["--by", "pattern", "--set", "pattern.words.c=good"], "the label 'c', which no row has"),
    "a pattern without a gap": (TWO, ["--set", "pattern.text=was it"], "expected {text} once and {mask} once"),
    "no temperature": (TWO, ["--set", "contrast.temperature=0"], "temperature is 0.0, expected more than 0"),
    "an unknown description": (TWO, ["--descriptions", "WORDS"], "words.csv:2: describes the label 'c'"),
    "a regularization": (
        TWO,
        ["--set", "training.regularization.name=fgm"],
        "training.regularization is {'name': 'fgm'}, which `bertie fewshot` does not learn with; leave it out",
    ),
    "copies": (TWO, ["--set", 'augmentation.ways=["swap"]'], "augmentation.ways is ['swap'], which `bertie fewshot`"),
    "another pooling": (TWO, ["--set", "task.pooling=first"], "task.pooling is 'first' and task.normalise true, but"),
    "raw states": (
        TWO,
        ["--set", "task.normalise=false", "--by", "descriptions"],
        "the head of --by descriptions is a linear solution on normalised means: expected 'mean' and true",
    ),
    "tuning where nothing is trained": (
        TWO,
        ["--by", "descriptions", "--method", "prefix"],
        "--method prefix: nothing is trained --by descriptions; leave one of the two out",
    ),
    "nothing to tune": (TWO, ["--method", "frozen"], "every parameter of encoder and head is frozen"),
}


@pytest.mark.parametrize(
    "options",
    [
        *({"seeds": 5}, {"folds": 5}, {"combine": "average"}, {"dev": "d.csv"}, {"budget": "1m"}),
        *({"time_column": "t"}, {"group_column": "g"}, {"task": "regression"}, {"task": None}),
    ],
)
def test_what_a_training_alone_can_do_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(UsageError, match=rf"^{name} is {options[name]!r}, which `bertie fewshot` does not learn with"):
        bertie.few_shot("no-such-file.csv", **options)


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_says_what_to_do_and_leaves_nothing(
    case: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, options, says = REFUSED[case]
    data, words = tmp_path / "data.csv", tmp_path / "words.csv"
    data.write_text(content, encoding="utf-8")
    with words.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "label"], ["a third", "c"]])
    given = [str(words) if option == "WORDS" else option for option in options]
    where = ["--model", str(tiny_model), "--out", str(tmp_path / "m")]
    assert run(["fewshot", str(data), "--examples", "8", *where, *given]) == 2
    told = capsys.readouterr().err
    assert says in told and "Traceback" not in told
    assert not (tmp_path / "m" / "bundle.json").exists()
