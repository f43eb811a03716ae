"""A training in a process that may ask for so many megabytes more than it has, and no more.

In:  a run folder; megabytes, 0 for no limit
Out: one line of JSON: losses, what was told, what torch said of more than is left
"""

from __future__ import annotations

import json
import random
import resource
import sys
from pathlib import Path

import torch

from bertie.data.batches import Example
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.text.tokenizer import Encoded
from bertie.training.hooks import Teller
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Optimizer, Training
from bertie.training.state import Evaluation
from tests.training.toy import Toy

LENGTH, ROWS = 256, 32
"""8,192 tokens: a tensor of the wide feed-forward part takes 64 MB, and two layers keep several."""


def example(rng: random.Random) -> Example:
    """As long as all others."""
    ids = [5 + rng.randrange(2), *(rng.randrange(10, 100) for _ in range(LENGTH - 1))]
    return Example((Encoded(ids, [0] * LENGTH, [(0, 0)] * LENGTH, [0] * LENGTH, False),), ids[0] - 5)


def make() -> TrainingModel:
    """A narrow encoder with a wide feed-forward part, without dropout."""
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=100,
        hidden_size=16,
        layers=2,
        heads=2,
        intermediate_size=2048,
        max_positions=LENGTH,
        dropout=0.0,
        attention_dropout=0.0,
    )
    task = Toy()
    task.build_head(16)
    return TrainingModel(Encoder(config), task)


def main(folder: Path, megabytes: int) -> None:
    """Everything is loaded and used once before the limit is set."""
    torch.set_num_threads(1)
    rng = random.Random(0)
    examples = [example(rng) for _ in range(3 * ROWS)]
    model, told = make(), list[str]()
    model(model.collate(examples[:2])).backward()
    model.zero_grad(set_to_none=True)
    settings = Training(
        epochs=1,
        rows_per_batch=ROWS,
        tokens_per_batch=ROWS * LENGTH,
        trackers=(),
        dtype="float32",
        optimizer=Optimizer(rate=1e-3),
    )
    refused = ""
    if megabytes:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        size = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmSize"))
        limit = size + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            torch.empty(2 * megabytes * 2**20, dtype=torch.uint8)
        except RuntimeError as error:
            refused = str(error)
    with RunFolder(folder) as run:
        fit(model, examples, settings, run, lambda: Evaluation(0.0), [Teller(told.append)])
        losses = [entry["loss"] for entry in run.entries() if "loss" in entry]
    print(json.dumps({"losses": losses, "told": told, "refused": refused}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
