"""Pre-training, from a request to a bundle: raw text to an encoder.

    1 vocabulary  2 corpus, tokenised once  3 encoder  4 objectives  5 rounds of passages  6 train  7 judge, publish

An encoder that goes on is measured before and after, on the corpus, on general text and by probes.

In:  PretrainRequest
Out: a bundle in a folder, and its evaluation
Knows nothing of the command line.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bertie.bundle.checksums import RUN_FOLDER
from bertie.bundle.folder import Model
from bertie.core.config import from_dict
from bertie.core.errors import UsageError
from bertie.core.runtime import seed_everything
from bertie.data.passages import Curriculum, Pace, most_rounds
from bertie.data.replay import Replay
from bertie.evaluation.forgetting import Forgetting
from bertie.evaluation.judge import to_json
from bertie.objectives.pretraining import OBJECTIVES, PretrainingSettings, needs_teacher, read_objectives
from bertie.predict import Predictor, load_torch
from bertie.training.company import lead, together
from bertie.training.decisions import same_run
from bertie.training.estimate import estimate_seconds
from bertie.training.hooks import Teller, reporters
from bertie.training.memory import estimate_memory
from bertie.training.model import TrainingModel
from bertie.training.regularizing import announce, regularized
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow.claim import claim_folder, claim_run
from bertie.workflow.forgetting import begin
from bertie.workflow.preparation import Notes
from bertie.workflow.pretrain_checks import check_text
from bertie.workflow.pretrain_judging import evaluation, judged
from bertie.workflow.pretrain_publication import Outcome, publish
from bertie.workflow.pretrain_request import PretrainRecipe, PretrainRequest, shape
from bertie.workflow.pretrain_start import TOKENIZER, Ready, find, prepare
from bertie.workflow.probe import Probe, text_probe
from bertie.workflow.task_probe import TaskProbe, read_task
from bertie.workflow.train import TrainResult, allow_time, prepared_before, published
from bertie.workflow.word_probe import word_probe

ROUND_TOKENS = 1_000_000
"""Tokens of a round at most; a model is judged after each."""
FEWEST_ROUNDS = 10
"""Rounds of a training that takes its whole time, so that its curve can be seen."""
FEWEST_DIVIDED = 2.0
"""Rounds that must fit into the time for the first of them to have short passages."""
SPARE = 1.1
"""Rounds are planned for so much more than the time, as the first steps that tell how long one takes are slow."""
RATES = {128: 2e-3, 256: 1e-3, 512: 7e-4, 768: 4e-4}
"""Highest learning rate from random weights, by width."""
CONTINUED_RATE = 1e-4
"""Highest learning rate of an encoder that has learned already."""
NEW_VOCABULARY_RATE = 5e-4
"""The same with a new vocabulary."""
RESERVE = 15.0
"""Seconds kept for judging at the end and for writing the bundle."""


def run_pretraining(request: PretrainRequest, say: Callable[[str], None]) -> TrainResult:
    """Pre-trains and leaves a bundle in the request's folder. Stopped by a signal, it saves and `resume` goes on."""
    run = RunFolder(request.folder / RUN_FOLDER)
    device = request.settings().training.device
    return together(lambda: _pretrain(request, run, say), lambda: published(request.folder, device), device)


