"""In the loop: accumulation changes nothing, and a training that was stopped and resumed is the one that was not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bertie.core.errors import UsageError
from bertie.core.files import sha256
from bertie.training.hooks import Hook, Step
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.regularizing import AVERAGES, REGULARIZERS, regularized
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Schedule, Training
from tests.training.regularization.models import parts
from tests.training.toy import judge

SETTINGS = Training(
    epochs=4,
    rows_per_batch=3,
    accumulation=2,
    save_steps=3,
    trackers=(),
    progress="never",
    dtype="float32",
    optimizer=Optimizer(rate=1e-2),
)


class Cut(Hook):
    """Ends a training as a power cut does."""

    def __init__(self, after: int) -> None:
        self._after = after

    def after_step(self, step: Step) -> None:
        if step.number == self._after:
            raise InterruptedError


def run(folder: Path, model_folder: Path, settings: Training, *hooks: Hook, dropout: bool = True) -> TrainingModel:
    encoder, task, examples = parts(model_folder, dropout=0.1 if dropout else 0.0)
    if not dropout:
        encoder.set_dropout(0.0)
        encoder.set_attention_dropout(0.0)
    model = TrainingModel(encoder, task, regularized(settings, task))
    with RunFolder(folder) as entered:
        fit(model, examples, settings, entered, judge(model, examples), hooks)
    return model


def sums(folder: Path) -> dict[str, Any]:
    """SHA-256 of everything that must be the same."""
    files = [folder / "log.jsonl", *folder.glob("best/*"), *folder.glob("checkpoints/*/*.safetensors")]
    (last, *_) = sorted(folder.glob("checkpoints/*/state.json"), reverse=True)
    state = json.loads(last.read_text())
    del state["state"]["seconds"], state["state"]["stepping"]
    return {str(file.relative_to(folder)): sha256(file) for file in files} | {"state": state}


@pytest.mark.parametrize(
    ("regularization", "average"),
    [
        *((name, None) for name in sorted(REGULARIZERS.classes())),
        *(("fgm", name) for name in sorted(AVERAGES.classes())),
    ],
)
def test_resumed_equals_one_go(regularization: str, average: str | None, tiny_model: Path, tmp_path: Path) -> None:
    """Cut in step 5 of 8, the checkpoint is from step 3; the average of the last half begins in between."""
    begin = {"begin": 0.25} if average == "swa" else {}
    settings = replace(SETTINGS, regularization={"name": regularization})
    settings = replace(settings, average={"name": average, **begin} if average else {})
    run(tmp_path / "whole", tiny_model, settings)
    with pytest.raises(InterruptedError):
        run(tmp_path / "cut", tiny_model, settings, Cut(after=5))
    assert bool(list(tmp_path.glob("cut/checkpoints/*/average.safetensors"))) == bool(average)
    run(tmp_path / "cut", tiny_model, settings)
    assert sums(tmp_path / "cut") == sums(tmp_path / "whole")


def test_a_run_goes_on_with_what_it_began_with(tiny_model: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, average={"name": "ema"})
    with pytest.raises(InterruptedError):
        run(tmp_path, tiny_model, settings, Cut(after=5))
    with pytest.raises(UsageError, match=r"average.name was 'ema', now it is None"):
        run(tmp_path, tiny_model, replace(settings, average={}))


@pytest.mark.parametrize("name", ["fgm", "pgd", "rdrop"])
def test_accumulation_weighs_every_row_the_same(name: str, tiny_model: Path, tmp_path: Path) -> None:
    """Batches of 3, 3 and 2 rows in one step are one batch of 8: a shift is measured for each text by itself."""
    models = []
    for rows, accumulation in ((3, 3), (8, 1)):
        settings = replace(
            SETTINGS,
            epochs=1,
            rows_per_batch=rows,
            accumulation=accumulation,
            clip=0.0,
            keep="last",
            optimizer=Optimizer(name="sgd", rate=0.1, momentum=0.0),
            schedule=Schedule(name="constant", warmup=0.0),
            regularization={"name": name},
        )
        models.append(run(tmp_path / str(rows), tiny_model, settings, dropout=False).state_dict())
    parted, whole = models
    for key, tensor in whole.items():
        torch.testing.assert_close(parted[key], tensor, rtol=1e-4, atol=1e-6, msg=key)
