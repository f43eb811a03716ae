"""Learning from few examples, from a request to a bundle: draw, learn in one of three ways, judge, publish.

In:  FewShotRequest
Out: a bundle in a folder, and its evaluation, as from a training
Knows nothing of the command line, or of how any of the three ways learns.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bertie.bundle.checksums import RUN_FOLDER
from bertie.core.runtime import seed_everything
from bertie.evaluation.judge import judge_stream, to_json
from bertie.learning.contrastive import learn_by_contrast
from bertie.learning.few import Few, prepare_few
from bertie.learning.pattern import learn_by_pattern
from bertie.learning.request import By, FewShotRequest
from bertie.learning.zero_shot import learn_by_descriptions
from bertie.predict import load_torch
from bertie.training.run import RunFolder
from bertie.workflow.claim import claim_folder, claim_run
from bertie.workflow.preparation import Notes
from bertie.workflow.publication import Outcome, publish
from bertie.workflow.train import TrainResult, make_predictor

LEARN: dict[By, Callable[[Few, RunFolder, Notes], Few]] = {
    "contrastive": learn_by_contrast,
    "pattern": learn_by_pattern,
    "descriptions": learn_by_descriptions,
}
"""Each trains what was prepared in place; what it gives back may hold another task, or other settings."""


def run_few_shot(request: FewShotRequest, say: Callable[[str], None]) -> TrainResult:
    """Learns and leaves a bundle in the request's folder. Stopped by a signal, it saves and `resume` goes on."""
    began, recipe = time.monotonic(), request.settings()
    folder, run, notes = request.folder, RunFolder(request.folder / RUN_FOLDER), Notes(say)
    claim_folder(request, run)
    with run:
        claim_run(request, run)
        few = prepare_few(request, recipe, run, notes)
        seed_everything(recipe.training.seed)
        few = LEARN[recipe.by](few, run, notes)
        prepared = few.prepared
        predictor = make_predictor(prepared, folder.name)
        answers, floors = predictor.stream(prepared.test), prepared.floors.answers.items()
        judgement = judge_stream(prepared.task, prepared.test, answers, floors)
        evaluation = to_json(judgement, time.monotonic() - began)
        training = prepared.recipe.training
        publish(prepared, predictor, Outcome(training, few.steps, judgement, evaluation), run, folder)
        # What is handed on is what was written, and has proved itself.
        predictor = load_torch(folder, device=recipe.training.device)
    return TrainResult(folder, evaluation, predictor)
