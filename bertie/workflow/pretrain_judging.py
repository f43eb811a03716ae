"""How a pre-training is judged: losses on held-out passages while it runs, and beside single pieces at its end.

In:  Ready, the model as it is
Out: Evaluation for the loop; the judgement of a finished model
Knows nothing of the loop or of rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from bertie.core.runtime import autocast, choose_dtype
from bertie.data.batches import pack
from bertie.data.passages import Passages
from bertie.data.rows import Rows
from bertie.evaluation.judge import Judgement, judge
from bertie.predict import ROWS_PER_BATCH, TOKENS_PER_BATCH, Predictor
from bertie.tasks.base import Answer
from bertie.training.model import TrainingModel
from bertie.training.state import Evaluation
from bertie.workflow.pretrain_start import Ready
from bertie.workflow.probe import Probe


def evaluation(
    ready: Ready, model: TrainingModel, probe: Probe | None, passages: Passages | None = None
) -> Callable[[], Evaluation]:
    """What the loop calls to judge the model as it is: losses on passages, held-out ones of the corpus where no others
    are given, and the probe."""
    passages = ready.held_out() if passages is None else passages
    device = next(ready.encoder.parameters()).device
    dtype, _ = choose_dtype(device, ready.recipe.training.dtype)
    batches = pack(range(len(passages)), passages.costs, ROWS_PER_BATCH, TOKENS_PER_BATCH)

    def evaluate() -> Evaluation:
        nats: dict[str, list[torch.Tensor]] = {}
        right: dict[str, list[torch.Tensor]] = {}
        for indices in batches:
            batch = model.collate([passages[i] for i in indices]).to(device)
            with autocast(device, dtype):
                found = ready.task.outcomes(ready.task(ready.encoder, batch))
            for name, outcome in found.items():
                nats.setdefault(name, []).append(outcome.nats)
                right.setdefault(name, []).append(outcome.right)
        asked = [name for name, parts in nats.items() if any(map(len, parts))]  # perhaps no passage has two parts
        losses = {name: float(torch.cat(nats[name]).mean()) for name in asked}
        metrics = {f"{name}_loss": loss for name, loss in losses.items()}
        metrics |= {f"{name}_accuracy": float(torch.cat(right[name]).float().mean()) for name in asked}
        if ready.task.foretelling in losses:
            metrics["perplexity"] = math.exp(min(losses[ready.task.foretelling], 700.0))
        if probe is not None:
            metrics["probe_accuracy"] = probe.score(ready.encoder, dtype)
        return Evaluation(-sum(ready.task.weights[name] * loss for name, loss in losses.items()), metrics)

    return evaluate


def judged(predictor: Predictor, ready: Ready) -> tuple[Rows, Judgement]:
    """The model on the held-out passages; beside it the shares of single pieces in the training text."""
    passages = ready.held_out()
    answers = predictor.answers(passages)
    rows = ready.task.rows_of(passages, ready.tokenizer)
    floor = [unigram_answer(answer) for answer in answers]
    return rows, judge(ready.task, rows, answers, [("unigrams", floor)])


def unigram_answer(answer: Answer) -> Answer:
    """What somebody says who knows only how often each piece is written."""
    loss = answer["unigram"]
    return {
        **answer,
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "right": answer["unigram_right"],
    }
