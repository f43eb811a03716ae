"""The matrix of methods: every tuning method x task x family, really trained for a few steps and checked.

    start       right after `apply` the encoder gives what it gave before, where the method promises that
    gradients   every parameter that the method names gets a gradient that is not zero, and no other gets any
    weights     those have moved, all others are the same to the last bit
    ranks       those of AdaLoRA have fallen to the budget, by importances that were followed
    merge       what training left gives the same as a plain encoder, to 1e-5
    bundle      saved and loaded it gives the same, and its golden examples are answered

In:  names of methods, tasks and families; all where none are given
Out: a verdict for each cell
Knows nothing of the command line or of how a table looks (`matrix_table`).
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.bundle.folder import METHODS, TASKS, Model
from bertie.core.config import from_dict
from bertie.core.errors import BertieError, UsageError
from bertie.data.batches import Batch
from bertie.nn.encoder import Encoder
from bertie.nn.families import FAMILIES
from bertie.nn.translation import read_config
from bertie.predict import Predictor, load_torch
from bertie.tasks.base import Task
from bertie.text.tokenizer import Tokenizer
from bertie.training.hooks import Step
from bertie.training.model import TrainingModel
from bertie.training.optimizer import make_optimizer, parameter_groups
from bertie.training.settings import Optimizer
from bertie.training.tuning import Tuner, penalised
from bertie.tuning.adalora import AdaLora, SingularLinear, ranks
from bertie.tuning.base import Method, additions, bare, trained
from bertie.workflow.sample_rows import EIGHT

STEPS, RATE, TOLERANCE, LENGTH = 4, 1e-2, 1e-5, 32
EMPTY = "nothing to train"
NOT_FELT = re.compile(r".*\.key\.bias")
"""Adds the same to all scores of a token, which softmax takes away again: its gradient is zero but for rounding."""
SIZES: dict[str, object] = {
    **dict.fromkeys(("hidden_size", "dim"), 16),
    **dict.fromkeys(("intermediate_size", "hidden_dim"), 24),
    **dict.fromkeys(("num_hidden_layers", "n_layers", "num_attention_heads", "n_heads"), 2),
    **{"embedding_size": 8, "max_position_embeddings": 64, "pad_token_id": 0, "initializer_range": 0.2},
}
"""Of the tiny encoders, by the words of every family."""
_LOW = r"layers\.\d+\.attention\.(query|value)\.lora_(a|b"
Variant = tuple[str, dict[str, Any], str]
VARIANTS: dict[str, Variant] = {
    "full": ("full", {}, r".*"),
    "top_layers": ("top_layers", {"layers": 1}, r"layers\.{top}\..*|final_norm\..*"),
    "layerwise": ("layerwise", {}, r".*"),
    "gradual_unfreezing": ("gradual_unfreezing", {}, r".*"),
    "bitfit": ("bitfit", {}, r".*\.bias"),
    "lora": ("lora", {"rank": 2}, _LOW + ")"),
    "lora, dora": ("lora", {"rank": 2, "dora": True}, _LOW + "|magnitude)"),
    "lora, rslora": ("lora", {"rank": 2, "rslora": True}, _LOW + ")"),
    "adalora": (
        "adalora",
        {"rank": 1, "first_rank": 2, "every": 1, "begin": 0.0, "end": 0.25},
        r"layers\.\d+\..*\.(left|values|right)",
    ),
    "houlsby": ("houlsby", {"size": 4}, r"layers\..*\.(down|up)\.(weight|bias)|.*norm\.(weight|bias)"),
    "prefix": ("prefix", {"length": 2, "width": 4}, r"layers\.\d+\.attention\.prefix\..*"),
    "p_tuning_v2": ("p_tuning_v2", {"length": 2}, r"layers\.\d+\.attention\.prefix\.(key|value)"),
    "prompt": ("prompt", {"length": 2}, r"prompt\.vectors"),
    "frozen": ("frozen", {}, r"(?!)"),
}
"""Method, settings that fit tiny encoders, and the parameters that must be trained, written down apart from the
method's own file. A method of somebody's own is checked against what it says itself."""


@dataclass(frozen=True)
class Job:
    """One method and task on several families."""

    variant: str
    method: str
    settings: dict[str, Any]
    pattern: str
    task: str
    families: Sequence[str]


@dataclass(frozen=True)
class Cell:
    """One method on one task and family."""

    method: str
    task: str
    family: str
    faults: tuple[str, ...] = ()
    """Names of the checks that failed, with what was found."""
    empty: bool = False
    """Whether there is nothing to train, which is refused: frozen features for a task without a head."""


@dataclass(frozen=True)
class Matrix:
    """All cells that were asked for."""

    cells: list[Cell] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> list[Cell]:
        """The red ones."""
        return [cell for cell in self.cells if cell.faults]

    @property
    def checked(self) -> list[Cell]:
        """Those in which something was trained."""
        return [cell for cell in self.cells if not cell.empty]


@dataclass(frozen=True)
class Trial:
    """What the checks of a cell look at."""

    method: Method
    encoder: Encoder
    task: Task
    batch: Batch
    expected: frozenset[str]
    """Parameters that must be trained."""
    before: dict[str, Tensor]
    """All weights before training."""
    felt: set[str] = field(default_factory=set)
    """Parameters that got a gradient which is not zero."""
    given: set[str] = field(default_factory=set)
    """Parameters that got any."""
    moved: set[str] = field(default_factory=set)
    """Parameters that were another after one of the steps; AdaLoRA may take values back to the zero they began at."""

    def states(self, encoder: Encoder | None = None) -> Tensor:
        """What an encoder makes of the batch, in use."""
        chosen = (encoder or self.encoder).eval()
        with torch.no_grad():
            states: Tensor = chosen(self.batch.input_ids, self.batch.attention_mask)
        return states


def run_matrix(
    methods: Sequence[str] = (),
    tasks: Sequence[str] = (),
    families: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
    workers: int = 1,
) -> Matrix:
    """Checks every cell, in so many processes; UsageError where a name is none."""
    began, cells = time.monotonic(), list[Cell]()
    known = {name for name, _, _ in VARIANTS.values()}
    own: dict[str, Variant] = {name: (name, {}, "") for name in METHODS.classes() if name not in known}
    variants = VARIANTS | own
    chosen = _chosen("method", methods, variants), _chosen("task", tasks, EIGHT), _chosen("family", families, FAMILIES)
    jobs = [Job(variant, *variants[variant], task, chosen[2]) for variant in chosen[0] for task in chosen[1]]
    # A method out of somebody's file is known to this process alone.
    pool = workers > 1 and not set(own) & set(chosen[0])
    with ProcessPoolExecutor(workers, get_context("spawn")) if pool else nullcontext() as elsewhere:
        for job, found in zip(jobs, elsewhere.map(run_job, jobs) if elsewhere else map(run_job, jobs), strict=True):
            cells += found
            if job.task == chosen[1][-1]:
                red = sum(bool(cell.faults) for cell in cells if cell.method == job.variant)
                say(f"{job.variant}: {f'{red} cells failed' if red else 'all right'}")
    return Matrix(cells, time.monotonic() - began)


def run_job(job: Job) -> list[Cell]:
    """One method and task on each of the families."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny matrices: a second thread only waits
    try:
        return [check(job, family) for family in job.families]
    finally:
        torch.set_num_threads(threads)


