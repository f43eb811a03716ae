"""Commands that learn from little: fewshot.

In:  arguments
Out: one call of `learning` each, and its result printed
Knows nothing of how the work is done. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options
from bertie.cli.options import speaker
from bertie.cli.results import show, show_place


def fewshot(
    data: options.Data,
    examples: Annotated[
        int | None, typer.Option(help="Rows of each class, drawn by the seed, 8 if nothing is said; 0: all rows.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="contrastive: pairs, then a linear head; pattern: label words; descriptions: no examples."),
    ] = None,
    descriptions: Annotated[
        Path | None, typer.Option(help="A file with text,label: what each label means; otherwise its name.")
    ] = None,
    test: Annotated[str | None, typer.Option(help="Rows to judge it by; otherwise those that are not drawn.")] = None,
    model: Annotated[str | None, typer.Option(help="Alias, folder or hub name; otherwise the deepest at hand.")] = None,
    method: Annotated[
        str | None, typer.Option(help="What of the encoder is tuned: full, lora, bitfit, top_layers, ...")
    ] = None,
    recipe: options.Recipe = None,
    set_: options.Sets = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle; otherwise runs/fewshot-NAME.")] = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the rows that are drawn, and of all else.")] = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Learn from a few rows of each class, or from what the labels mean; leaves a verified bundle."""
    from bertie.learning.few_shot import run_few_shot
    from bertie.learning.request import FewShotRequest

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows)
    request = FewShotRequest(
        data=data,
        examples=examples,
        by=by,
        descriptions=descriptions,
        test=test,
        model=model,
        method=method,
        recipe=recipe,
        overrides=options.settings_of(set_, quiet or json_),
        out=out,
        resume=resume,
        overwrite=overwrite,
        reading=reading,
        seed=seed,
    )
    result = run_few_shot(request, speaker(quiet or json_))
    show({**result.evaluation, "bundle": str(result.folder)}, json_)
    if not json_:
        show_place(result.folder)
