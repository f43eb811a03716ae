"""An output layer for an encoder that came without one, fitted while the encoder stands still.

From random numbers the layer would first drag the encoder about, and what the encoder gains could not be told from what
the layer learns (Kumar et al. 2022, of classification heads).

In:  Ready, the time of the whole command, the folder of the run
Out: objectives with heads that fit the encoder; of the encoder not a number is changed, and no gradient is computed
Knows nothing of what is trained afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from bertie.data.corpus import Corpus
from bertie.data.passages import Curriculum, Pace
from bertie.training.company import lead
from bertie.training.hooks import Teller, reporters
from bertie.training.loop import FitResult
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow.pretrain_judging import evaluation
from bertie.workflow.pretrain_start import Ready

PART = "head"
"""Name of its own run in that of the training."""
TIME = 0.2
"""Part of the time that it may take."""
STEPS, MOST_ROUNDS = 500, 5
"""Steps at most, about; and passes over a text that is too short for so many."""
RATE = 1e-3
JUDGED_TOKENS = 10_000
"""Held-out tokens by which it is judged, before and after."""


def fit_head(ready: Ready, seconds: float, run: RunFolder, say: Callable[[str], None]) -> FitResult:
    """Fits the heads of the objectives on the general text, or else on the corpus itself; a stopped fit goes on.

    `seconds` are those of the whole training, of which a part is used.
    """
    corpus = ready.general or ready.corpus
    training = settings(ready.recipe.training, corpus.train.tokens, TIME * seconds)
    a_pass = max(1, corpus.train.tokens // (STEPS * training.tokens_per_batch))
    pace = Pace(rounds=training.epochs, a_pass=a_pass)
    rounds = Curriculum(corpus.train, ready.how, training.seed, pace, corpus.fingerprint)
    start_biases(ready, corpus)
    model = TrainingModel(ready.encoder, ready.task, whole_vocabulary=True)
    leave_body_out(model)
    judging = evaluation(ready, model, None, ready.judging(corpus, JUDGED_TOKENS))
    ready.encoder.requires_grad_(False)
    try:
        with run.part(PART) as part:
            fitted = lead(model, rounds, training, part, judging, [Teller(say), *reporters(training, part)])
    finally:
        ready.encoder.requires_grad_(True)
    say(
        f"output layer: the encoder came without one; fitted in {fitted.steps} steps and {fitted.seconds:.0f} s on the "
        f"{'general text' if ready.general else 'corpus'}, the encoder left as it is"
    )
    return fitted


def settings(training: Training, tokens: int, seconds: float) -> Training:
    """Those of the training with another rate and another end."""
    rounds = min(MOST_ROUNDS, max(1, math.ceil(STEPS * training.tokens_per_batch / max(tokens, 1))))
    optimizer = replace(training.optimizer, rate=RATE)
    plain = replace(training, regularization={}, average={})
    return replace(plain, epochs=rounds, seconds=seconds, evaluations_per_epoch=1, trackers=(), optimizer=optimizer)


def start_biases(ready: Ready, corpus: Corpus) -> None:
    """The new output layer begins with what is known without reading: how often each piece is written."""
    task = ready.task
    if task.asking is not None:
        task.know(corpus.unigrams)
        task.objective(task.asking).start_from_shares(task.log_shares)
        task.know(ready.corpus.unigrams)


def leave_body_out(model: TrainingModel) -> None:
    """Its checkpoints hold the heads alone; the encoder does not change, and can be hundreds of megabytes."""
    # No closures: the model is sent to other processes as it is.
    model.register_state_dict_post_hook(_without_body)  # type: ignore[no-untyped-call]
    model.register_load_state_dict_pre_hook(_with_body)  # type: ignore[no-untyped-call]


def _without_body(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for name in [name for name in state if name.startswith(f"{prefix}encoder.")]:
        del state[name]


def _with_body(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    assert isinstance(module, TrainingModel)
    state |= {f"{prefix}encoder.{name}": tensor for name, tensor in module.encoder.state_dict().items()}
