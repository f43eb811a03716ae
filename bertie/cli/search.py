"""Commands that try many trainings: search.

In:  arguments
Out: one call of the search, and its result printed
Knows nothing of how the work is done. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options
from bertie.cli.options import speaker
from bertie.cli.results import show, show_place

Memory = Annotated[str | None, typer.Option(help="Most memory that the process may take in a trial, such as 4G.")]
Latency = Annotated[str | None, typer.Option(help="Longest time in which the model may answer one row, such as 20ms.")]
Time = Annotated[str | None, typer.Option(help="Time of the whole search, such as 10m or 2h; otherwise 30m.")]
Trials = Annotated[int | None, typer.Option(help="Most trials; otherwise as many as fit.")]
Dev = Annotated[str | None, typer.Option(help="Rows to choose by; otherwise split off.")]
Test = Annotated[
    str | None,
    typer.Option(
        help="Rows that judge the chosen one, once; otherwise split off, or with --dev alone the dev rows, which chose "
        "it: too good a score."
    ),
]
Model = Annotated[str | None, typer.Option(help="The only model; otherwise all at hand for the language.")]
Recipe = Annotated[Path | None, typer.Option(help="A TOML file of settings, the recipe to start from.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the bundle; otherwise runs/search-NAME.")]
Storage = Annotated[
    str | None, typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/DATABASE; otherwise a file in --out.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the search in --out that was stopped.")]


def search(
    data: options.Data,
    budget: Time = None,
    max_memory: Memory = None,
    max_latency: Latency = None,
    trials: Trials = None,
    dev: Dev = None,
    test: Test = None,
    task: options.Task = None,
    model: Model = None,
    recipe: Recipe = None,
    set_: options.Sets = None,
    out: Out = None,
    storage: Storage = None,
    resume: Resume = False,
    overwrite: options.Overwrite = False,
    group_column: options.GroupColumn = None,
    time_column: options.TimeColumn = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Try floors, methods, models and recipes within a budget; leaves the best as a bundle, and says why it is."""
    from bertie.trials.api import run
    from bertie.trials.request import SearchRequest

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows, group_column, time_column)
    request = SearchRequest(
        data=data,
        dev=dev,
        test=test,
        task=task,
        model=model,
        recipe=recipe,
        overrides=tuple(set_ or ()),
        out=out,
        budget=budget,
        max_memory=max_memory,
        max_latency=max_latency,
        trials=trials,
        storage=storage,
        resume=resume,
        overwrite=overwrite,
        reading=reading,
        seed=seed,
    )
    result = run(request, speaker(quiet or json_), quiet=quiet or json_)
    if json_:
        print(json.dumps(result.evaluation, ensure_ascii=False))
    elif result.predictor is not None:
        show(result.evaluation, as_json=False)
        print("\n".join(result.lines))
        show_place(result.folder)