def check(job: Job, family: str) -> Cell:
    """One cell. What goes wrong with a message of ours is a fault of the cell, not of the command."""
    faults: list[str] = []
    empty = False
    try:
        method = from_dict(METHODS.get(job.method), job.settings, "tuning")
        for fault in _faults(method, job, family):
            empty = fault == EMPTY
            if empty:
                break
            faults.append(fault)  # not all at once: what was found stays, whatever comes after it
    except (BertieError, RuntimeError, AssertionError) as error:
        faults.append(f"{type(error).__name__}: {error}")
    return Cell(job.variant, job.task, family, tuple(faults), empty)


def _faults(method: Method, job: Job, family: str) -> Iterator[str]:
    tokenizer, pattern = _tokenizer(), job.pattern
    torch.manual_seed(0)
    encoder = Encoder(read_config({"model_type": family, "vocab_size": tokenizer.vocab_size, **SIZES}))
    rows = EIGHT[job.task]
    task: Task = TASKS.get(job.task).from_rows(rows, {})
    task.build_head(encoder.config.hidden_size)
    batch = task.collate(task.encode(list(rows), tokenizer, LENGTH), tokenizer.pad_id)
    with torch.no_grad():
        base = encoder.eval()(batch.input_ids, batch.attention_mask)
    method.apply(encoder)
    top = encoder.config.block_of(encoder.config.layers - 1)
    wanted = re.compile(pattern.replace("{top}", str(top))) if pattern else None
    own = set(trained(encoder))
    expected = {n for n, _ in encoder.named_parameters() if wanted.fullmatch(n)} if wanted else own
    if not expected and not own and not list(task.parameters()):
        yield EMPTY
        return
    before = {n: tensor.clone() for n, tensor in encoder.state_dict().items()}
    trial = Trial(method, encoder, task, batch, frozenset(expected), before)
    started = _close(trial.states(), base)
    if method.starts_as_base and not started:
        yield f"start: the encoder gives something else than before, by {_apart(trial.states(), base):.1e}"
    _train(trial)
    yield from _gradients(trial)
    yield from _weights(trial)
    yield from _ranks(trial)
    final = trial.states()
    method.settle(encoder)
    if not _close(trial.states(), final):
        yield f"merge: `settle` changes the states by {_apart(trial.states(), final):.1e}"
    yield from _merge(trial, final)
    yield from _bundle(trial, tokenizer, final)


