"""Memory of training: what is said before the start against what is measured.

An encoder of random weights learns random texts for two steps, by full tuning, LoRA and frozen, with and without
activation checkpointing; each in its own process. Measured is the highest resident memory less that before the
training, in which the weights stand already and torch has loaded what it needs (about 100 MB). Nothing is downloaded.

Each case is measured twice: with an allocator that gives back at once what is freed (*living*), and as glibc comes,
which keeps a part of it and so holds more.

How to read it: *said* over *living* tells how far to trust the line that `bertie train` prints; the memory of one
method over that of another is what it saves. The time of a step tells what checkpointing costs.

    python benchmarks/training_memory.py --out docs/benchmarks/training_memory.md

In:  shape of the encoder and of the batches
Out: a Markdown page, and all figures as JSON
Knows nothing of tasks and files of rows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import contestant
import torch
from measurement import Spread, command, machine, machine_lines, page, publish, table

from bertie.bundle.folder import METHODS
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Encoded
from bertie.training.hooks import Hook, Step
from bertie.training.loop import fit
from bertie.training.memory import MEGABYTE, estimate_memory
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from bertie.training.state import Evaluation
from bertie.workflow.preparation import make_task
from bertie.workflow.request import Recipe

CASES = {
    "full": ("full", False),
    "full, checkpointing": ("full", True),
    "lora": ("lora", False),
    "lora, checkpointing": ("lora", True),
    "frozen": ("frozen", False),
}
VOCABULARY, STEPS = 3000, 2
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Lets glibc give back at once what is freed, so that what lives is measured."""
HEAD = ("what", "said, MB", "living, MB", "said / living", "of full", "resident as it comes, MB", "seconds a step")
Run = dict[str, Any]


class Clock(Hook):
    """When each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def after_step(self, step: Step) -> None:
        """Notes the time."""
        self.times.append(time.perf_counter())


def main() -> None:
    """Every repetition, every case in turn; then the page. As a child: one case."""
    arguments = parse()
    if arguments.one:
        print(json.dumps(measure(arguments)))
        return
    runs: dict[str, list[Run]] = {name: [] for name in CASES}
    for _ in range(arguments.repeats):
        for name in CASES:
            run = child(name, arguments, RETURNING)
            run["resident_mb"] = child(name, arguments, {}).pop("measured_mb")
            runs[name].append(run)
            print(f"{name}: {runs[name][-1]}", file=sys.stderr)
    facts = machine(arguments.threads)
    found = {"command": command(), "machine": facts, "runs": runs}
    publish(render(runs, arguments, facts), found, arguments.out, arguments.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=6, help="default %(default)s")
    parser.add_argument("--width", type=int, default=384, help="default %(default)s")
    parser.add_argument("--rows", type=int, default=32, help="of a batch, default %(default)s")
    parser.add_argument("--length", type=int, default=128, help="tokens of a row, default %(default)s")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=3, help="default %(default)s")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    return parser.parse_args()


def child(name: str, arguments: argparse.Namespace, allocator: dict[str, str]) -> Run:
    """One case in its own process, with these settings of the C library's allocator."""
    given = ("layers", "width", "rows", "length", "dtype", "threads")
    words = [str(word) for option in given for word in (f"--{option}", getattr(arguments, option))]
    call = [sys.executable, str(Path(__file__).resolve()), "--one", name, *words]
    done = subprocess.run(call, check=False, capture_output=True, text=True, env={**os.environ, **allocator})
    if done.returncode:
        sys.exit(f"error: {name} failed with exit {done.returncode}:\n{done.stderr[-3000:]}")
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def measure(arguments: argparse.Namespace) -> Run:
    """What is said, then a training of two steps."""
    torch.set_num_threads(arguments.threads)
    method_name, checkpointing = CASES[arguments.one]
    model = make_model(arguments.layers, arguments.width, arguments.length, method_name)
    rng = random.Random(0)
    examples = [example(rng, arguments.length, n % 2) for n in range(STEPS * arguments.rows)]
    settings = Training(
        epochs=1,
        rows_per_batch=arguments.rows,
        tokens_per_batch=arguments.rows * arguments.length,
        activation_checkpointing=checkpointing,
        dtype=arguments.dtype,
        trackers=(),
        optimizer=Optimizer(rate=1e-4),
    )
    said, clock = estimate_memory(model, examples, settings), Clock()
    warm_up(arguments.length)
    before = contestant.resident_megabytes()
    contestant.forget_peak()
    began = time.perf_counter()
    train(model, examples, settings, clock)
    peak = contestant.peak_megabytes()
    return {
        "estimated_mb": round(said.needed / MEGABYTE, 1),
        "measured_mb": round(peak - before, 1),
        "step_seconds": round(clock.times[-1] - clock.times[-2] if len(clock.times) > 1 else clock.times[0] - began, 3),
    }


