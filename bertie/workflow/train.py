"""Training, from a request to a bundle: the seven steps in order.

    1 prepare data  2 load a model  3 define the task  4 the loss  5 the optimiser  6 tune  7 evaluate and keep the best

In:  TrainRequest
Out: a bundle in a folder, and its evaluation
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bertie.bundle.checksums import RUN_FOLDER
from bertie.bundle.folder import Model
from bertie.core.errors import UsageError
from bertie.core.runtime import seed_everything
from bertie.data.batches import Rounds, of_epoch
from bertie.data.rows import Rows
from bertie.evaluation.judge import judge_stream, to_json
from bertie.predict import Predictor, load_torch
from bertie.tasks.base import Answer, Defaults, Task
from bertie.training.company import lead, together
from bertie.training.estimate import Estimate, estimate_seconds
from bertie.training.hooks import Teller, reporters
from bertie.training.loop import FitResult
from bertie.training.memory import estimate_memory
from bertie.training.model import TrainingModel
from bertie.training.regularizing import regularized
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.training.state import Evaluation
from bertie.training.tuning import Tuner, filled_optimizer, penalised, share
from bertie.tuning.base import Method
from bertie.tuning.full import Full
from bertie.workflow.claim import claim_folder, claim_run
from bertie.workflow.preparation import Notes, Prepared, prepare
from bertie.workflow.publication import Outcome, publish
from bertie.workflow.request import RunRequest, TrainRequest

COMPUTE = 9e13
"""Floating point operations of a training when no number of epochs is given, about eight minutes of two cores: what is
cheap is seen more often. Counted and not timed, so that every machine trains alike."""
MOST_EPOCHS = 8
"""When none are given; the fewest are the task's."""
FEW_ROWS, FEW_EPOCHS = 1000, 4
"""With fewer rows: a low rate and so many epochs. 200 news texts, 859 to judge by: 2e-5 for three epochs made 8 answers
right and 4 wrong beside the frozen encoder's, 5e-5 for three 12 and 12, with smoothed labels 6 and 20."""
SHALLOW = 6
"""Layers up to which an encoder bears the higher rate."""
SHALLOW_RATE, RATE, FEW_RATE = 5e-5, 6e-5, 2e-5
"""Learning rate when none is given: of a shallow encoder, of the top of a deeper one, and with few rows. 5e-5 in all of
12 layers may throw an encoder below its linear start in the first epoch; 3e-5 is too little for 6 layers and 151 labels
(docs/log.md)."""
NARROW = 384
"""Width up to which all layers of a deep encoder bear one rate as high as the task wants; a wider one gets less, in
proportion (Yang et al. 2022, table 3)."""
DEEP_DECAY = 0.85
"""From layer to layer of a deeper encoder, downwards, where there are rows enough for the higher rate."""
FEW_DEV = 100
"""With fewer dev rows the last weights are kept: of 20 rows one more that is right is luck."""
TIE_BREAK = 1e-3
"""Weight of the task's own tie-break beside the score: it decides among equals."""
STEPS, FEWEST_A_BATCH = 60, 8
"""Steps that an epoch should have, and fewest rows a batch: with few rows, small batches make enough steps."""
SAMPLE = 64
"""Rows by which the time for judging is measured."""
RESERVE = 20.0
"""Seconds kept for starting, for the report and for writing the bundle, beside those for judging the test rows."""


@dataclass(frozen=True)
class TrainResult:
    """A finished training."""

    folder: Path
    evaluation: dict[str, Any]
    predictor: Predictor


def run_training(request: TrainRequest, say: Callable[[str], None]) -> TrainResult:
    """Trains and leaves a bundle in the request's folder. Stopped by a signal, it saves and `resume` goes on."""
    run = RunFolder(request.folder / RUN_FOLDER)
    device = request.settings().training.device
    return together(lambda: _train(request, run, say), lambda: published(request.folder, device), device)


