"""The forgetting meter: an encoder that goes on is measured before and after, on the same passages and rows.

In:  Ready, probes, the run folder
Out: what was found before, kept for a resume; then what was gained and lost
Knows nothing of the loop or of how a report looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bertie.bundle.folder import Model
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.corpus import Corpus
from bertie.evaluation.forgetting import Change, Forgetting, What
from bertie.predict import Predictor
from bertie.training.run import RunFolder
from bertie.workflow.pretrain_head import fit_head
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.pretrain_start import Ready
from bertie.workflow.probe import Probe
from bertie.workflow.task_probe import TaskProbe

TOKENS = 30_000
"""Held-out tokens of each text by which it is measured."""
BEFORE = "before"
"""Name of what was measured first, among the files of the run."""


@dataclass(frozen=True)
class Meter:
    """Measures an encoder as it is."""

    ready: Ready
    probe: Probe | None
    task: TaskProbe | None
    run: RunFolder

    def before(self) -> dict[str, Any]:
        """What was measured before the first step: read where an earlier session wrote it down."""
        found = self.run.read(BEFORE)
        if found is None:
            began = time.monotonic()
            found = self.measure()
            found["seconds"] = time.monotonic() - began
            self.run.write(BEFORE, found)
        return found

    def compared(self) -> Forgetting:
        """What has changed since."""
        before, after = self.before(), self.measure()
        changes = [
            Change.of_losses(what, before[what]["nats"], after[what]["nats"], after[what]["places"])
            for what in _LOSSES
            if what in after
        ]
        probes: list[tuple[What, Probe | TaskProbe | None]] = [("probe", self.probe), ("task", self.task)]
        changes += [
            Change.of_answers(what, before[what], after[what], probe.name)
            for what, probe in probes
            if probe is not None and what in before  # the package of its texts may have come between two sessions
        ]
        return Forgetting(tuple(changes))

    def measure(self) -> dict[str, Any]:
        """Nats and places of each passage, and which rows the probes answer rightly."""
        ready = self.ready
        found: dict[str, Any] = {"domain": self._losses(ready.corpus)}
        if ready.general is not None:
            found["general"] = self._losses(ready.general)
        dtype, _ = choose_dtype(choose_device(ready.recipe.training.device), ready.recipe.training.dtype)
        if self.probe is not None:
            found["probe"] = self.probe.right(ready.encoder, dtype)
        if self.task is not None:
            found["task"] = self.task.right(ready.encoder, ready.tokenizer, dtype)
        return found

    def _losses(self, corpus: Corpus) -> dict[str, list[float]]:
        ready = self.ready
        predictor = Predictor(Model(ready.encoder, ready.task, ready.tokenizer, ready.how.length, origin=ready.origin))
        answers = predictor.answers(ready.judging(corpus, TOKENS))
        nats = [answer["loss"] * answer["positions"] for answer in answers]
        return {"nats": nats, "places": [float(answer["positions"]) for answer in answers]}


_LOSSES: tuple[What, ...] = ("domain", "general")


def begin(
    ready: Ready,
    request: PretrainRequest,
    probes: tuple[Probe | None, TaskProbe | None],
    run: RunFolder,
    say: Callable[[str], None],
) -> Meter | None:
    """An encoder that goes on gets the output layer that it lacks, and is measured. None for one from nothing, and for
    some layers of a larger one, which knew nothing together."""
    if request.model is None or ready.recipe.layers:
        return None
    if ready.headless:
        seconds = request.within(ready.recipe.training.seconds or request.seconds, request.seconds)
        fit_head(ready, seconds, run, say)
    meter = Meter(ready, *probes, run)
    meter.before()
    return meter
