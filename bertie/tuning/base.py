"""The contract of a tuning method: what of an encoder is trained.

    encoder --apply--> frozen and added parts --train--> (before_step, after_gradient, after_step, penalty)
            --settle--> what training alone needed is gone --merge--> an encoder without additions, where that can be

In:  an encoder, settings
Out: the same encoder, of which only a part asks for gradients; perhaps modules added to it
Knows nothing of tasks, of heads (they are always trained), of the loop or of files.

A method is a frozen record of its settings and holds no state: everything that a training changes lies in the encoder's
`state_dict`, so a checkpoint resumes any method. What a method adds keeps the names of what it replaces, so that the
encoder's own weights are called the same with it and without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bertie.core.errors import BundleError, UsageError
from bertie.nn.attention import SelfAttention
from bertie.nn.config import EncoderConfig
from bertie.nn.dropout import Dropout
from bertie.nn.encoder import Encoder
from bertie.nn.layers import Block

Target = Literal["query", "key", "value", "attention_output", "feed_forward_input", "feed_forward_output"]
TARGETS: dict[str, str] = {
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "attention_output": "attention.output",
    "feed_forward_input": "feed_forward.input",
    "feed_forward_output": "feed_forward.output",
}
"""The linear layers of a block, by the names that settings use, with their places in it."""


class Method(ABC):
    """A subclass with a `name`, a frozen dataclass in a file of this folder, can be named with `--method`.

    Its fields are its settings; the text under each is its documentation.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    """One line for a person: what is trained."""
    merges: ClassVar[bool] = True
    """Whether a plain encoder can hold what was trained: nothing was added, or `merge` puts it into the weights."""
    starts_as_base: ClassVar[bool] = True
    """Whether the encoder gives, right after `apply`, what it gave before."""
    constant: ClassVar[bool] = True
    """Whether the same weights are trained from the first step to the last."""
    keeps_last: ClassVar[bool] = False
    """Whether only the end of a training is what the method promises, so that no weights before it are kept."""
    rate_factor: ClassVar[float] = 1.0
    """Times the learning rate that is usual where all weights are trained: few weights bear, and need, larger steps."""

    def refuse(self, config: EncoderConfig) -> None:  # noqa: B027
        """UsageError where an encoder is too small for the settings; asked before anything is computed with it."""

    @abstractmethod
    def apply(self, encoder: Encoder) -> None:
        """Freezes what is not trained and adds what is, once, before training."""

    def layer_decay(self) -> float:
        """Each layer's rate as a part of that of the layer above; 0: no opinion."""
        return 0.0

    def before_step(self, encoder: Encoder, done: int, total: int) -> None:  # noqa: B027
        """Before each step, `done` of `total` steps being done, also the first after a resume."""

    def after_gradient(self, encoder: Encoder) -> None:  # noqa: B027
        """When a step's gradient is whole and finite, before it is used."""

    def after_step(self, encoder: Encoder, done: int, total: int) -> None:  # noqa: B027
        """After each step."""

    def penalty(self, encoder: Encoder) -> Tensor | None:
        """Added to the loss of each batch; None: nothing is."""
        return None

    def settle(self, encoder: Encoder) -> None:  # noqa: B027
        """After training: drops what only training needed. The encoder's output stays what it was."""

    def restore(self, encoder: Encoder, added: Mapping[str, Tensor]) -> None:
        """Adds to an encoder what `added` held after `settle`; BundleError where the two do not fit."""
        self.apply(encoder)
        load_additions(encoder, added, self.name)

    def merge(self, encoder: Encoder) -> Encoder:
        """A plain encoder that computes the same; weights that no method touched are shared. Only where `merges`."""
        assert self.merges, f"{self.name} cannot be merged"
        return bare(encoder)


