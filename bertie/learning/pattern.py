"""Learning from few examples by a pattern: the masked-LM head of an encoder is tuned to say the right label word.

In:  Few; an encoder that came with the head
Out: a model that answers by filling the gap
Knows nothing of how the gap is filled: that is `objectives/pattern.py`.
"""

from __future__ import annotations

from dataclasses import replace

from bertie.core.errors import DataError, UsageError
from bertie.data.catalogue import resolve
from bertie.learning.few import Few
from bertie.learning.settings import fill
from bertie.nn import checkpoint
from bertie.objectives.pattern import Gap, PatternTask
from bertie.text.language import detect
from bertie.training.hooks import reporters
from bertie.training.loop import fit
from bertie.training.model import TrainingModel
from bertie.training.run import RunFolder
from bertie.training.state import Evaluation
from bertie.training.tuning import Tuner, penalised, share
from bertie.workflow.preparation import Floors, Notes
from bertie.workflow.train import dev_answers, make_predictor

PATTERNS = {"zh": "{text}总之很{mask}。", "en": "{text} It was {mask}."}
EPOCHS, ROWS_A_BATCH, RATE = 10, 8, 5e-5


def learn_by_pattern(few: Few, run: RunFolder, notes: Notes) -> Few:
    """Tunes the encoder and the head together, in place."""
    prepared, encoder = few.prepared, few.prepared.start.encoder
    task = make_task(few)
    task.to(next(encoder.parameters()).device)
    notes.say(f"pattern: {task.gap.text}, words: {', '.join(f'{w} for {c}' for c, w in task.gap.words.items())}")
    examples = task.encode(list(prepared.splits.train), prepared.start.tokenizer, prepared.recipe.max_length)
    # Floors that read the encoder see texts without the pattern, which the bundle could not give them again.
    kept = [floor for floor in prepared.floors.fitted if not floor.reads_encoder]
    prepared = replace(prepared, task=task, examples=examples, floors=Floors(kept, prepared.floors.answers))
    training = fill(prepared, epochs=EPOCHS, rows=ROWS_A_BATCH, rate=RATE)
    prepared.method.apply(encoder)
    notes.say(share(prepared.method, encoder, task))
    predictor, dev = make_predictor(prepared, "pattern"), prepared.splits.dev

    def known() -> Evaluation:
        """How many of the rows that it learns from it knows; nothing is chosen by it."""
        scores = task.evaluate(dev_answers(predictor, dev), dev)
        return Evaluation(scores.value, scores.metrics)

    # The head reads the table of word vectors itself.
    model = TrainingModel(encoder, task, [penalised(prepared.method)], whole_vocabulary=True)
    hooks = [Tuner(prepared.method, encoder), *reporters(training, run)]
    fitted = fit(model, examples, training, run, known, hooks)
    prepared.method.settle(encoder)
    for warning in fitted.warnings:
        notes.say(warning)
    notes.say(f"tuned {fitted.epochs} epochs, {fitted.steps} steps in {fitted.seconds:.0f} s")
    return replace(
        few, steps=fitted.steps, prepared=replace(prepared, recipe=replace(prepared.recipe, training=training))
    )


def make_task(few: Few) -> PatternTask:
    """The task with the head of the checkpoint; says what is wrong with pattern, words or checkpoint."""
    start, options = few.prepared.start, few.recipe.pattern
    rows = few.prepared.splits.train
    if few.task.pair:
        raise DataError(f"{rows.where(0)}: found pairs of texts, expected one text a row; learn by --by contrastive")
    strange = sorted(set(options.words) - set(few.task.labels))
    if strange:
        raise UsageError(
            f"pattern.words has the label {strange[0]!r}, which no row has; expected some of "
            f"{', '.join(few.task.labels)}; correct the name"
        )
    language = "zh" if detect(rows.column("text")).language == "zh" else "en"
    words = {label: options.words.get(label, label) for label in few.task.labels}
    heads = checkpoint.load(resolve(few.model).folder).heads
    gap = Gap.of(PATTERNS[language] if options.text == "auto" else options.text, words, start.tokenizer)
    task = PatternTask(gap, start.encoder.config)
    task.metric = few.task.metric
    task.build_head(start.encoder.config.hidden_size)
    task.take_head(heads, few.model)
    return task
