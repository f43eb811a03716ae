"""An ensemble is a bundle as any other: proved, answered by all of its members, refused where one was changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bertie.bundle import ensemble, golden
from bertie.bundle import folder as bundle
from bertie.bundle.ensemble import Combination, Stack
from bertie.bundle.folder import Model, ensemble_of
from bertie.core.errors import BundleError, UsageError
from bertie.data.rows import Rows
from bertie.predict import Predictor, load
from bertie.tasks.classification import Classification
from bertie.tasks.regression import Regression
from bertie.tasks.tagging import Tagging
from bertie.workflow.export import run_export
from tests.bundle.making import PAIRS, ROWS, SEVERAL, tiny_model_of

NUMBERS = Rows([{"text": row["text"], "label": str(i)} for i, row in enumerate(ROWS)])


def members(model: Path, rows: Rows = ROWS, count: int = 3) -> list[Model]:
    """Models with heads of their own."""
    kind = Regression if rows is NUMBERS else Classification
    made = [tiny_model_of(rows, model, kind) for _ in range(count)]
    for seed, one in enumerate(made):
        torch.manual_seed(seed)
        with torch.no_grad():
            for weight in one.task.parameters():
                weight.add_(torch.randn(weight.shape))
    return [replace(one, golden=[]) for one in made]


def saved(model: Model, rows: Rows, folder: Path) -> Model:
    """As a bundle with golden examples."""
    asked = [model.task.asked(row) for row in rows]
    proved = replace(model, golden=golden.record(Predictor(model).predict, asked))
    bundle.save(proved, folder, {"README.md": "three models"})
    return proved


@pytest.mark.parametrize("rows", [ROWS, SEVERAL, PAIRS, NUMBERS], ids=["one", "several", "pairs", "numbers"])
def test_answers_are_the_mean_of_the_members(rows: Rows, tiny_model: Path, tmp_path: Path) -> None:
    parts = members(tiny_model, rows)
    saved(ensemble_of(parts, Combination(((0, 1, 2),))), rows, tmp_path / "m")
    found = load(tmp_path / "m").predict(list(rows))
    each = [Predictor(one).predict(list(rows)) for one in parts]
    for i, answer in enumerate(found):
        if rows is NUMBERS:
            assert answer["value"] == pytest.approx(np.mean([answers[i]["value"] for answers in each]), abs=1e-6)
            continue
        means = {name: np.mean([a[i]["scores"][name] for a in each]) for name in answer["scores"]}
        assert answer["scores"] == pytest.approx(means, abs=1e-6)
        if "label" in answer:
            assert answer["label"] == max(means, key=lambda name: means[name])
        else:
            assert set(answer["labels"]) == {name for name, mean in means.items() if mean >= 0.5}


def test_notes_order_and_streams_are_as_of_one_model(tiny_model: Path, tmp_path: Path) -> None:
    saved(ensemble_of(members(tiny_model), Combination(((0, 1, 2),))), ROWS, tmp_path / "m")
    predictor = load(tmp_path / "m")
    texts = ["good", "", "bad " * 100, "good"]
    found = predictor.predict(texts)
    assert found[0]["scores"] == pytest.approx(found[3]["scores"], abs=1e-6)  # another place in the batch rounds anew
    assert found[0]["label"] == found[3]["label"] and found[1]["note"] == "the text is empty"
    assert found[2]["note"] == "the text was cut at 64 tokens"
    assert list(predictor.stream(iter(texts))) == found


def test_a_stack_reads_each_learner_and_comes_back(tiny_model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = Stack(rng.normal(size=(2, 5))[:, :-1], rng.normal(size=(2, 2))[:, 0])  # views, as a solution's parts are
    parts = members(tiny_model)
    saved(ensemble_of(parts, Combination(((0, 2), (1,)), layer)), ROWS, tmp_path / "m")
    predictor = load(tmp_path / "m")
    assert predictor.model.combination is not None and predictor.model.combination.learners == ((0, 2), (1,))
    each = [Predictor(one).predict(list(ROWS))[0]["scores"] for one in parts]
    first = np.mean([list(each[i].values()) for i in (0, 2)], axis=0)
    logits = layer.weight @ np.log(np.concatenate([first, list(each[1].values())])) + layer.bias
    expected = np.exp(logits) / np.exp(logits).sum()
    assert list(predictor.predict([ROWS[0]])[0]["scores"].values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_every_file_of_every_member_is_sealed_and_a_member_is_a_bundle(tiny_model: Path, tmp_path: Path) -> None:
    model = saved(ensemble_of(members(tiny_model), Combination(((0, 1, 2),))), ROWS, tmp_path / "m")
    sums = json.loads((tmp_path / "m" / "checksums.json").read_text())
    assert {f"members/{n}/{name}" for n in (1, 2, 3) for name in ("head.safetensors", "checksums.json")} <= set(sums)
    alone = load(tmp_path / "m" / "members" / "2").predict(["good"])
    assert alone == Predictor(model.members[1]).predict(["good"])
    path = tmp_path / "m" / "members" / "3" / "head.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"members/3/head.safetensors was changed"):
        load(tmp_path / "m")


def test_a_changed_order_of_labels_is_seen_by_the_golden_examples(tiny_model: Path, tmp_path: Path) -> None:
    model = saved(ensemble_of(members(tiny_model), Combination(((0, 1, 2),))), ROWS, tmp_path / "m")
    for member in model.members:
        assert isinstance(member.task, Classification)
        member.task.labels.reverse()
    with pytest.raises(BundleError, match=r"the golden example .* is not answered as when the model was saved"):
        golden.check(Predictor(model).predict, model.golden, model.engine, "m")


def test_it_replaces_a_bundle_and_a_bundle_replaces_it(tiny_model: Path, tmp_path: Path) -> None:
    saved(ensemble_of(members(tiny_model), Combination(((0, 1, 2),))), ROWS, tmp_path / "m")
    bundle.save(tiny_model_of(ROWS, tiny_model), tmp_path / "m", {})
    assert not load(tmp_path / "m").members
    assert not (tmp_path / "m" / "members").exists()


def test_what_no_other_format_holds_is_not_exported(tiny_model: Path, tmp_path: Path) -> None:
    saved(ensemble_of(members(tiny_model), Combination(((0, 1, 2),))), ROWS, tmp_path / "m")
    with pytest.raises(UsageError, match=r"is an ensemble of 3 models.*members/1, or train with --combine soup"):
        run_export(tmp_path / "m", "huggingface", tmp_path / "out")
    run_export(tmp_path / "m" / "members" / "1", "huggingface", tmp_path / "out")


def test_members_with_other_labels_make_no_ensemble(tiny_model: Path) -> None:
    for labels in ("abab", "abcc"):
        other = tiny_model_of(ROWS.with_column("label", list(labels)), tiny_model)
        words = r"the same labels in one order; found .* with 'negative', 'positive', and classification with 'a', 'b'"
        with pytest.raises(UsageError, match=words):
            ensemble_of([*members(tiny_model, count=2), other], Combination(((0, 1, 2),)))


def test_tasks_whose_answers_do_not_become_one_say_why() -> None:
    tagging = Tagging.from_rows(Rows([{"text": "a b", "entities": [{"start": 0, "end": 1, "label": "X"}]}]), {})
    with pytest.raises(UsageError, match=r"answers of tagging are no numbers .* take --combine soup"):
        ensemble.check(tagging, stacked=False)
    with pytest.raises(UsageError, match="models of this classification cannot be stacked"):
        ensemble.check(Classification.from_rows(SEVERAL, {}), stacked=True)
    ensemble.check(Classification.from_rows(SEVERAL, {}), stacked=False)
    ensemble.check(Regression.from_rows(NUMBERS, {}), stacked=True)