def published(folder: Path, device: str) -> TrainResult:
    """What a training on this device has left."""
    evaluation = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return TrainResult(folder, evaluation, load_torch(folder, device=device))


def _train(request: TrainRequest, run: RunFolder, say: Callable[[str], None]) -> TrainResult:
    began = time.monotonic()
    folder, recipe, notes = request.folder, request.settings(), Notes(say)
    claim_folder(request, run)
    with run:
        claim_run(request, run)
        prepared = prepare(request, recipe, run, notes)
        predictor = make_predictor(prepared, folder.name)
        model = begin(prepared, notes.say)
        expected = foresee(prepared, model, notes.say)
        training = plan(prepared, predictor, run, request, began)
        notes.say(f"training: {expected.forecast(training)}")
        before = prepared_before(run, time.monotonic() - began)  # not before: the plan may refuse to go on
        fitted = tune(prepared, model, predictor, training, run, notes.say)
        before += fitted.before
        for note in calibrate(predictor, prepared):
            notes.say(note)
        answers, floors = predictor.stream(prepared.test), prepared.floors.answers.items()
        judgement = judge_stream(prepared.task, prepared.test, answers, floors)
        evaluation = to_json(judgement, before + time.monotonic() - began)
        publish(prepared, predictor, Outcome(training, fitted.best_step, judgement, evaluation), run, folder)
        # What is handed on is what was written, and has proved itself.
        predictor = load_torch(folder, device=recipe.training.device)
    return TrainResult(folder, evaluation, predictor)


def prepared_before(run: RunFolder, seconds: float) -> float:
    """Seconds in which earlier sessions of the run prepared; writes down those of this one beside them."""
    before = float((run.read("sessions") or {}).get("preparing", 0.0))
    run.write("sessions", {"preparing": before + seconds})
    return before


def begin(prepared: Prepared, say: Callable[[str], None]) -> TrainingModel:
    """The model as its training begins with it: the head started from a floor, the tuning method applied."""
    encoder, method = prepared.start.encoder, prepared.method
    if prepared.recipe.linear_start:
        any(floor.start(prepared.task) for floor in prepared.floors.fitted)
    # Only now: a head at random is unsure of every row, and each would be answered twice.
    seed_everything(prepared.recipe.training.seed)
    method.apply(encoder)
    say(share(method, encoder, prepared.task))
    wrappers = [*regularized(prepared.recipe.training, prepared.task), penalised(method)]
    # Texts that are drawn anew in each epoch may have pieces that those of the first one have not.
    return TrainingModel(encoder, prepared.task, wrappers, whole_vocabulary=isinstance(prepared.examples, Rounds))


def foresee(prepared: Prepared, model: TrainingModel, say: Callable[[str], None]) -> Estimate:
    """How long the training will take; says what memory it will hold. It is asked before the time of the training is
    planned: with a large encoder this alone takes a minute of the budget.
    """
    training = fill(prepared.recipe.training, Extent.of(prepared), prepared.task.defaults, prepared.method)
    examples = of_epoch(prepared.examples, 0)
    model.eval()  # as it is found it is left, and the predictor, which is timed afterwards, answers without dropout
    say(estimate_memory(model, examples, training).line())
    return estimate_seconds(model, examples, training)


def tune(
    prepared: Prepared,
    model: TrainingModel,
    predictor: Predictor,
    training: Training,
    run: RunFolder,
    say: Callable[[str], None],
) -> FitResult:
    """The training itself, after `begin`; a stopped one goes on, of a finished one the result is given again."""
    encoder, method = prepared.start.encoder, prepared.method
    hooks = [Tuner(method, encoder), Teller(say), *reporters(training, run)]
    fitted = lead(model, prepared.examples, training, run, dev_score(predictor, prepared), hooks)
    method.settle(encoder)
    for warning in fitted.warnings:
        say(warning)
    say(f"trained {fitted.epochs} epochs in {fitted.seconds:.0f} s ({fitted.end}); {best_on_dev(run, fitted)}")
    return fitted