def warm_up(length: int) -> None:
    """torch loads much of itself in the first training of a process, about 100 MB whatever is trained."""
    model = make_model(1, 32, length, "full")
    settings = Training(epochs=1, rows_per_batch=1, trackers=(), optimizer=Optimizer(rate=1e-4))
    train(model, [example(random.Random(0), length, n % 2) for n in range(2)], settings, Clock())


def train(model: TrainingModel, examples: Sequence[Example], settings: Training, clock: Clock) -> None:
    """The loop, in a run folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
        fit(model, examples, settings, run, lambda: Evaluation(0.0), [clock])


def make_model(layers: int, width: int, length: int, method: str) -> TrainingModel:
    """A BERT of random weights with two classes."""
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        layers=layers,
        heads=width // 32,
        intermediate_size=4 * width,
        max_positions=length,
        attention_dropout=0.0,
    )
    task = make_task(
        "classification", Rows([{"text": "x", "label": "a"}, {"text": "y", "label": "b"}], "made"), Recipe()
    )
    assert isinstance(task, Classification)
    task.build_head(width)
    encoder = Encoder(config)
    METHODS.get(method)().apply(encoder)
    return TrainingModel(encoder, task)


def example(rng: random.Random, length: int, target: int) -> Example:
    """A text of random pieces, as long as all others."""
    ids = [rng.randrange(10, VOCABULARY) for _ in range(length)]
    return Example((Encoded(ids, [0] * length, [(0, 0)] * length, [0] * length, False),), target)


def render(runs: dict[str, list[Run]], arguments: argparse.Namespace, facts: dict[str, Any]) -> str:
    """The page."""
    return page(
        "Memory of training",
        [
            f"An encoder of {arguments.layers} layers x {arguments.width} with random weights, batches of "
            f"{arguments.rows} rows x {arguments.length} tokens, {arguments.dtype}. *Said* is the line that `bertie "
            "train` prints before the start; *living* the highest resident memory less that before the training, where "
            "what is freed is given back at once; *resident as it comes* the same with glibc's usual settings. "
            f"Each of the {arguments.repeats} repetitions is a process of its own, in turns. Medians, with the "
            "smallest and largest in brackets.",
            table(HEAD, [line(name, runs) for name in runs]),
            "## Machine and command",
            "\n".join(machine_lines(facts)),
            f"```\n{command()}\n```",
        ],
    )


def line(name: str, runs: dict[str, list[Run]]) -> list[str]:
    """One line of the table."""
    said, measured = spread(runs[name], "estimated_mb"), spread(runs[name], "measured_mb")
    full = spread(runs["full"], "measured_mb").median
    return [
        name,
        said.text(0),
        measured.text(0),
        f"{said.median / measured.median:.2f}",
        f"{measured.median / full:.2f}",
        spread(runs[name], "resident_mb").text(0),
        spread(runs[name], "step_seconds").text(2),
    ]


def spread(runs: Sequence[Run], name: str) -> Spread:
    """Of one figure."""
    return Spread(tuple(run[name] for run in runs))


if __name__ == "__main__":
    main()
