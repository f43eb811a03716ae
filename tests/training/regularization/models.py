"""Eight rows of a task, encoded, with a tiny encoder.

In:  the folder of a tiny model, the name of a task
Out: encoder, task and batch
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bertie.bundle.folder import TASKS
from bertie.data.batches import Batch, Example
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.text.tokenizer import Tokenizer
from bertie.training.model import loss_of
from bertie.workflow.sample_rows import EIGHT


def parts(folder: Path, name: str = "classification", **settings: Any) -> tuple[Encoder, Task, list[Example]]:
    """In training mode, with the dropout of the tiny model."""
    torch.manual_seed(0)
    task: Task = TASKS.get(name).from_rows(EIGHT[name], settings)
    task.build_head(32)
    encoder, tokenizer = checkpoint.load(folder).encoder, Tokenizer.from_folder(folder)
    rows = [dict(row) for row in EIGHT[name]]
    if name == "classification":  # of different lengths, so that some are padded
        rows = [{**row, "text": row["text"] + " very" * (n % 3)} for n, row in enumerate(rows)]
    return encoder.train(), task.train(), task.encode(rows, tokenizer, 32)


def still(folder: Path, name: str = "classification") -> tuple[Encoder, Task, Batch]:
    """Without dropout, as one batch, its loss made steep so that a shift counts."""
    encoder, task, examples = parts(folder, name)
    with torch.no_grad():
        for parameter in task.parameters():
            parameter.mul_(20.0)
    return encoder.eval(), task.eval(), task.collate(examples, encoder.config.pad_id)


def plain(task: Task) -> Any:
    """A step's loss without any method."""
    return lambda encoder, batch: loss_of(task, task.forward(encoder, batch), batch)


def gradients(encoder: Encoder, task: Task) -> dict[str, Tensor]:
    """What a backward pass has left, by name; then nothing is left."""
    found = {}
    for module in (encoder, task):
        found |= {f"{type(module).__name__}.{n}": p.grad for n, p in module.named_parameters() if p.grad is not None}
    clear(encoder)
    clear(task)
    return found


def clear(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.grad = None


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Two gradients are the same."""
    assert one.keys() == other.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(gradient, other[name], rtol=1e-4, atol=1e-6, msg=name)
