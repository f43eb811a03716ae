"""FGM, PGD, FreeLB and VAT against a few lines of torch that do what the papers say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.tasks.base import Task
from bertie.training.perturbation import Shift
from bertie.training.regularization.base import Regularizer
from bertie.training.regularization.fgm import Fgm
from bertie.training.regularization.freelb import FreeLb
from bertie.training.regularization.pgd import Pgd
from bertie.training.regularization.vat import Vat
from tests.training.regularization.models import gradients, plain, same, still

METHODS: list[Regularizer] = [Fgm(epsilon=0.2, weight=0.7), Pgd(epsilon=0.2, step_size=0.15), FreeLb(steps=3), Vat()]


class Reference:
    """The same model, with what is added to the embedded text in one's own hand."""

    def __init__(self, encoder: Encoder, task: Task, batch: Batch) -> None:
        self.encoder, self.task, self.batch = encoder, task, batch
        mask = batch.attention_mask
        assert mask is not None
        self.real = mask.unsqueeze(-1).float()  # (B, T, 1)
        embedded = self.embedded().detach() * self.real
        self.reach = embedded.flatten(1).norm(dim=1).view(-1, 1, 1)
        self.shape, self.numbers = embedded.shape, mask.sum(1).view(-1, 1, 1) * embedded.shape[2]

    def embedded(self) -> Tensor:
        return self.encoder.embeddings(self.batch.input_ids, self.batch.token_type_ids)

    def logits(self, delta: Tensor | float) -> Tensor:
        states = self.encoder.encode(self.embedded() + delta, self.batch.attention_mask)
        return self.task.head(states, self.batch.attention_mask)  # type: ignore[operator, no-any-return]

    def loss(self, delta: Tensor | float) -> Tensor:
        return self.task.loss(self.logits(delta), self.batch)

    def up(self, value: Callable[[Tensor], Tensor], delta: Tensor) -> Tensor:
        """The unit direction in which `value` grows."""
        delta = delta.detach().requires_grad_()
        (slope,) = torch.autograd.grad(value(delta), delta)
        slope = slope * self.real
        return slope / slope.flatten(1).norm(dim=1).view(-1, 1, 1)

    def clipped(self, delta: Tensor, epsilon: float) -> Tensor:
        length = delta.flatten(1).norm(dim=1).view(-1, 1, 1)
        return delta * (epsilon * self.reach / length).clamp(max=1.0)

    def zero(self) -> Tensor:
        return torch.zeros(self.shape)

    def drawn(self, draw: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
        """As the method draws after `torch.manual_seed(5)`."""
        torch.manual_seed(5)
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        return draw(torch.empty(self.shape), generator) * self.real


def fgm(at: Reference, method: Fgm) -> Tensor:
    delta = method.epsilon * at.reach * at.up(at.loss, at.zero())
    return at.loss(0.0) + method.weight * at.loss(delta)


def pgd(at: Reference, method: Pgd) -> Tensor:
    delta = at.zero()
    for _ in range(method.steps):
        delta = at.clipped(delta + method.step_size * at.reach * at.up(at.loss, delta), method.epsilon)
    return at.loss(0.0) + method.weight * at.loss(delta)


def freelb(at: Reference, method: FreeLb) -> Tensor:
    epsilon = method.epsilon
    delta = at.reach * at.drawn(lambda like, g: like.uniform_(-epsilon, epsilon, generator=g)) / at.numbers.sqrt()
    losses = []
    for _ in range(method.steps):
        losses.append(at.loss(delta))
        delta = at.clipped(delta + method.step_size * at.reach * at.up(at.loss, delta), epsilon)
    return torch.stack(losses).mean()


def vat(at: Reference, method: Vat) -> Tensor:
    own = at.logits(0.0).detach().softmax(-1)

    def moved(delta: Tensor) -> Tensor:
        found = at.logits(delta).log_softmax(-1)
        return (own * (own.log() - found)).sum(-1).mean()

    drawn = at.drawn(lambda like, g: like.normal_(generator=g))
    drawn = drawn / drawn.flatten(1).norm(dim=1).view(-1, 1, 1)
    delta = method.epsilon * at.reach * at.up(moved, method.probe * at.reach * drawn)
    return at.loss(0.0) + method.weight * moved(delta)


WRITTEN_OUT = {"fgm": fgm, "pgd": pgd, "freelb": freelb, "vat": vat}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_loss_and_gradient_are_those_of_the_paper(method: Regularizer, tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    reference = WRITTEN_OUT[method.name](Reference(encoder, task, batch), method)  # type: ignore[operator]
    reference.backward()
    expected = gradients(encoder, task)
    torch.manual_seed(5)
    loss = method.loss(plain(task), task, encoder, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, reference, rtol=1e-5, atol=1e-6)
    same(gradients(encoder, task), expected)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_no_weight_is_moved_and_nothing_stays_on_the_encoder(method: Regularizer, tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    method.loss(plain(task), task, encoder, batch)
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())
    assert not encoder.embeddings._forward_hooks
    assert all(parameter.grad is None for parameter in [*encoder.parameters(), *task.parameters()])


def test_a_shift_has_its_length_and_leaves_padding_alone(tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    shift = Shift(encoder)
    with shift.added():
        loss = task.loss(task(encoder, batch), batch)
    found = torch.autograd.grad(loss, shift.values)
    shift.turn(found, 0.3)
    mask = batch.attention_mask
    assert mask is not None
    text = (encoder.embeddings(batch.input_ids) * mask.unsqueeze(-1)).flatten(1).norm(dim=1)
    torch.testing.assert_close(shift.values[0].flatten(1).norm(dim=1), 0.3 * text)
    assert not shift.values[0][~mask].any()
    for _ in range(5):
        shift.climb(found, 0.2, 0.5)
    torch.testing.assert_close(shift.values[0].flatten(1).norm(dim=1), 0.5 * text)


def test_the_loss_grows_where_the_text_is_shifted(tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    clean = float(plain(task)(encoder, batch).detach())
    both = [m.loss(plain(task), task, encoder, batch) for m in (Fgm(epsilon=0.1), Pgd(epsilon=0.1))]
    losses = [float(loss.detach()) - clean for loss in both]
    assert all(loss > clean + 1e-3 for loss in losses), "nothing was shifted"


def test_all_passes_of_a_step_have_the_same_dropout(tiny_model: Path) -> None:
    """With a shift of nothing the second pass gives the loss of the first."""
    encoder, task, batch = still(tiny_model)
    encoder.train(), task.train()
    seen: list[float] = []

    def loss(encoder: Encoder, batch: Batch) -> Tensor:
        value: Tensor = plain(task)(encoder, batch)
        seen.append(float(value.detach()))
        return value

    Pgd(epsilon=1e-9).loss(loss, task, encoder, batch)
    FreeLb(epsilon=1e-9).loss(loss, task, encoder, batch)
    assert seen[:4] == pytest.approx([seen[0]] * 4, rel=1e-5) and seen[4:] == pytest.approx([seen[4]] * 2, rel=1e-5)
    assert seen[0] != pytest.approx(seen[4], rel=1e-5)


def test_vat_learns_from_texts_without_labels(tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    torch.manual_seed(5)
    labelled = Vat().loss(plain(task), task, encoder, batch) - task.loss(task(encoder, batch), batch)
    torch.manual_seed(5)
    smooth = Vat().loss(plain(task), task, encoder, replace(batch, targets=None))
    torch.testing.assert_close(smooth, labelled, rtol=1e-4, atol=1e-6)
    smooth.backward()  # type: ignore[no-untyped-call]
    assert any(gradient.any() for gradient in gradients(encoder, task).values())


def test_a_text_that_the_loss_does_not_feel_is_not_shifted(tiny_model: Path) -> None:
    encoder, task, batch = still(tiny_model)
    flat = Fgm().loss(lambda encoder, batch: F.relu(plain(task)(encoder, batch) - 1e6), task, encoder, batch)
    assert float(flat.detach()) == 0.0
