"""The main job on real data that is already on this machine.

In:  a language
Out: a bundle, its evaluation, answers to a few texts of our own
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from bertie.bundle import folder as bundle
from bertie.bundle.checksums import RUN_FOLDER, SEAL
from bertie.core.errors import UsageError
from bertie.core.files import write_text
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.catalogue import default_model
from bertie.data.demo import Split, news_en, reviews_zh
from bertie.data.rows import Rows
from bertie.evaluation.features import pooled_features
from bertie.tasks.classification import Classification
from bertie.training.run import RunFolder
from bertie.workflow.choose import TRAINING_COST, Start, load_start
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
BUDGET = 350.0
"""Seconds that the whole demo may take: under six minutes with its start and end."""
PLANNED = 350.0
"""Seconds that passes through the model may fill by their timing, which is a sixth too long: the few texts that are
timed make smaller batches. A training that is slower than planned is ended by the budget."""
TIMED = 512
"""Texts by which the machine is timed, at most so many..."""
TIMED_TOKENS = 10_000
"""...and at most so many tokens: some seconds."""


@dataclass(frozen=True)
class Plan:
    """How much of a language's demo data is learned from, and how."""

    train: int
    test: int
    max_length: int
    epochs: int
    dev: int = 0
    """Of `train`, rows that judge meanwhile; 0: the usual tenth, which the training splits off."""
    others: tuple[str, ...] = ()
    """Further settings, as a recipe has them."""

    def settings(self) -> tuple[str, ...]:
        """As a recipe has them."""
        return (f"max_length={self.max_length}", f"training.epochs={self.epochs}", *self.others)

    def passes(self) -> float:
        """Texts that go through the model: trained, encoded for the frozen floor, and those that test, for floor and
        result."""
        return self.train * (1 + TRAINING_COST * self.epochs) + 2 * self.test


ONCE = ("dropout=0", "training.optimizer.rate=1e-4", "training.optimizer.layer_decay=0.85")
"""Settings of a training that sees each row once."""
PLANS = {
    # Of the training part cut at 128, 256 and 512 tokens the frozen encoder gets 0.950, 0.970 and 0.975.
    "en": [Plan(200, 1000, length, 4) for length in (512, 384, 256)],
    # 92 % of the reviews are shorter than 128 tokens. More reviews once are better than fewer twice, and what is read
    # once needs no dropout and bears larger steps (docs/log.md). What it ends with needs few rows to be judged by.
    "zh": [Plan(count, 1000, 128, 1, 300, ONCE) for count in range(9000, 1500, -500)],
}
"""From the most to the least: the first that fits this machine is taken."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo leaves."""

    folder: Path
    evaluation: dict[str, Any]
    predictions: list[tuple[str, dict[str, Any]]]


def run_demo(lang: str, out: Path | None, say: Callable[[str], None], *, quiet: bool = False) -> DemoResult:
    """Trains on the demo data of a language and answers a few texts; `quiet`: without a bar on a terminal."""
    if lang not in TEXTS:
        raise UsageError(f"--lang {lang!r}: there are {', '.join(TEXTS)}")
    own = Path("runs") / f"demo-{lang}"
    out = out or own
    bundle.free(out, overwrite=True)
    taken = (out / SEAL).exists() or RunFolder(out / RUN_FOLDER).begun()
    if taken and out.resolve() != own.resolve():
        raise UsageError(f"{out}: holds a model or a run, the demo replaces only its own {own}; choose another --out")
    began = time.monotonic()
    plan = fitting(lang, say)  # takes some seconds: what is refused is refused before
    data = out / RUN_FOLDER / "data"
    write(rows_of(lang, plan), data, plan.dev)
    left = round(BUDGET - (time.monotonic() - began))
    overrides = (*plan.settings(), *(["training.progress=never"] if quiet else []))
    request = TrainRequest(
        data=str(data), model=default_model(lang), out=out, budget=left, overwrite=True, overrides=overrides
    )
    result = run_training(request, say)
    answers = result.predictor.predict(TEXTS[lang])
    return DemoResult(result.folder, result.evaluation, list(zip(TEXTS[lang], answers, strict=True)))


def fitting(lang: str, say: Callable[[str], None]) -> Plan:
    """The largest plan that this machine has the time for, else the smallest.

    Where the largest does not fit the machine is timed once more: something else may have been running just then.
    """
    rows = rows_of(lang, PLANS[lang][0]).train
    start = load_start(default_model(lang), offline=True)
    largest = PLANS[lang][0]
    seconds = seconds_per_text(start, rows, largest.max_length)
    if seconds * largest.passes() > PLANNED:
        seconds = min(seconds, seconds_per_text(start, rows, largest.max_length))
    timed = {largest.max_length: seconds}
    for plan in PLANS[lang]:
        if plan.max_length not in timed:
            timed[plan.max_length] = seconds_per_text(start, rows, plan.max_length)
        seconds = timed[plan.max_length]
        if seconds * plan.passes() <= PLANNED:
            break
    say(f"demo: {1000 * seconds:.0f} ms a text: {plan.train} of them to learn from, cut at {plan.max_length} tokens")
    return plan


def rows_of(lang: str, plan: Plan) -> Split:
    """The rows of a plan."""
    if lang == "zh":
        return reviews_zh(plan.train, plan.test)
    news = news_en(plan.train)
    return Split(news.train, news.test[: plan.test])


def seconds_per_text(start: Start, rows: Rows, max_length: int) -> float:
    """One pass of a text through the model, timed on the first of these rows."""
    device = choose_device()
    dtype, _ = choose_dtype(device)
    encoder, pad_id = start.encoder.to(device), start.tokenizer.pad_id
    examples = Classification.from_rows(rows, {}).encode(rows[:TIMED], start.tokenizer, max_length)
    tokens = list(accumulate(example.length for example in examples))
    examples = examples[: max(1, bisect_right(tokens, TIMED_TOKENS))]
    passes = []
    for _ in range(3):  # the first claims memory, and in another something else may come between
        began = time.monotonic()
        pooled_features(encoder, examples, pad_id, dtype)
        passes.append(time.monotonic() - began)
    return min(passes) / len(examples)


def write(split: Split, folder: Path, dev: int = 0) -> None:
    """The demo rows as the files that a person would bring; they stay beside the run, to be looked at."""
    parts = {"train": split.train[dev:], "test": split.test, **({"dev": split.train[:dev]} if dev else {})}
    for name, rows in parts.items():
        write_text(folder / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