@dataclass(frozen=True, kw_only=True)
class VirtualTokens(Method):
    """What methods share that put something trained in front of the text: no plain encoder computes the same."""

    merges: ClassVar[bool] = False
    starts_as_base: ClassVar[bool] = False

    length: int = 16
    """Places in front of the text (P)."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"length is {self.length}, expected at least 1")


def put_prefixes(encoder: Encoder, make: Callable[[SelfAttention], nn.Module]) -> None:
    """Freezes the encoder and gives each of its attentions a prefix of its own."""
    freeze(encoder)
    for attention in attentions(encoder):
        attention.prefix = make(attention)


def refuse_rank(name: str, rank: int, config: EncoderConfig) -> None:
    """UsageError where the setting `name` is more than any matrix of the encoder can have."""
    if rank > config.hidden_size:
        raise UsageError(
            f"tuning.{name} is {rank}, the encoder's matrices have a rank of at most {config.hidden_size}; take less, "
            "such as 8, or train all weights with --method full"
        )


def replace_linears(encoder: Encoder, targets: Sequence[str], make: Callable[[nn.Linear], nn.Linear]) -> None:
    """Puts `make(layer)` in the place of these layers of every block; names as in `TARGETS`."""
    for block in encoder.layers:
        for target in targets:
            inside, _, last = TARGETS[target].rpartition(".")
            part = block.get_submodule(inside)
            base = getattr(part, last)
            assert isinstance(base, nn.Linear), f"{target} is {type(base).__name__}: one method at a time"
            setattr(part, last, make(base))


def freeze(module: nn.Module, frozen: bool = True) -> None:
    """No parameter of the module asks for a gradient; or all of them do."""
    for parameter in module.parameters():
        parameter.requires_grad_(not frozen)


def still(encoder: Encoder, lowest: int) -> None:
    """Freezes all below block `lowest`, and computes it as in use: features that nobody trains shall not be noisy."""
    freeze(encoder.embeddings)
    below = [block for block in encoder.layers[:lowest] if isinstance(block, Block)]
    for module in (encoder.embeddings, *below):
        freeze(module)
        set_dropout(module, 0.0)
    for block in below:
        block.attention.dropout = 0.0


def set_dropout(module: nn.Module, rate: float) -> None:
    """Dropout on states in all parts of a module."""
    for part in module.modules():
        if isinstance(part, Dropout):
            part.rate = rate


@lru_cache(maxsize=16)
def own_names(config: EncoderConfig) -> frozenset[str]:
    """Names in the `state_dict` of a plain encoder."""
    with torch.device("meta"):
        return frozenset(Encoder(config).state_dict())


def additions(encoder: Encoder) -> dict[str, Tensor]:
    """What was added to it, by name: a small file."""
    own = own_names(encoder.config)
    return {name: tensor for name, tensor in encoder.state_dict().items() if name not in own}


def load_additions(encoder: Encoder, added: Mapping[str, Tensor], name: str) -> None:
    """Puts `added` into the modules that the method `name` has made; BundleError where they do not fit."""
    expected = {name: tuple(tensor.shape) for name, tensor in additions(encoder).items()}
    found = {name: tuple(tensor.shape) for name, tensor in added.items()}
    if expected != found:
        wrong = sorted(expected.items() ^ found.items())[:4]
        raise BundleError(f"what {name} added does not fit the encoder, for example {wrong}; copy it again")
    encoder.load_state_dict(dict(added), strict=False)


def attentions(encoder: Encoder) -> Iterator[SelfAttention]:
    """That of each block; once, where blocks share their weights."""
    for block in encoder.layers:
        assert isinstance(block, Block)
        yield block.attention


def bare(encoder: Encoder, instead: Mapping[str, Tensor] | None = None) -> Encoder:
    """A plain encoder with the own weights of `encoder`, shared, or those of `instead`."""
    with torch.device("meta"):
        plain = Encoder(encoder.config)
    state = {**encoder.state_dict(), **(instead or {})}
    plain.load_state_dict({name: state[name] for name in plain.state_dict()}, assign=True)
    return plain.train(encoder.training)


def trained(encoder: Encoder) -> list[str]:
    """Names of the parameters that ask for a gradient."""
    return [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
