"""Commands about data: check, convert, augment, list.

In:  arguments
Out: what the health check found; a file in another format, or with more rows; what can be read
Knows nothing of how it is found. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options
from bertie.cli.options import speaker

commands = typer.Typer(no_args_is_help=True)


@commands.command()
def check(
    data: options.Data,
    dev: Annotated[str | None, typer.Option(help="Rows that a model will be chosen by; otherwise split off.")] = None,
    test: Annotated[str | None, typer.Option(help="Rows that it will be judged by; otherwise split off.")] = None,
    task: options.Task = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    json_: options.Json = False,
) -> None:
    """Balance, duplicates, leaks from training into test, lengths, languages, encodings, suspicious labels."""
    from bertie.workflow.check import run_check

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows)
    health = run_check(data, reading, task, dev, test)
    print(json.dumps(health.to_dict(), ensure_ascii=False) if json_ else health.readable())


@commands.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file in any format that can be read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Format of IN, where its ending does not tell; see `bertie data list`.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Format of OUT, where its ending does not tell.")] = None,
    task: options.Task = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    quiet: options.Quiet = False,
) -> None:
    """Labelled rows in another format: CoNLL, BIOES, spans, doccano, Label Studio, CSV, TSV, JSON lines, Parquet."""
    from bertie.workflow.convert import run_conversion

    reading = options.reading_of(text_column, label_column, encoding, skip_bad_rows)
    run_conversion(source, target, reading, (from_, to), speaker(quiet), task)


@commands.command()
def augment(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file of training rows.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: the rows, then their copies.")],
    way: Annotated[
        list[str] | None,
        typer.Option(help="How a text is changed: synonym, swap, deletion, insertion, ...; may be repeated."),
    ] = None,
    times: Annotated[int, typer.Option(help="Copies of each row.")] = 1,
    strength: Annotated[float, typer.Option(help="Part of the words that are changed, at least one.")] = 0.1,
    synonyms: Annotated[str, typer.Option(help="A file of your own synonyms, a group a line.")] = "",
    model: Annotated[str, typer.Option(help="What masked_lm asks: a pre-trained bundle, or a checkpoint.")] = "",
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 13,
    task: options.Task = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    quiet: options.Quiet = False,
) -> None:
    """Copies of labelled rows with changed texts, to be looked at or trained on; `bertie train` makes its own."""
    from bertie.core.config import from_dict
    from bertie.data.augmentation import Augmentation
    from bertie.workflow.augmentation import run_augmentation
    from bertie.workflow.preparation import kind_for, read_options

    reading = read_options(options.reading_of(text_column, label_column, encoding, skip_bad_rows), kind_for(task))
    asked = {
        "ways": way or [],
        "times": times,
        "strength": strength,
        "synonyms": synonyms,
        "model": model,
        "seed": seed,
    }
    settings = from_dict(Augmentation, asked, "bertie data augment")
    run_augmentation(source, target, settings, reading, speaker(quiet))


@commands.command("list")
def list_data(json_: options.Json = False) -> None:
    """The formats that can be read and written, and the kinds of rows with their columns."""
    from bertie.workflow.convert import known_data, readable_data

    found = known_data()
    print(json.dumps(found, ensure_ascii=False) if json_ else readable_data(found))
