"""Commands around one model: demo, train, evaluate, predict, export.

In:  arguments
Out: one call of the workflow each, and its result printed
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
from bertie.core import processes
from bertie.core.errors import UsageError

Test = Annotated[
    str | None,
    typer.Option(
        help="Rows to judge it by at the end; otherwise split off, or with --dev alone the dev rows, which chose it: "
        "too good a score."
    ),
]
SHARED = ("train", "pretrain")
"""Commands that several processes do together."""


def extensions(
    context: typer.Context,
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="FILE",
            help="A Python file of your own with tasks, floors, objectives or tuning methods, which is run.",
        ),
    ] = None,
    version: options.Version = False,
) -> None:
    """BERT from raw text to a running service, in Chinese and English."""
    if processes.count() > 1 and context.invoked_subcommand not in SHARED:
        raise UsageError(
            f"bertie {context.invoked_subcommand} is the work of one process, and there are {processes.count()}; "
            "start it without torchrun or accelerate launch"
        )
    if with_:
        from bertie.workflow.extension import extend

        for file in with_:
            extend(file)


def demo(
    lang: Annotated[str, typer.Option(help="en: news topics; zh: shopping reviews.")] = "en",
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle.")] = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The main job on real data that is already here: train, judge, save, predict."""
    from bertie.workflow.demo import run_demo

    result = run_demo(lang, out, speaker(quiet or json_), quiet=quiet or json_)
    show({**result.evaluation, "bundle": str(result.folder)}, json_)
    if not json_:
        for text, answer in result.predictions:
            print(json.dumps({"text": text, **answer}, ensure_ascii=False))
        show_place(result.folder)


def train(
    data: options.Data,
    dev: Annotated[str | None, typer.Option(help="Rows to choose the best model by; otherwise split off.")] = None,
    test: Test = None,
    task: options.Task = None,
    model: options.Model = None,
    method: options.Method = None,
    recipe: options.Recipe = None,
    set_: options.Sets = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle; otherwise runs/NAME.")] = None,
    budget: options.Budget = None,
    folds: options.Folds = 0,
    seeds: options.Seeds = 1,
    combine: options.Combine = None,
    group_column: options.GroupColumn = None,
    time_column: options.TimeColumn = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train on a table of labelled texts; leaves a verified bundle with a report."""
    from bertie.workflow.request import TrainRequest
    from bertie.workflow.several import run_trainings

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows, group_column, time_column)
    request = TrainRequest(
        data=data,
        dev=dev,
        test=test,
        task=task,
        model=model,
        method=method,
        folds=folds,
        seeds=seeds,
        combine=combine,  # type: ignore[arg-type]  # checked there
        recipe=recipe,
        overrides=options.settings_of(set_, quiet or json_),
        out=out,
        budget=budget,
        resume=resume,
        overwrite=overwrite,
        reading=reading,
        seed=seed,
    )
    result = run_trainings(request, speaker(quiet or json_))
    show({**result.evaluation, "bundle": str(result.folder)}, json_)
    if not json_:
        show_place(result.folder)


def evaluate(
    model: options.Bundle,
    data: options.Data,
    metric: Annotated[str | None, typer.Option(help="Another primary metric, such as macro_f1.")] = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Judge a bundle on labelled rows: metrics with intervals, the floors beside them."""
    from bertie.workflow.evaluate import run_evaluation
    from bertie.workflow.request import Loading

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows)
    loading = Loading(model, dtype, device)
    show(run_evaluation(loading, data, reading, metric=metric, say=speaker(quiet or json_)), json_)


def predict(
    model: options.Bundle,
    file: Annotated[
        str | None, typer.Argument(help="Rows to answer; - or nothing: stdin, a text or JSON a line.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text to answer; may be repeated.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="File instead of stdout, by its ending: .jsonl, .csv, .tsv or .parquet.")
    ] = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Answer texts: one JSON line per input row, in order."""
    from bertie.workflow.predict import run_prediction
    from bertie.workflow.request import Loading

    reading = options.reading_of(text_column, encoding=encoding, skip_bad_rows=skip_bad_rows)
    run_prediction(Loading(model, dtype, device), _source(text, file), output, reading, speaker(quiet))


def embed(
    model: Annotated[
        str, typer.Argument(help="A bundle of the embedding task, or an encoder: alias, folder, hub name.")
    ],
    file: Annotated[str | None, typer.Argument(help="Texts; - or nothing: stdin, a text or JSON a line.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be repeated.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="File instead of stdout, by its ending: .jsonl, .npy or .parquet.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Only so many numbers of each vector, at length one again.")] = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Vectors of texts: one JSON line per input row, in order."""
    from bertie.workflow.embed import run_embedding
    from bertie.workflow.request import Loading

    reading = options.reading_of(text_column, encoding=encoding, skip_bad_rows=skip_bad_rows)
    run_embedding(Loading(model, dtype, device), _source(text, file), output, reading, speaker(quiet), size)


def export(
    model: options.Bundle,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    format_: Annotated[
        str,
        typer.Option("--format", help="huggingface, of a classifier; or adapter: what a tuning method changed, small."),
    ] = "huggingface",
) -> None:
    """Write a bundle in another format, checked by its golden examples."""
    from bertie.workflow.export import run_export

    print(run_export(model, format_, out))


def _source(texts: list[str] | None, file: str | None) -> list[str] | str:
    """What is to be answered; UsageError where there are two things."""
    if texts and file:
        raise UsageError(f"found the file {file} and --text; give one of them")
    return texts or file or "-"
