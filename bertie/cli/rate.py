"""The command that finds a learning rate.

In:  arguments
Out: one call of the workflow, and its result printed
Knows nothing of how it is found. Imports it inside the command, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options
from bertie.cli.options import speaker


def rate(
    data: options.Data,
    lowest: Annotated[
        float | None, typer.Option(help="First rate; otherwise a 300th of what the training would take.")
    ] = None,
    highest: Annotated[float | None, typer.Option(help="Last rate; otherwise 300 times that.")] = None,
    steps: Annotated[int, typer.Option(help="Steps from the first rate to the last.")] = 100,
    plot: Annotated[
        Path | None, typer.Option(help="File of the page with the curve; otherwise runs/NAME-rate.html.")
    ] = None,
    dev: Annotated[str | None, typer.Option(help="As for train: which rows are not trained on.")] = None,
    test: Annotated[str | None, typer.Option(help="As for train: which rows are not trained on.")] = None,
    task: options.Task = None,
    model: options.Model = None,
    method: options.Method = None,
    recipe: options.Recipe = None,
    set_: options.Sets = None,
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
    """Find a learning rate by a range test of the training that these options describe; leaves no model."""
    from bertie.workflow.rate import RateRequest, run_rate
    from bertie.workflow.request import TrainRequest

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows, group_column, time_column)
    training = TrainRequest(
        data=data,
        dev=dev,
        test=test,
        task=task,
        model=model,
        method=method,
        recipe=recipe,
        overrides=tuple(set_ or ()),
        reading=reading,
        seed=seed,
    )
    request = RateRequest(training=training, lowest=lowest, highest=highest, steps=steps, plot=plot)
    result = run_rate(request, speaker(quiet or json_))
    print(json.dumps(result.to_dict(), ensure_ascii=False) if json_ else result.readable())
