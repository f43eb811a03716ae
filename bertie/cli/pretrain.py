"""Commands that learn from text alone: pretrain.

In:  arguments
Out: one call of the workflow each, and its result printed
Knows nothing of how the work is done. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options
from bertie.cli.options import speaker
from bertie.cli.results import show, show_place

Corpus = Annotated[
    list[str], typer.Argument(help="Text files, JSON lines or Parquet files, folders of them, or hub:name.")
]


def pretrain(
    corpus: Corpus,
    objective: Annotated[
        str, typer.Option(help="Names with weights, such as masked_lm:1,next_sentence:0.5.")
    ] = "masked_lm",
    model: Annotated[str | None, typer.Option(help="An encoder to go on with; otherwise random weights.")] = None,
    general: Annotated[
        list[str] | None, typer.Option(help="General text, to see what --model forgets; otherwise of the packages.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Rows with one label, to probe --model on before and after.")] = None,
    preset: Annotated[str, typer.Option(help="Size of random weights: tiny, mini, small, base.")] = "mini",
    tokenizer: Annotated[Path | None, typer.Option(help="Folder of a tokenizer; otherwise one is trained.")] = None,
    new_vocabulary: Annotated[
        int | None, typer.Option(help="Pieces of a vocabulary that is trained here in place of the model's.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="An encoder whose states distillation learns.")] = None,
    words: Annotated[Path | None, typer.Option(help="A file with a word a line, to be hidden as a whole.")] = None,
    recipe: options.Recipe = None,
    set_: options.Sets = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle; otherwise runs/pretrain-NAME.")] = None,
    budget: options.Budget = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the weights, the masks and the order.")] = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Pre-train an encoder on raw text; leaves a verified bundle that fills in, and that `train --model` takes."""
    from bertie.workflow.pretrain import run_pretraining
    from bertie.workflow.pretrain_request import PretrainRequest

    request = PretrainRequest(
        corpus=tuple(corpus),
        objective=objective,
        model=model,
        general=tuple(general or ()),
        task=task,
        preset=preset,
        tokenizer=tokenizer,
        new_vocabulary=new_vocabulary,
        teacher=teacher,
        words=words,
        recipe=recipe,
        overrides=options.settings_of(set_, quiet or json_),
        out=out,
        budget=budget,
        resume=resume,
        overwrite=overwrite,
        text_column=text_column,
        encoding=encoding,
        seed=seed,
    )
    result = run_pretraining(request, speaker(quiet or json_))
    show({**result.evaluation, "bundle": str(result.folder)}, json_)
    if not json_:
        if "forgetting" in result.evaluation:
            print(result.evaluation["forgetting"]["verdict"])
        show_place(result.folder)
