"""Everything a recipe may say about training.

In:  plain values
Out: frozen settings, checked where they are made; the text under a field is its documentation
Knows nothing of how they are used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Progress = Literal["auto", "always", "never"]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How gradients become steps."""

    name: Literal["sgd", "adam", "adamw", "adafactor"] = "adamw"
    """Method: sgd, adam, adamw (Loshchilov and Hutter 2019), or adafactor (Shazeer and Stern 2018) to save memory."""
    rate: float = 0.0
    """Highest learning rate of the encoder. 0: the workflow chooses, 2e-5 to 6e-5 by rows and layers.
    Adafactor's is relative to the size of each matrix: 1e-3 to 1e-2 there."""
    head_rate_factor: float = 0.0
    """The head's learning rate as a multiple of `rate`; 10 to 20 help a head that starts at random. 0: the task
    chooses, and where none is asked it is 1."""
    layer_decay: float = 0.0
    """Each layer's rate as a part of that of the layer above it, the word vectors' as a part of the lowest layer's
    (Howard and Ruder 2018, section 3.1); a norm above all layers and a prompt have the whole rate. 1: all alike.
    0: the workflow chooses together with `rate`; where a rate is given it is 1."""
    weight_decay: float = 0.01
    """Pull towards zero on weight matrices; biases, norms and embeddings are left alone."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Memory of the gradient's mean and of its square (adam, adamw)."""
    epsilon: float = 1e-8
    """Added to the root of the squared gradient (adam, adamw)."""
    momentum: float = 0.9
    """Memory of the gradient (sgd)."""

    def __post_init__(self) -> None:
        _positive(self, "epsilon")
        for name in ("rate", "head_rate_factor"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0, or 0 to have it chosen")
        _between(self, 0.0, 1.0, "layer_decay", "weight_decay", "momentum")
        if len(self.betas) != 2 or not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(f"betas is {self.betas}, expected two numbers from 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rate moves."""

    name: Literal["linear", "cosine", "polynomial", "constant"] = "linear"
    """Shape of the way down to zero; constant stays up."""
    warmup: float = 0.06
    """Part of all steps in which the learning rate climbs, 0 to 1."""
    power: float = 2.0
    """Exponent of the polynomial shape."""

    def __post_init__(self) -> None:
        _between(self, 0.0, 1.0, "warmup")
        _positive(self, "power")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model is trained."""

    epochs: int = 0
    """Most passes over the data; a time budget may end before. 0: the workflow chooses by what one costs, 4 to 8."""
    seconds: float | None = None
    """Time in which training and its evaluations end, sessions before a resume included. None: no limit."""
    rows_per_batch: int = 0
    """Most rows that go through the model at once. 0: the workflow chooses by the number of rows, 8 to 32."""
    tokens_per_batch: int = 4096
    """Most tokens, padding included, that go through the model at once; bounds the memory. A longer row goes alone."""
    accumulation: int = 1
    """Batches that make one step; more of them stand in for a batch that does not fit into memory."""
    activation_checkpointing: bool = False
    """Keep only what goes into each layer for the gradient and compute the rest again on the way back: about a third
    more time, less than half of what the activations take, the same numbers (Chen et al. 2016)."""
    clip: float = 1.0
    """Longest gradient (norm over all parameters); longer ones are scaled down. 0: never."""
    keep: Literal["auto", "best", "last"] = "auto"
    """Which weights a training ends with: best, those of the best dev score, unless the last ones, where the schedule
    ends, are within its standard error of them; or the last ones. auto: the last ones where fewer than 100 dev rows
    would choose by luck."""
    metric: str | None = None
    """Metric by which models are chosen on the dev rows, and which reports name first, such as `macro_f1`; otherwise
    the task's own. Larger must be better."""
    patience: int = 0
    """Evaluations without a better score after which training ends. 0: never."""
    evaluations_per_epoch: int = 1
    """How often the model is judged in each pass."""
    save_seconds: float = 120.0
    """Seconds between two checkpoints."""
    save_steps: int = 0
    """Steps between two checkpoints, beside `save_seconds`. 0: only by time."""
    seed: int = 13
    """Seed of the order of the rows, of dropout and of everything else that is random."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers to compute in; auto takes bfloat16 only where it is seen to be faster."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, one of several as `cuda:1`, or mps."""
    trackers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    """Who else is told the losses and scores; the run folder's own log is always written."""
    progress: Progress = "auto"
    """Whether a progress bar is drawn: auto draws on a terminal only."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """How gradients become steps."""
    schedule: Schedule = field(default_factory=Schedule)
    """How the learning rate moves."""
    regularization: dict[str, Any] = field(default_factory=dict)
    """A method against over-fitting in each step, by its `name`: fgm, pgd, freelb, vat, rdrop or mixup; beside it its
    settings. Empty: none."""
    average: dict[str, Any] = field(default_factory=dict)
    """An average of the weights that is judged and kept instead of them, by its `name`: ema or swa; beside it its
    settings. Empty: none."""

    def __post_init__(self) -> None:
        _positive(self, "tokens_per_batch", "accumulation", "evaluations_per_epoch")
        _positive(self, "save_seconds")
        for name in ("epochs", "rows_per_batch", "clip", "patience", "save_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.seconds is not None:
            _positive(self, "seconds")


def _positive(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name} is {getattr(settings, name)}, expected more than 0")


def _between(settings: object, low: float, high: float, *names: str) -> None:
    for name in names:
        if not low <= getattr(settings, name) <= high:
            raise ValueError(f"{name} is {getattr(settings, name)}, expected {low:g} to {high:g}")