def _train(trial: Trial) -> None:
    """A few steps with the optimiser, the hook and the penalty of a real training; takes down the gradients."""
    model = TrainingModel(trial.encoder, trial.task, [penalised(trial.method)])
    settings = Optimizer(rate=RATE, layer_decay=trial.method.layer_decay() or 1.0)
    optimizer = make_optimizer(parameter_groups(trial.encoder, trial.task, settings), settings)
    tuner = Tuner(trial.method, trial.encoder)
    tuner.begin(optimizer, 0, STEPS)
    model.train()
    for number in range(1, STEPS + 1):
        loss = model(trial.batch)
        loss.backward()
        gradients = {n: p.grad for n, p in trial.encoder.named_parameters() if p.grad is not None}
        trial.given.update(gradients)
        trial.felt.update(n for n, gradient in gradients.items() if bool(gradient.any()))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        trial.moved.update(n for n, p in trial.encoder.named_parameters() if not torch.equal(p, trial.before[n]))
        tuner.after_step(Step(number, STEPS, 0, loss.item(), 0.0, RATE, len(EIGHT[trial.task.name])))
    model.eval()


def _gradients(trial: Trial) -> Iterator[str]:
    silent = [n for n in sorted(trial.expected - trial.felt) if not NOT_FELT.fullmatch(n)]
    if silent:
        yield f"gradients: none for {', '.join(silent[:3])}"
    if more := sorted(trial.given - trial.expected):
        yield f"gradients: also for {', '.join(more[:3])}"


def _weights(trial: Trial) -> Iterator[str]:
    if stuck := [n for n in sorted(trial.expected - trial.moved) if not NOT_FELT.fullmatch(n)]:
        yield f"weights: {', '.join(stuck[:3])} did not move"
    if loose := sorted(trial.moved - trial.expected):
        yield f"weights: {', '.join(loose[:3])} moved, which are frozen"


def _ranks(trial: Trial) -> Iterator[str]:
    if not isinstance(trial.method, AdaLora):
        return
    layers = [module for module in trial.encoder.modules() if isinstance(module, SingularLinear)]
    left, budget = sum(ranks(trial.encoder).values()), trial.method.budget(1.0, len(layers))
    if left != budget:
        yield f"ranks: {left} are left of {len(layers) * trial.method.first_rank}, the budget is {budget}"
    if not any(bool(layer.importance().any()) for layer in layers):
        yield "ranks: nobody has followed the importances, so they were cut blindly"
    if any(bool((layer.values != 0)[~layer.kept].any()) for layer in layers):
        yield "ranks: what was cut still counts"


def _merge(trial: Trial, final: Tensor) -> Iterator[str]:
    if trial.method.merges:
        merged = trial.method.merge(trial.encoder)
        if additions(merged):
            yield f"merge: {', '.join(list(additions(merged))[:3])} are left over"
    else:
        merged = bare(trial.encoder)
        trial.method.restore(merged, additions(trial.encoder))
    if not _close(trial.states(merged), final):
        yield f"merge: the states differ by {_apart(trial.states(merged), final):.1e}"


def _bundle(trial: Trial, tokenizer: Tokenizer, final: Tensor) -> Iterator[str]:
    model = Model(trial.encoder, trial.task, tokenizer, LENGTH, tuning=trial.method)
    predictor = Predictor(model)
    asked = [trial.task.asked(row) for row in EIGHT[trial.task.name]][:3]
    with tempfile.TemporaryDirectory(prefix="bertie-matrix-") as place:
        bundle.save(replace(model, golden=golden.record(predictor.predict, asked)), Path(place) / "m", {})
        again = load_torch(Path(place) / "m")  # refuses what answers otherwise
    if not _close(trial.states(again.model.encoder), final):
        yield f"bundle: loaded, the states differ by {_apart(trial.states(again.model.encoder), final):.1e}"
    if any(not torch.equal(tensor, trial.task.state_dict()[n]) for n, tensor in again.task.state_dict().items()):
        yield "bundle: loaded, the head is another one"


def _close(one: Tensor, other: Tensor) -> bool:
    return bool(torch.allclose(one, other, atol=TOLERANCE, rtol=TOLERANCE))


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _chosen(what: str, wanted: Sequence[str], known: Mapping[str, object]) -> list[str]:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"the matrix has no {what} {unknown[0]!r}; choose of {', '.join(known)}")
    return list(wanted or known)


@cache
def _tokenizer() -> Tokenizer:
    """WordPiece with every character of the rows as a piece."""
    letters = sorted({letter for rows in EIGHT.values() for row in rows for letter in str(row) if not letter.isspace()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    with tempfile.TemporaryDirectory(prefix="bertie-matrix-") as place:
        (Path(place) / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
        return Tokenizer.from_folder(place)
