"""A bundle is written whole, loads as it was, and is refused where anything changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bertie.bundle import checksums
from bertie.bundle import folder as bundle
from bertie.core.errors import BundleError, StorageError, UsageError
from bertie.data.rows import Rows
from bertie.predict import Predictor, load
from tests.bundle.interrupting import Interrupted, at_change
from tests.bundle.making import PAIRS, ROWS, SEVERAL, save_tiny, tiny_model_of

Damage = Callable[[Path], None]


@pytest.mark.parametrize("rows", [ROWS, SEVERAL, PAIRS], ids=["one label", "several labels", "pair"])
def test_what_was_saved_is_what_loads(rows: Rows, tiny_model: Path, tmp_path: Path) -> None:
    made = save_tiny(rows, tiny_model, tmp_path / "b")
    inputs = [{column: row[column] for column in made.task.columns} for row in rows]
    assert load(tmp_path / "b").predict(inputs) == Predictor(made).predict(inputs)


def test_a_run_folder_may_lie_inside(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "b" / "run").mkdir(parents=True)
    (tmp_path / "b" / "run" / "log.jsonl").write_text("{}")
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    (tmp_path / "b" / "run" / "log.jsonl").write_text("changed")
    assert load(tmp_path / "b").predict(["good"])


def test_a_new_bundle_replaces_an_old_one_and_nothing_else(tiny_model: Path, tmp_path: Path) -> None:
    save_tiny(SEVERAL, tiny_model, tmp_path / "b")
    (tmp_path / "b" / "mine.txt").write_text("a person's file")
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    assert (tmp_path / "b" / "mine.txt").read_text() == "a person's file"
    assert "label" in bundle.read(tmp_path / "b").golden[0]["answer"]


def test_only_free_folders_are_written_to(tiny_model: Path, tmp_path: Path) -> None:
    bundle.free(tmp_path / "new", overwrite=False)
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    with pytest.raises(UsageError, match="holds a finished bundle"):
        bundle.free(tmp_path / "b", overwrite=False)
    bundle.free(tmp_path / "b", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").write_text("x")
    with pytest.raises(UsageError, match=r"thesis\.doc and is no bundle"):
        bundle.free(tmp_path / "other", overwrite=True)


@pytest.mark.parametrize("old", [None, SEVERAL], ids=["new", "replaced"])
def test_interrupted_anywhere_the_next_save_ends_it(old: Rows | None, tiny_model: Path, tmp_path: Path) -> None:
    new, before = tiny_model_of(ROWS, tiny_model), old and tiny_model_of(old, tiny_model)
    more = {"notes.txt": "only the old bundle has this file"}
    for number in range(1, 100):
        folder = tmp_path / str(number)
        if before is not None:
            bundle.save(before, folder, more)
        try:
            with at_change(number):
                bundle.save(new, folder, {})
            break
        except Interrupted:
            bundle.free(folder, overwrite=True)
        bundle.save(new, folder, {})
        checksums.verify(folder)
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert number > 20


def test_what_a_kill_left_is_ended_or_removed(tiny_model: Path, tmp_path: Path) -> None:
    new = tmp_path / "b" / bundle.NEW
    save_tiny(ROWS, tiny_model, new)
    (tmp_path / "b" / "..new.x1y2.tmp" / "model").mkdir(parents=True)
    (tmp_path / "b" / "..new.x1y2.tmp" / "model" / "config.json").write_text("{")
    (new / "model").rename(tmp_path / "b" / "model")  # moved in, when the kill came
    with pytest.raises(UsageError, match="holds a finished bundle"):
        bundle.free(tmp_path / "b", overwrite=False)
    bundle.recover(tmp_path / "b")
    assert load(tmp_path / "b").predict(["good"])
    new.mkdir()
    (new / "bundle.json").write_text("{")
    bundle.recover(tmp_path / "b")
    assert load(tmp_path / "b").predict(["good"])


def test_a_folder_in_the_way_is_an_error_that_names_it(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "b" / "head.safetensors").mkdir(parents=True)
    with pytest.raises(StorageError, match="b: cannot be written: "):
        save_tiny(ROWS, tiny_model, tmp_path / "b")


def test_no_bundle_inside_a_bundle(tiny_model: Path, tmp_path: Path) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    with pytest.raises(UsageError, match=r"lies inside the bundle .*b, which must stay as it is"):
        bundle.free(tmp_path / "b" / "better", overwrite=False)
    checksums.stay_outside(tmp_path / "b" / "run" / "tokenizer")  # what a training leaves there is not sealed
    for place in ("run", "runs/log.txt", "model/run/log.txt"):
        with pytest.raises(UsageError, match="lies inside the bundle"):
            checksums.stay_outside(tmp_path / "b" / place)


def flip_a_weight_bit(folder: Path) -> None:
    path = folder / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def swap_labels(folder: Path) -> None:
    path = folder / "bundle.json"
    description = json.loads(path.read_text())
    description["task"]["description"]["labels"].reverse()
    path.write_text(json.dumps(description))


def change_tokenizer(folder: Path) -> None:
    path = folder / "model" / "tokenizer.json"
    path.write_text(path.read_text().replace('"good": 5', '"goud": 5').replace('"good":5', '"goud":5'))


def lose_the_head(folder: Path) -> None:
    (folder / "head.safetensors").unlink()


def add_a_file(folder: Path) -> None:
    (folder / "extra.py").write_text("print('hello')")


DAMAGES: list[tuple[Damage, str]] = [
    (flip_a_weight_bit, "model/model.safetensors was changed"),
    (swap_labels, "bundle.json was changed"),
    (change_tokenizer, "model/tokenizer.json was changed"),
    (lose_the_head, "head.safetensors is missing"),
    (add_a_file, "extra.py was added"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_every_change_is_refused_by_name(damage: Damage, words: str, tiny_model: Path, tmp_path: Path) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    damage(tmp_path / "b")
    with pytest.raises(BundleError, match=words):
        load(tmp_path / "b")


def double_the_head(folder: Path) -> None:
    path = folder / "head.safetensors"
    save_file({name: 2 * tensor for name, tensor in load_file(path).items()}, path)


def shrink_the_head(folder: Path) -> None:
    path = folder / "head.safetensors"
    save_file({name: tensor[:1].contiguous() for name, tensor in load_file(path).items()}, path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (swap_labels, "is not answered as when the model was saved: answer.label was"),
        (change_tokenizer, "is not answered as when the model was saved"),
        (double_the_head, "is not answered as when the model was saved"),
        (shrink_the_head, "the task needs"),
    ],
)
def test_golden_examples_see_it_even_where_the_seal_was_made_again(
    damage: Damage, words: str, tiny_model: Path, tmp_path: Path
) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    damage(tmp_path / "b")
    checksums.seal(tmp_path / "b")
    with pytest.raises(BundleError, match=words):
        load(tmp_path / "b")


def test_no_bundle_at_all_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"found nothing, expected a bundle with checksums\.json"):
        load(tmp_path)


def test_names_in_the_seal_stay_inside(tiny_model: Path, tmp_path: Path) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "b")
    victim = tmp_path / "victim.txt"
    victim.write_text("keep me")
    (tmp_path / "b" / "checksums.json").write_text(json.dumps({"../victim.txt": "0"}))
    with pytest.raises(BundleError, match="expected names of files in this folder"):
        save_tiny(ROWS, tiny_model, tmp_path / "b")
    assert victim.read_text() == "keep me"


def test_other_rounding_is_within_the_tolerance(tiny_model: Path, tmp_path: Path) -> None:
    made = save_tiny(ROWS, tiny_model, tmp_path / "b")
    for example in made.golden:
        example["answer"]["scores"] = {k: float(np.float32(v) + 2e-5) for k, v in example["answer"]["scores"].items()}
    with torch.no_grad():
        bundle.save(made, tmp_path / "b", {})
    load(tmp_path / "b")