def _pretrain(request: PretrainRequest, run: RunFolder, say: Callable[[str], None]) -> TrainResult:
    began = time.monotonic()
    folder, recipe, notes = request.folder, request.settings(), Notes(say)
    claim_folder(request, run)
    with run:
        claim_run(request, run)
        seed_everything(recipe.training.seed)
        check(request, recipe)
        asked = read_task(request.task, recipe.training.seed, notes.say) if request.task else None
        if not request.resume:
            find(request)
            run.clear()  # not before: what is refused above costs no earlier run
            shutil.rmtree(run.path / TOKENIZER, ignore_errors=True)
        ready = prepare(request, recipe, run, notes)
        check_text(ready, request.corpus[0])
        for note in announce(recipe.training, ready.task):
            notes.say(note)
        same_terms(ready, request, asked, run)
        look = word_probe if request.model is None else text_probe
        probe = look(ready.tokenizer, ready.chinese, notes.say, ready.encoder.config.max_length)
        meter = begin(ready, request, (probe, asked), run, notes.say)
        model = TrainingModel(
            ready.encoder, ready.task, regularized(recipe.training, ready.task), whole_vocabulary=True
        )
        reserve = RESERVE + (meter.before()["seconds"] if meter else 0.0)
        left = request.seconds - reserve - (time.monotonic() - began)
        training, rounds = plan(ready, model, request, run, left, notes.say)
        before = prepared_before(run, time.monotonic() - began)
        ready = replace(ready, recipe=replace(recipe, training=as_asked(training, recipe.training)))
        notes.say(forecast(ready, training, rounds.pace))
        notes.say(estimate_memory(model, rounds.at(0), training).line())
        evaluate = evaluation(ready, model, probe)
        fitted = lead(model, rounds, training, run, evaluate, [Teller(notes.say), *reporters(training, run)])
        for warning in fitted.warnings:
            notes.say(warning)
        notes.say(f"trained {fitted.rows:,} passages in {fitted.steps} steps and {fitted.seconds:.0f} s ({fitted.end})")
        parts = Model(ready.encoder, ready.task, ready.tokenizer, ready.how.length, origin=ready.origin)
        predictor = Predictor(parts, folder.name)
        rows, judgement = judged(predictor, ready)
        result = to_json(judgement, before + fitted.before + time.monotonic() - began)
        forgetting = meter.compared() if meter else None
        result |= seen(probe, forgetting, ready, request, notes.say)
        outcome = Outcome(judgement, result, fitted.best_step, notes.lines, rows, forgetting)
        publish(predictor, ready.corpus, ready.recipe, outcome, run, folder)
        predictor = load_torch(folder, device=ready.recipe.training.device)
    return TrainResult(folder, result, predictor)


