"""The main job on real data that is already on this machine.

In:  a language
Out: a bundle, its evaluation, answers to a few texts of our own
Knows nothing of the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertie.bundle import folder as bundle
from bertie.bundle.checksums import RUN_FOLDER, SEAL
from bertie.core.errors import UsageError
from bertie.core.files import write_text
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.catalogue import default_model
from bertie.data.demo import Split, news_en, reviews_zh
from bertie.training.run import RunFolder
from bertie.workflow.request import TrainRequest
from bertie.workflow.train import run_training

TEXTS = {
    "en": [
        "The central bank raised interest rates for the third time this year.",
        "The striker scored twice in the final minutes to win the cup.",
        "A new phone with a folding screen goes on sale next month.",
    ],
    "zh": ["物流很快，包装完好，非常满意！", "用了两天就坏了，客服也不理人。", "酒店位置很好，但是房间太小。"],
}
BUDGET = "340s"
"""Half of this goes into judging and floors: the test rows pass through the model twice, frozen and tuned."""


@dataclass(frozen=True)
class Plan:
    """How much of a language's demo data fits the time on two cores."""

    train: int
    test: int
    settings: tuple[str, ...]


PLANS = {
    # Of the training part cut at 128, 256 and 512 tokens the frozen encoder gets 0.950, 0.970 and 0.975.
    "en": Plan(200, 1000, ("max_length=512",)),
    # 92 % of the reviews are shorter.
    "zh": Plan(5000, 1000, ("max_length=128", "training.epochs=2")),
}
SLOW_PLANS = {
    "en": Plan(200, 1000, ("max_length=384",)),
    "zh": Plan(2500, 1000, ("max_length=128", "training.epochs=1")),
}
"""For a CPU that computes in float32, at a quarter of the speed: at 512 tokens floors and judging alone take the time,
and 7 steps were left to train."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo leaves."""

    folder: Path
    evaluation: dict[str, Any]
    predictions: list[tuple[str, dict[str, Any]]]


def run_demo(lang: str, out: Path | None, say: Callable[[str], None]) -> DemoResult:
    """Trains on the demo data of a language and answers a few texts."""
    if lang not in TEXTS:
        raise UsageError(f"--lang {lang!r}: there are {', '.join(TEXTS)}")
    plan = (SLOW_PLANS if computes_slowly() else PLANS)[lang]
    split = news_en(plan.train) if lang == "en" else reviews_zh(plan.train, plan.test)
    own = Path("runs") / f"demo-{lang}"
    out = out or own
    bundle.free(out, overwrite=True)
    taken = (out / SEAL).exists() or RunFolder(out / RUN_FOLDER).begun()
    if taken and out.resolve() != own.resolve():
        raise UsageError(f"{out}: holds a model or a run, the demo replaces only its own {own}; choose another --out")
    data = out / RUN_FOLDER / "data"
    write(Split(split.train, split.test[: plan.test]), data)
    model = default_model(lang)  # comparing the models at hand would take a fifth of the time
    request = TrainRequest(data=str(data), model=model, out=out, budget=BUDGET, overwrite=True, overrides=plan.settings)
    result = run_training(request, say)
    answers = result.predictor.predict(TEXTS[lang])
    return DemoResult(result.folder, result.evaluation, list(zip(TEXTS[lang], answers, strict=True)))


def computes_slowly() -> bool:
    """Whether this machine has neither a GPU nor a fast number format."""
    device = choose_device()
    return device.type == "cpu" and choose_dtype(device)[0] is torch.float32


def write(split: Split, folder: Path) -> None:
    """The demo rows as the files that a person would bring; they stay beside the run, to be looked at."""
    for name, rows in (("train", split.train), ("test", split.test)):
        write_text(folder / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
