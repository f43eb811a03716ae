"""A search, from a request to a bundle: floors, the default recipe, variations of it, the choice.

In:  SearchRequest
Out: a bundle in a folder; every trial in a storage, so that it can be stopped, joined and gone on with
Knows nothing of the command line.

Trials run in this process, one after the other: rows, models and floors are read once, and no trial is left behind
where the process is killed. The peak of its memory is measured anew for each.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from bertie.bundle.checksums import RUN_FOLDER, SEAL
from bertie.core.errors import BertieError, Stopped
from bertie.core.peak import forget_peak, peak_memory
from bertie.evaluation.judge import interval
from bertie.predict import load
from bertie.tasks.base import Answer
from bertie.training.hooks import Hook
from bertie.training.run import RunFolder
from bertie.trials.api import SearchResult
from bertie.trials.budget import allot
from bertie.trials.hooks import Lagging, Memory, Shown
from bertie.trials.measure import floors_seconds, frozen_seconds, rough, size_of
from bertie.trials.progress import Live
from bertie.trials.publication import conclude
from bertie.trials.request import SearchRequest
from bertie.trials.session import Session, enter
from bertie.trials.space import Variation, suggest
from bertie.trials.trial import answers_of, keep_answers, linear_model, room, spent, train, words_answers
from bertie.trials.workers import Worker, turn
from bertie.workflow.preparation import Notes
from bertie.workflow.request import Say

BEGUN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
IN_VAIN = 15
"""Trainings over --max-memory, with none within it, after which no more are tried: methods, batches and encoders that
take little have had their turn by then."""


def run_search(request: SearchRequest, say: Say, *, quiet: bool = False) -> SearchResult:
    """Searches until the budget is used, then one of the workers publishes."""
    run = request.folder / RUN_FOLDER
    with Worker(run) as worker, Live(quiet=quiet) as live:
        live.doing("reading rows and choosing models")
        with turn(run, say):
            session = enter(request, run, worker, Notes(say), time.time())
        live.limit(session.left())
        Search(session, run / "trials", worker, live, say).work()
        worker.leave()
        live.doing("measuring, judging and writing the bundle")
        with turn(run, say):
            return _published(session, run, worker, say)


def _published(session: Session, run: Path, worker: Worker, say: Say) -> SearchResult:
    """The bundle that this worker writes or another one has written; nothing where others still work."""
    ledger, folder = session.ledger, session.field.request.folder
    if worker.others():
        say(f"other workers go on; the last one publishes in {folder}")
        return SearchResult(folder, {}, [], None)
    limit = session.field.request.latency_seconds
    chosen_from = {"trials": len(ledger.trials(TrialState.COMPLETE)), "latency": limit}
    if ledger.read("published") != chosen_from or not (folder / SEAL).is_file():
        conclude(session.field, ledger, run / "trials", session.used())
        ledger.write("published", chosen_from)
    evaluation = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    session.seen()
    device = session.field.recipe.training.device
    return SearchResult(folder, evaluation, evaluation["search"]["lines"], load(folder, device=device))


class Search:
    """One worker's trials."""

    def __init__(self, session: Session, trials: Path, worker: Worker, live: Live, say: Say) -> None:
        self.session, self.trials, self.worker, self.live, self.say = session, trials, worker, live, say
        self.field, self.ledger = session.field, session.ledger
        self._varied = self.field.varied
        self._costs = {self.field.default.model: session.costs}

    def work(self) -> None:
        """Trial after trial, as long as one fits."""
        try:
            while (seconds := self._next()) is not None:
                trial, variation = self.ledger.begin(self.worker.name, self._suggest)
                self.live.doing(f"trial {trial.number + 1}: {variation}")
                self._do(trial, variation, seconds)
                self.session.seen()
        finally:
            self.session.seen()  # a resume counts the time until here, also that of a trial that was stopped

    def _next(self) -> float | None:
        """Seconds for the next trial; None, and why, where there is none."""
        self.session.take_up()
        waiting = self.ledger.waiting()
        failed = sum("stopped" in one.user_attrs for one in self.ledger.trials(TrialState.FAIL))
        most = self.field.request.trials
        if most is not None and len(self.ledger.trials(*BEGUN)) + failed >= most:
            self.say(f"{most} trials were asked for and begun")
            return None
        if waiting is None and not self.field.allowed:
            return None
        if waiting is None and self._in_vain():
            self.say(f"{IN_VAIN} trainings took more than --max-memory allows, and none less: no more are tried")
            return None
        seconds = self._seconds(waiting)
        if seconds is None:
            self.say(f"{self.session.left():.0f} s are left: too few for another trial and the bundle")
        return seconds

    def _seconds(self, waiting: Variation | None) -> float | None:
        """For the training of what waits, or of a new variation where nothing does; None where it does not fit."""
        costs = self.session.costs
        if waiting is not None and waiting.kind != "tuned":
            free = self.session.left() - costs.finish
            return free if free > 0.0 and free > self._floor_seconds(waiting) else None
        default = None if waiting is not None and waiting == self.field.default else self._default_seconds()
        costs = replace(costs, default=default)
        seconds = allot(self.session.left(), costs)
        if waiting is None or seconds is None or self.field.stands(waiting.model):
            return seconds
        self.field.standing(waiting.model)  # encodes rows and fits floors: the training gets what is left after it
        return allot(self.session.left(), costs)

    def _floor_seconds(self, waiting: Variation) -> float:
        """What a floor takes as a trial, about; counting words is the least that a search does."""
        if waiting.kind == "words":
            return 0.0
        model = waiting.model
        if model not in self._costs:
            self._costs[model] = rough(self.field, model)
        costs = self._costs[model]
        return frozen_seconds(costs) + (0.0 if self.field.stands(model) else floors_seconds(self.field, costs))

    def _in_vain(self) -> bool:
        """Whether enough was tried to know that no training is within --max-memory."""
        limit = self.field.request.memory_bytes
        if limit is None:
            return False
        ended = [one for one in self.ledger.trials(TrialState.COMPLETE, TrialState.PRUNED) if _tuned(one)]
        over = [one.state == TrialState.PRUNED and one.user_attrs["peak_memory"] > limit for one in ended]
        return len(over) >= IN_VAIN and all(over)

    def _default_seconds(self) -> float | None:
        """What the training of the default recipe took; while another worker is at it, what it would take.

        Where it was stopped, as it takes too much memory, what the longest of the others took; None where none has
        ended, so that the next one may take the time that was the default recipe's.
        """
        found = self.ledger.trials(TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
        tuned = [one.user_attrs for one in found if _tuned(one)]
        for facts in tuned:
            if facts["variation"] == self.field.default.as_json():
                return float(facts.get("training_seconds", self.session.costs.least))
        return max((float(facts["training_seconds"]) for facts in tuned if "training_seconds" in facts), default=None)

    def _suggest(self, trial: Trial) -> Variation:
        return suggest(trial, self.field.allowed, self._varied)

    def _do(self, trial: Trial, variation: Variation, seconds: float) -> None:
        """One trial, and how it ended in the ledger."""
        forget_peak()
        began, folder = time.monotonic(), self._folder(trial)
        try:
            if variation.kind == "words":
                answers, facts = self._count(folder)
            else:
                answers, facts = self._train(trial, variation, folder, seconds)
        except optuna.TrialPruned as reason:
            self._end(trial, TrialState.PRUNED, began, stopped=str(reason))
            shutil.rmtree(folder, ignore_errors=True)
            self.say(f"{variation}: stopped early, {reason}")
        except KeyboardInterrupt:
            self.ledger.asked(trial)
            raise
        except Stopped as error:
            self.ledger.asked(trial)
            raise Stopped(f"{error}; the search goes on with --resume", error.exit_code - 128) from error
        except BertieError as error:
            self._end(trial, TrialState.FAIL, began, stopped=str(error))
            self.say(f"{variation}: failed: {error}")
            if variation.kind != "tuned" or variation.plain:
                raise
        else:
            self._scored(trial, variation, answers, {**facts, "began": began})
        gc.collect()

    def _count(self, folder: Path) -> tuple[list[Answer], dict[str, Any]]:
        """The floor that counts words."""
        self.live.show("counting words")
        answers, known = words_answers(self.field), room(self.field)
        facts = {"room": {"value": known.value, "low": known.low, "high": known.high}} if known else {}
        keep_answers(folder, answers)
        return answers, {**facts, "bytes": linear_model(self.field).nbytes}

    def _train(
        self, trial: Trial, variation: Variation, folder: Path, seconds: float
    ) -> tuple[list[Answer], dict[str, Any]]:
        """A training; goes on where an earlier worker ended. `seconds`: from now on."""
        began = time.monotonic()
        self.field.standing(variation.model)  # rows that are encoded only now, and floors, take of the trial's time
        seconds = max(1.0, seconds - (time.monotonic() - began))
        prunes = variation.kind == "tuned" and variation != self.field.default
        with RunFolder(folder) as run:
            hooks: list[Hook] = [
                Lagging(trial, prunes, run),
                Memory(self.field.request.memory_bytes),
                Shown(self.live.show, self.session.seen),
            ]
            seconds += spent(run)  # a training has its limit over all sessions
            trained = train(self.field, variation, run, seconds, hooks)
            answers = answers_of(trained)
            keep_answers(folder, answers)
            shutil.rmtree(run.checkpoints, ignore_errors=True)
        fitted = trained.fitted
        facts = {"training_seconds": fitted.seconds, "steps": fitted.steps, "epochs": fitted.epochs, "end": fitted.end}
        facts |= {"best_step": fitted.best_step, "rows": fitted.rows, "given_seconds": seconds}
        return answers, facts | {"dtype": fitted.decisions.dtype, "bytes": size_of(trained.predictor.model)}

    def _scored(self, trial: Trial, variation: Variation, answers: list[Answer], facts: dict[str, Any]) -> None:
        scores = self.field.task().evaluate(answers, self.field.splits.dev)
        figure, began = interval(scores), facts.pop("began")
        facts |= {"metric": scores.primary, "low": figure.low, "high": figure.high}
        facts["dev_rows"] = len(self.field.splits.dev)
        self._end(trial, TrialState.COMPLETE, began, figure.value, **facts)
        self.say(
            f"{variation}: dev {scores.primary} {figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}], "
            f"{time.monotonic() - began:.0f} s"
        )
        best = self.ledger.study.best_trial
        self.live.best(str(best.user_attrs["name"]), float(best.value or 0.0))

    def _end(self, trial: Trial, state: TrialState, began: float, value: float | None = None, **facts: Any) -> None:
        memory = peak_memory()
        self.ledger.end(trial, state, value, seconds=time.monotonic() - began, peak_memory=memory, **facts)

    def _folder(self, trial: Trial) -> Path:
        folder = self.trials / f"{trial.user_attrs.get('continues', trial.number):04d}"
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        return folder


def _tuned(trial: FrozenTrial) -> bool:
    """Whether it trains an encoder; one that has just begun does not say yet."""
    return bool(trial.user_attrs.get("variation", {}).get("kind") == "tuned")