def make_predictor(prepared: Prepared, name: str) -> Predictor:
    """Answers with the parts that are being trained; the same object judges dev and test, its parts are saved."""
    start = prepared.start
    parts = Model(start.encoder, prepared.task, start.tokenizer, prepared.recipe.max_length, origin=start.source.name)
    return Predictor(replace(parts, tuning=prepared.method), name, prepared.dtype)


def dev_score(predictor: Predictor, prepared: Prepared) -> Callable[[], Evaluation]:
    """What the loop calls to judge the model as it is."""

    def evaluate() -> Evaluation:
        dev = prepared.splits.dev
        answers = dev_answers(predictor, dev)
        # A label can be right by luck, and a metric would blame the rows; the loop ends what has no score.
        return chosen_by(prepared.task, answers, dev) if finite(answers) else Evaluation(math.nan)

    return evaluate


def finite(value: Any) -> bool:
    """Whether all numbers in an answer, or in a list of them, are finite."""
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    if isinstance(value, np.ndarray):
        return bool(np.isfinite(value).all())
    return not isinstance(value, float) or math.isfinite(value)


def chosen_by(task: Task, answers: list[Answer], dev: Rows) -> Evaluation:
    """What models are compared by: the metric as it would be after calibration, and among equals the tie-break."""
    recalibrated = task.recalibrated(answers, dev)
    scores = task.evaluate(recalibrated, dev)
    chance = min(max(scores.value, 0.0), 1.0)
    error = math.sqrt(chance * (1.0 - chance) / len(dev))  # of a share of the rows; of F1 and correlation about that
    return Evaluation(scores.value + TIE_BREAK * task.tie_break(recalibrated, dev), scores.metrics, error)


def dev_answers(predictor: Predictor, dev: Rows) -> list[Answer]:
    """What the model as it is answers to rows that choose, not judge: rounded ones are good enough. Whole answers where
    the task is calibrated by them or has a tie-break, else what is scored of them."""
    task, rough = predictor.task, Predictor(predictor.model, predictor.name, predictor.dtype, exact=False)
    if task.calibrates or type(task).tie_break is not Task.tie_break:
        return rough.predict(list(dev))
    return list(map(task.kept, rough.stream(dev)))


def calibrate(predictor: Predictor, prepared: Prepared) -> list[str]:
    """Sets the trained task's probabilities right on the dev rows, where it is one that has such."""
    if not prepared.task.calibrates:
        return []
    dev = prepared.splits.dev
    return prepared.task.calibrate(dev_answers(predictor, dev), dev)


def best_on_dev(run: RunFolder, fitted: FitResult) -> str:
    """The step whose weights are kept, with its metrics."""
    judged = (entry for entry in run.entries() if "score" in entry and entry["step"] == fitted.best_step)
    metrics = {
        name: value for name, value in next(judged, {}).items() if name not in ("step", "score", "unseen_labels")
    }
    return f"kept step {fitted.best_step}, dev " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


@dataclass(frozen=True)
class Extent:
    """How much there is to train."""

    rows: int
    dev_rows: int
    layers: int
    """Of the encoder."""
    width: int
    """Of its states."""
    epoch_compute: float
    """Floating point operations of one epoch."""

    @classmethod
    def of(cls, prepared: Prepared) -> Extent:
        """Six operations a weight of the layers and token: two forward, four backward (Kaplan et al. 2020, table 1)."""
        encoder = prepared.start.encoder
        weights = sum(parameter.numel() for parameter in encoder.layers.parameters())
        tokens = sum(len(sequence) for one in of_epoch(prepared.examples, 0) for sequence in one.sequences)
        rows = prepared.rows
        layers, width = encoder.config.layers, encoder.config.hidden_size
        return cls(rows, len(prepared.splits.dev), layers, width, 6.0 * weights * tokens)