def seen(
    probe: Probe | None,
    forgetting: Forgetting | None,
    ready: Ready,
    request: PretrainRequest,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """What is told beside the judgement: of an encoder that went on what it gained and lost, of one that started from
    nothing what its states are good for."""
    if forgetting:
        return {"forgetting": forgetting.as_json()}
    if probe is None or request.model is not None:
        return {}
    beside = probe.beside_random(ready.encoder, ready.recipe.training.seed)
    say(beside.line())
    return {"probe": beside.as_json()}


def check(request: PretrainRequest, recipe: PretrainRecipe) -> None:
    """UsageError or ConfigError for what is wrong whatever the corpus holds: reading that may take hours."""
    if not any(OBJECTIVES.get(name).answers for name in read_objectives(request.objective)):
        # It is judged by its guesses in the end.
        raise UsageError(f"--objective {request.objective}: guesses no pieces; add masked_lm or causal_lm")
    from_dict(PretrainingSettings, recipe.task, "task")
    taught = needs_teacher(read_objectives(request.objective))
    if taught and request.teacher is None:
        raise UsageError(
            f"--objective {request.objective}: {taught[0]} learns from another encoder; name it, --teacher M"
        )
    if recipe.training.metric:
        raise UsageError(f"training.metric is {recipe.training.metric!r}: a pre-training is judged by its losses")
    if request.teacher is not None and not taught:
        raise UsageError(f"--teacher {request.teacher}: nothing learns from it; add distillation to --objective")
    if recipe.layers and request.model is None:
        raise UsageError(f"layers={recipe.layers} says how many of a --model are kept; random weights take a --preset")
    if request.model is None and recipe.replay:
        raise UsageError(f"replay is {recipe.replay}: an encoder that starts from nothing has nothing to keep; take 0")
    if request.model is None:
        shape(request.preset, recipe.vocabulary, 0, recipe.dropout)


def same_terms(ready: Ready, request: PretrainRequest, asked: TaskProbe | None, run: RunFolder) -> None:
    """UsageError where a resumed run would be another one; the text and the settings have checks of their own."""
    task = ready.task.description()
    start = request.model or request.preset
    now: dict[str, Any] = {"start": start, "new_vocabulary": request.new_vocabulary, "teacher": request.teacher}
    kept = ("layers", "dropout", "vocabulary", "word_vectors", "attention")
    now |= {name: getattr(ready.recipe, name) for name in kept}
    now |= {"objectives": task["objectives"], "task": task["settings"]}
    now |= {"max_length": ready.recipe.max_length, "short": [ready.recipe.short_length, ready.recipe.short_share]}
    now |= {"general text": ready.general and ready.general.fingerprint, "replay": ready.recipe.replay}
    now |= {"labelled rows": asked and asked.fingerprint}
    before = run.read("choice")
    if before is None:
        run.write("choice", now)
    else:
        same_run(run, before, now)


def plan(
    ready: Ready,
    model: TrainingModel,
    request: PretrainRequest,
    run: RunFolder,
    left: float,
    say: Callable[[str], None],
) -> tuple[Training, Curriculum | Replay]:
    """The settings with rate, time and rounds, decided once and kept for a resume; and the rounds themselves.

    `left` are the seconds that there are to train. A resume may ask for another time, but the rounds stay.
    """
    training, config = ready.recipe.training, ready.encoder.config
    rate = training.optimizer.rate or usual_rate(request, config.hidden_size)
    training = replace(training, optimizer=replace(training.optimizer, rate=rate))
    decided = run.read("plan")
    if decided is None:
        left = max(left, 1.0)
        seconds, given = request.within(training.seconds or left, left), request.budget is not None
        decided = {"seconds": seconds, "left": left, "budget": request.seconds, "given": given}
        decided |= rounds_for(ready, model, training, seconds)
        run.write("plan", decided)
    elif "budget" in decided:  # what an earlier version planned does not say how much of its time was left
        before = decided["seconds"]
        allow_time(decided, run, request, training.seconds)
        if decided["seconds"] > before and not training.epochs:
            say(
                f"more time: {decided['seconds']:.0f} s instead of {before:.0f} s, for the {decided['rounds']} rounds "
                "that were planned, after which the run ends; for more of them start again with --overwrite"
            )
    training = replace(training, epochs=decided["rounds"], seconds=decided["seconds"])
    share = decided.get("short_share", ready.recipe.short_share)
    pace = Pace(rounds=training.epochs, a_pass=decided["a_pass"], short=(ready.recipe.short_length, share))
    return training, curriculum(ready, pace)


def forecast(ready: Ready, training: Training, pace: Pace) -> str:
    """What a person is told of the rounds before the start."""
    short = sum(pace.is_short(epoch) for epoch in range(pace.rounds)) if pace.short[0] < ready.how.length else 0
    return (
        f"training: {pace.rounds} rounds of about {ready.corpus.train.tokens // pace.a_pass:,} tokens, "
        + (f"the first {short} in passages of at most {pace.short[0]} tokens, " if short else "")
        + f"{training.seconds or 0:.0f} s at most"
        + (f"; replay {ready.recipe.replay:.0%}" if ready.recipe.replay else "")
    )


def as_asked(training: Training, asked: Training) -> Training:
    """Without the time and the rounds that a budget has decided: what is published serves other trainings."""
    return replace(training, seconds=asked.seconds, epochs=asked.epochs)


def rounds_for(ready: Ready, model: TrainingModel, training: Training, seconds: float) -> dict[str, float]:
    """How many rounds there are, how many of them are one pass over the corpus, and which part of them is short."""
    most, short = most_rounds(ready.corpus.train, ready.how), (ready.recipe.short_length, ready.recipe.short_share)
    a_pass = min(max(1, math.ceil(ready.corpus.train.tokens / ROUND_TOKENS)), most)
    if training.epochs:
        return {"rounds": training.epochs, "a_pass": a_pass, "short_share": short[1]}
    first = curriculum(ready, Pace(rounds=FEWEST_ROUNDS, a_pass=a_pass, short=short)).at(0)
    fitting = seconds / max(estimate_seconds(model, first, replace(training, epochs=1)).per_epoch, 1e-3)
    if fitting < FEWEST_ROUNDS:
        finer = min(math.ceil(a_pass * FEWEST_ROUNDS / max(fitting, 0.05)), most)
        fitting, a_pass = fitting * finer / a_pass, finer
    share = short[1] if fitting >= FEWEST_DIVIDED else 0.0
    return {"rounds": math.ceil(SPARE * fitting), "a_pass": a_pass, "short_share": share}


def curriculum(ready: Ready, pace: Pace) -> Curriculum | Replay:
    """The rounds of this training, perhaps with general text among them."""
    recipe = ready.recipe
    own = Curriculum(ready.corpus.train, ready.how, recipe.training.seed, pace, ready.corpus.fingerprint)
    if not recipe.replay or ready.general is None:
        return own
    return Replay(own, ready.general.train, recipe.replay, ready.general.fingerprint)


def usual_rate(request: PretrainRequest, width: int) -> float:
    """From random weights that of the nearest width in the table."""
    if request.renews_vocabulary:
        return NEW_VOCABULARY_RATE
    return CONTINUED_RATE if request.model else RATES[min(RATES, key=lambda known: abs(known - width))]
