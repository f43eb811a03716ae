"""Folds, seeds and what becomes of them: one bundle, whatever was asked for."""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.core.errors import DataError, UsageError
from bertie.data.rows import Rows
from bertie.predict import Predictor, load
from bertie.tasks import classification
from bertie.tasks.base import Task
from bertie.tasks.classification import Classification
from bertie.workflow import members, several
from bertie.workflow.export import run_export
from bertie.workflow.request import Reading, Recipe, TrainRequest
from bertie.workflow.sample_rows import EIGHT
from bertie.workflow.several import check, run_trainings
from bertie.workflow.train import TrainResult
from tests.workflow.rows import write

SETTINGS = (
    *("training.epochs=1", "training.optimizer.rate=1e-3", "training.trackers=[]"),
    "training.dtype=float32",  # what auto measures may differ from one run to the next where others use the machine
)


def run(model: Path, data: Path, out: Path, **options: Any) -> tuple[TrainResult, list[str]]:
    lines: list[str] = []
    request = TrainRequest(data=str(data), model=str(model), out=out, overrides=SETTINGS, budget="10m", **options)
    return run_trainings(request, lines.append), lines


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    return found


def with_column(path: Path, name: str, values: list[str]) -> Path:
    """The same table with one more column."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([*row, value] for row, value in zip(rows, [name, *values], strict=True))
    return path


@pytest.fixture(scope="module")
def soup(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult, list[str]]:
    """The rows, and a soup of two seeds."""
    folder = tmp_path_factory.mktemp("soup")
    data = write(folder / "data.csv", 100)
    return data, *run(tiny_model, data, folder / "m", seeds=2)


def test_a_soup_of_seeds_is_an_ordinary_bundle(soup: tuple[Path, TrainResult, list[str]], tmp_path: Path) -> None:
    _, result, lines = soup
    assert described(result.folder)["engine"] == "torch/float32"
    assert not result.predictor.members
    assert len(result.predictor.model.golden) > 0
    found = result.evaluation["members"]
    assert found["combine"] == "soup" and [one["in"] for one in found["trained"]] == [True] * 2
    assert [one["name"] for one in found["trained"]] == ["seed-13", "seed-14"]
    assert all({"dev", "test"} <= one.keys() for one in found["trained"])
    assert any(line.startswith("budget: 600 s for 2 trainings, ") for line in lines)
    assert sum(line.startswith("rows: ") for line in lines) == 1
    heads = [(result.folder / "run" / f"part-seed-{n}/bundle/head.safetensors").read_bytes() for n in (13, 14)]
    assert heads[0] != heads[1]
    assert "logits" in run_export(result.folder, "huggingface", tmp_path / "hf")
    again = bertie.evaluate(result.folder, write(tmp_path / "new.csv", 50, seed=1))
    assert set(again["floors"]) == {"tfidf", "frozen_encoder"}


@pytest.mark.slow
def test_of_equal_seeds_the_soup_is_the_training(tiny_model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    data = write(tmp_path / "data.csv", 120)
    alone, _ = run(tiny_model, data, tmp_path / "alone", seed=13)
    fresh = members.fresh
    monkeypatch.setattr(members, "fresh", lambda prepared, seed, head: fresh(prepared, 13, 13))
    mixed, _ = run(tiny_model, data, tmp_path / "soup", seeds=2)
    texts = [row["row"]["text"] for row in alone.predictor.model.golden]
    for one, other in zip(alone.predictor.predict(texts), mixed.predictor.predict(texts), strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
    assert mixed.evaluation["metrics"] == alone.evaluation["metrics"]


def test_how_they_are_combined_may_change_without_training_again(
    soup: tuple[Path, TrainResult, list[str]], tiny_model: Path, tmp_path: Path
) -> None:
    data, out = soup[0], tmp_path / "m"
    shutil.copytree(soup[1].folder, out)
    before = {path: path.read_bytes() for path in (out / "run").rglob("*.safetensors")}
    greedy, lines = run(tiny_model, data, out, seeds=2, combine="greedy_soup", resume=True)
    assert "seed-14 (2 of 2): done before" in lines
    scores = [one["dev"] for one in greedy.evaluation["members"]["trained"]]
    assert greedy.evaluation["members"]["dev"] >= max(scores) - 0.01
    mean, _ = run(tiny_model, data, out, seeds=2, combine="average", resume=True)
    assert described(out)["engine"] == "ensemble/float32"
    assert len(mean.predictor.members) == 2
    assert {path: path.read_bytes() for path in before} == before
    each = [load(out / "members" / str(n)).predict(["good food"])[0]["scores"] for n in (1, 2)]
    found = mean.predictor.predict(["good food"])[0]["scores"]
    assert found == pytest.approx({name: (each[0][name] + each[1][name]) / 2 for name in found}, abs=1e-6)
    with pytest.raises(UsageError, match="whose seeds was 2, now it is 3"):
        run(tiny_model, data, out, seeds=3, resume=True)
    other = TrainRequest(data=str(data), model=str(tiny_model), out=out, overrides=SETTINGS, seeds=2, resume=True)
    with pytest.raises(UsageError, match="the budget of 600 s was divided when the trainings began"):
        run_trainings(replace(other, budget="20m"), lambda line: None)


def test_members_share_the_threshold_that_dev_rows_chose_for_their_mean(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classification, "FEWEST_TO_CHOOSE", 1)
    run(tiny_model, write(tmp_path / "data.csv", 60, "several"), tmp_path / "m", seeds=2, combine="average")
    chosen = [described(tmp_path / "m" / "members" / str(n))["task"]["description"]["settings"] for n in (1, 2)]
    assert chosen[0]["threshold"] == chosen[1]["threshold"] > 0.0
    recipe = tomllib.loads((tmp_path / "m" / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["task"]["threshold"] == 0.0, "other rows choose another one"


def test_folds_are_judged_by_others_and_refitted(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.csv", 150), tmp_path / "m"
    result, lines = run(tiny_model, data, out, folds=2)
    crossed = result.evaluation["cross_validation"]
    assert crossed["folds"] == len(crossed["values"]) == 2
    assert crossed["low"] <= crossed["mean"] <= crossed["high"]
    assert set(crossed["floors"]) == {"tfidf", "frozen_encoder"}
    assert any(line.startswith("cross-validation: accuracy ") for line in lines)
    answers = [json.loads(line) for line in (out / "run" / "out_of_fold.jsonl").read_text().splitlines()]
    assert [line["row"] for line in answers] == list(range(120))
    assert {line["fold"] for line in answers} == {1, 2}
    with data.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    right = {1: list[bool](), 2: list[bool]()}
    for line in answers:
        label = table[int(line["where"].removeprefix("data.csv:")) - 2]["label"]
        right[line["fold"]].append(line["answer"]["label"] == label)
    assert [sum(fold) / len(fold) for fold in right.values()] == pytest.approx(crossed["values"])
    assert result.evaluation["rows"] == 15
    assert [one["name"] for one in result.evaluation["members"]["trained"] if one["in"]] == ["refit"]
    assert "cross-validation" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_folds_become_a_stack_an_average_and_a_soup(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "data.csv", 200), tmp_path / "m"
    stacked, lines = run(tiny_model, data, out, folds=2, seeds=2, combine="stack")
    assert any(line == "stack: fitted on 160 answers out of fold of 2 learners" for line in lines)
    assert described(out)["learners"] == [[0, 2], [1, 3]]
    assert (out / "stack.safetensors").is_file()
    assert stacked.evaluation["primary"]["value"] >= 0.8
    assert bertie.evaluate(out, write(tmp_path / "new.csv", 30, seed=1))["rows"] == 30
    for how in ("average", "soup"):
        result, _ = run(tiny_model, data, out, folds=2, seeds=2, combine=how, resume=True)
        assert result.evaluation["primary"]["value"] >= 0.8
        assert not (out / "stack.safetensors").exists()
        assert (out / "members").exists() == (how == "average")


@pytest.mark.slow
def test_groups_and_times_divide_all_the_rows(tiny_model: Path, tmp_path: Path) -> None:
    people = [str(i % 20) for i in range(200)]
    data = with_column(write(tmp_path / "data.csv", 200), "person", people)
    result, _ = run(tiny_model, data, tmp_path / "m", folds=2, reading=Reading(group_column="person"))
    answers = [json.loads(line) for line in (tmp_path / "m/run/out_of_fold.jsonl").read_text().splitlines()]
    folds = [
        {people[int(line["where"].split(":")[1]) - 2] for line in answers if line["fold"] == fold} for fold in (1, 2)
    ]
    assert not folds[0] & folds[1]
    assert result.evaluation["cross_validation"]["folds"] == 2
    with pytest.raises(DataError, match="groups, fewer than the 19 folds; take --folds"):
        run(tiny_model, data, tmp_path / "n", folds=19, reading=Reading(group_column="person"))
    assert not (tmp_path / "n").exists()
    days = [f"2026-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(200)]
    dated = with_column(write(tmp_path / "dated.csv", 200), "day", days)
    timed, lines = run(tiny_model, dated, tmp_path / "t", folds=2, reading=Reading(time_column="day"))
    assert any("by time, the latest rows judge" in line for line in lines)
    answers = [json.loads(line) for line in (tmp_path / "t/run/out_of_fold.jsonl").read_text().splitlines()]
    places = [[int(line["where"].split(":")[1]) for line in answers if line["fold"] == fold] for fold in (1, 2)]
    assert max(places[0]) < min(places[1])
    assert [one["name"] for one in timed.evaluation["members"]["trained"]] == ["fold-1", "fold-2", "refit"]


@pytest.mark.slow
def test_other_tasks_and_methods(tiny_model: Path, tmp_path: Path) -> None:
    tagged = tmp_path / "tags.jsonl"
    lines = [{"tokens": ["the", "film", "was", word], "tags": ["O", "B-X", "O", "O"]} for word in ("good", "bad") * 40]
    for i, line in enumerate(lines):
        line["tokens"][0] = f"a{i}"
    tagged.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result, _ = run(tiny_model, tagged, tmp_path / "tags", seeds=2, method="lora")
    assert result.evaluation["task"] == "tagging" and not result.predictor.members
    with pytest.raises(UsageError, match="answers of tagging are no numbers that could be averaged"):
        run(tiny_model, tagged, tmp_path / "no", seeds=2, combine="average")
    assert not (tmp_path / "no").exists()
    numbers = write(tmp_path / "numbers.csv", 120)
    text = numbers.read_text(encoding="utf-8").splitlines()
    rated = [text[0], *(f"{line.rsplit(',', 1)[0]},{i / 7:.3f}" for i, line in enumerate(text[1:]))]
    numbers.write_text("\n".join(rated) + "\n", encoding="utf-8")
    found, _ = run(tiny_model, numbers, tmp_path / "numbers", folds=2, combine="stack")
    assert "value" in found.predictor.predict(["good food"])[0]
    assert found.evaluation["cross_validation"]["metric"] == "spearman"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EIGHT))
def test_every_task_makes_a_soup_and_an_average_or_a_reason(name: str, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in EIGHT[name])
    path.write_text(rows, encoding="utf-8")
    parts = {"dev": str(path), "test": str(path), "task": name}
    result, _ = run(tiny_model, path, tmp_path / "m", seeds=2, **parts)
    assert result.evaluation["task"] == name
    task = result.predictor.task
    if type(task).averaged is Task.averaged:
        with pytest.raises(UsageError, match=f"answers of {name} are no numbers"):
            run(tiny_model, path, tmp_path / "m", seeds=2, combine="average", resume=True, **parts)
        assert load(tmp_path / "m").predict([task.asked(EIGHT[name][0])])
    else:
        mean, _ = run(tiny_model, path, tmp_path / "m", seeds=2, combine="average", resume=True, **parts)
        assert len(mean.predictor.members) == 2


@pytest.mark.parametrize("calibration", ["dev", "none"])
def test_a_member_ends_in_its_share_and_answers_dev_and_test_rows_once(
    calibration: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ended: list[list[int]] = []
    predict, tune, train_member = Predictor.predict, members.tune, members.train_member

    def counted(self: Predictor, rows: Any) -> Any:
        asked.append(len(rows))
        return predict(self, rows)

    def tuned(*parts: Any) -> Any:
        fitted = tune(*parts)
        asked.clear()
        return fitted

    def trained(*parts: Any) -> Any:
        one = train_member(*parts)
        ended.append(list(asked))
        return one

    monkeypatch.setattr(Predictor, "predict", counted)
    monkeypatch.setattr(members, "tune", tuned)
    monkeypatch.setattr(several, "train_member", trained)
    monkeypatch.setattr("bertie.workflow.train.judging_seconds", lambda predictor, rows: 10.0)
    data, dev = write(tmp_path / "data.csv", 40), write(tmp_path / "dev.csv", 20, seed=1)
    request = TrainRequest(
        data=str(data),
        dev=str(dev),
        test=str(write(tmp_path / "test.csv", 40, seed=2)),
        model=str(tiny_model),
        out=tmp_path / "m",
        overrides=(*SETTINGS, f"task.calibration={calibration}"),
        seeds=2,
    )
    run_trainings(request, lambda line: None)
    assert ended == [[20, 40]] * 2
    share = json.loads((tmp_path / "m/run/plan.json").read_text())["seconds"]
    for seed in (13, 14):
        plan = json.loads((tmp_path / f"m/run/part-seed-{seed}/plan.json").read_text())
        assert plan["seconds"] <= share - 10.0 * 1.5 - members.MARGIN + 0.01


def in_groups(labels: str) -> Rows:
    """Four rows a group, all of one label, a letter for each."""
    rows = [{"text": f"text {i}", "label": labels[i // 4]} for i in range(4 * len(labels))]
    return Rows(rows, "data.csv", beside=[str(i // 4) for i in range(len(rows))])


@pytest.mark.parametrize("how", ["average", "stack", "soup", "greedy_soup", "refit"])
@pytest.mark.parametrize("lists", [False, True])
def test_labels_that_a_fold_lacks_are_refused_unless_its_model_is_not_kept(how: Any, lists: bool) -> None:
    if lists and how == "stack":
        return
    request = TrainRequest(data="data.csv", folds=2, combine=how, reading=Reading(group_column="who"))

    def look(labels: str) -> None:
        rows = in_groups(labels)
        rows = rows.with_column("label", [[one] for one in rows.column("label")]) if lists else rows
        check(request, Recipe(), rows, Classification.from_rows(rows, {}))

    look("aabbcc")
    if how == "refit":
        look("aabbc")
        words = r"data.csv: fold 1 of 2 has no row with '[ab]' to learn from; add some in other groups .*found 1 label"
        with pytest.raises(DataError, match=words):
            look("ab")
        return
    words = rf"data.csv: fold \d of 2 has no row with 'c' to learn from, .* by --combine {how}; .* take --combine refit"
    with pytest.raises(DataError, match=words):
        look("aabbc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 1}, "--folds 1: expected at least 2"),
        ({"seeds": 0}, "--seeds 0: expected at least 1"),
        ({"combine": "soup"}, "there is one training; give --seeds 3 or --folds 5 too"),
        ({"seeds": 2, "combine": "stack"}, "rows that the models did not learn from; give --folds 5 too"),
        ({"seeds": 2, "combine": "refit"}, "follows folds; give --folds 5 too"),
        ({"seeds": 2, "combine": "pudding"}, "expected one of average, stack, soup, greedy_soup, refit"),
        ({"folds": 3, "combine": "soup", "reading": Reading(time_column="t")}, "know only the oldest rows"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrainRequest(data="data.csv", **options)


def test_bad_input_says_what_to_do(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rows are divided by one of the two"):
        Reading(group_column="a", time_column="b")
    data = write(tmp_path / "data.csv", 60)
    with pytest.raises(DataError, match=r"label '.*' has .* fewer than the 40 folds.* take --folds"):
        run(tiny_model, data, tmp_path / "m", folds=40)
    with pytest.raises(DataError, match="there is no column 'who'; found 'text', 'label'; give one to --group-column"):
        run(tiny_model, data, tmp_path / "m", folds=2, reading=Reading(group_column="who"))
    holes = with_column(write(tmp_path / "holes.csv", 20), "who", ["a", "", *"b" * 18])
    with pytest.raises(DataError, match=r"holes.csv:3: there is no 'who', by which the rows are divided; fill it in"):
        run(tiny_model, holes, tmp_path / "m", folds=2, reading=Reading(group_column="who"))
    request = TrainRequest(data=str(data), model=str(tiny_model), out=tmp_path / "m", seeds=9, budget="21s")
    with pytest.raises(UsageError, match="s for 9 trainings; give more with --budget, or ask for fewer"):
        run_trainings(request, lambda line: None)
    assert not (tmp_path / "m").exists()
