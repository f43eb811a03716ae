"""R-Drop: cross-entropy of two passes and how far apart they are."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from bertie.training.regularization.rdrop import RDrop
from tests.training.regularization.models import gradients, parts, plain, same


def test_the_loss_is_cross_entropy_and_alpha_times_the_divergence(tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model)
    batch = task.collate(examples, encoder.config.pad_id)
    assert batch.targets is not None
    torch.manual_seed(3)
    one, other = task(encoder, batch), task(encoder, batch)
    logs = one.log_softmax(-1), other.log_softmax(-1)
    ways = [(a.exp() * (a - b)).sum(-1).mean() for a, b in (logs, logs[::-1])]
    right = (F.nll_loss(logs[0], batch.targets) + F.nll_loss(logs[1], batch.targets)) / 2
    expected = right + 2.5 * (ways[0] + ways[1]) / 2
    expected.backward()
    wanted = gradients(encoder, task)
    torch.manual_seed(3)
    loss = RDrop(alpha=2.5).loss(plain(task), task, encoder, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, expected)
    same(gradients(encoder, task), wanted)
    assert float(loss.detach() - right.detach()) > 1e-6, "both passes had the same dropout"


def test_without_dropout_it_is_the_plain_loss(tiny_model: Path) -> None:
    encoder, task, examples = parts(tiny_model)
    encoder.eval(), task.eval()
    batch = task.collate(examples, encoder.config.pad_id)
    loss = RDrop().loss(plain(task), task, encoder, batch)
    torch.testing.assert_close(loss, plain(task)(encoder, batch))