def fill(training: Training, extent: Extent, defaults: Defaults, method: Method | None = None) -> Training:
    """The settings with what was left open chosen for this extent, and as the task and the tuning method want it."""
    method = method or Full()
    rows, layers = extent.rows, extent.layers
    few = rows < FEW_ROWS
    rate = (FEW_RATE if few else SHALLOW_RATE if layers <= SHALLOW else RATE) * defaults.rate_factor
    if defaults.layer_decay == 1.0 and not few:
        rate *= min(1.0, NARROW / extent.width)
    decay = 1.0 if few or layers <= SHALLOW else defaults.layer_decay or DEEP_DECAY
    keep: Literal["last", "best"] = "last" if extent.dev_rows < FEW_DEV or method.keeps_last else "best"
    affordable = min(max(round(COMPUTE / extent.epoch_compute), defaults.fewest_epochs), MOST_EPOCHS)
    return replace(
        training,
        epochs=training.epochs or (FEW_EPOCHS if few else affordable),
        rows_per_batch=training.rows_per_batch or min(max(rows // STEPS, FEWEST_A_BATCH), defaults.most_rows),
        keep=keep if training.keep == "auto" else training.keep,
        optimizer=filled_optimizer(training.optimizer, method, rate, decay, defaults.head_rate_factor),
    )


def plan(
    prepared: Prepared,
    predictor: Predictor,
    run: RunFolder,
    request: TrainRequest,
    began: float,
    reserve: float = RESERVE,
) -> Training:
    """The settings with the time of the training, decided once and kept for a resume, which may ask for another.

    `began` is when the command did, on the monotonic clock; `reserve` are the seconds kept for what comes after, beside
    those for answering the test rows, and the dev rows once more.
    """
    training = fill(prepared.recipe.training, Extent.of(prepared), prepared.task.defaults, prepared.method)
    decided = run.read("plan")
    if decided is None:
        judging = judging_seconds(predictor, prepared.test)
        judging *= 1 + len(prepared.splits.dev) / len(prepared.test)
        budget = request.seconds_or(60 * prepared.task.defaults.minutes)
        left = max(budget - (time.monotonic() - began) - reserve - judging, 1.0)
        seconds, given = request.within(training.seconds or left, left), request.budget is not None
        decided = {"seconds": seconds, "left": left, "budget": budget, "given": given}
        run.write("plan", decided)
    else:
        allow_time(decided, run, request, training.seconds)
    return replace(training, seconds=decided["seconds"])


def judging_seconds(predictor: Predictor, rows: Rows) -> float:
    """What answering these rows will take, from a few of them: tuned weights compute as long as others do."""
    few = rows.take(range(0, len(rows), -(-len(rows) // SAMPLE)))
    began = time.monotonic()
    predictor.predict(list(few))
    return (time.monotonic() - began) * len(rows) / len(few)


def allow_time(decided: dict[str, Any], run: RunFolder, request: RunRequest, asked: float | None) -> None:
    """Puts the time that a resume asks for into the plan; like the first it counts for all sessions of the run.

    `asked` is the recipe's `training.seconds`; it is no more than what is left of a budget that was given.
    """
    budget = decided["budget"] if request.budget is None else request.seconds
    # A run that an earlier version began does not say how much was left.
    given, more = decided.get("given", False) or request.budget is not None, budget - decided["budget"]
    left = max(decided.get("left", decided["seconds"]) + more, 1.0)
    seconds = asked or max(decided["seconds"] + more, 1.0)
    seconds = min(seconds, left) if given else seconds
    if seconds == decided["seconds"]:
        return
    if run.read("result") is not None:
        raise UsageError(
            f"{run.path}: the run has ended, another time changes nothing; go on without it, or start again without "
            "--resume but with --overwrite"
        )
    decided |= {"seconds": seconds, "left": left, "budget": budget, "given": given}
    run.write("plan", decided)
