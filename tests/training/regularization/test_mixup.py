"""Mixup: what is mixed, by which shares, and that mixing scores is mixing what the last layer reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional as F

from bertie.training.regularization.mixup import Mixup
from tests.training.regularization.models import gradients, plain, same, still


@pytest.mark.parametrize("name", ["classification", "relation"])
def test_it_is_cross_entropy_of_mixed_features_with_mixed_labels(name: str, tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model, name)
    assert batch.targets is not None
    torch.manual_seed(2)
    share = float(Beta(1.0, 1.0).sample())
    order = torch.randperm(batch.rows)
    assert 0.05 < share < 0.95 and not torch.equal(order, torch.arange(batch.rows))

    def mixed(module: Any, given: tuple[Tensor]) -> tuple[Tensor]:
        (features,) = given
        return (share * features + (1.0 - share) * features[order],)

    handle = task.head.output.register_forward_pre_hook(mixed)  # type: ignore[union-attr]
    logits = task(encoder, batch)
    handle.remove()
    labels = F.one_hot(batch.targets, logits.shape[1]).float()
    wanted = share * labels + (1.0 - share) * labels[order]
    expected = -(wanted * logits.log_softmax(-1)).sum(-1).mean()
    expected.backward()
    found = gradients(encoder, task)
    torch.manual_seed(2)
    loss = Mixup().loss(plain(task), task, encoder, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, expected)
    same(gradients(encoder, task), found)


def test_small_alpha_leaves_rows_nearly_as_they_are(tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    shares = []
    for seed in range(200):
        torch.manual_seed(seed)
        shares.append(float(Beta(0.1, 0.1).sample()))
    assert sum(min(share, 1.0 - share) < 0.1 for share in shares) > 120
    assert float(Mixup(alpha=0.1).loss(plain(task), task, encoder, batch).detach()) > 0.0
