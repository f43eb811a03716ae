"""Options that several commands share, each explained once.

In:  nothing
Out: annotated types for the command functions; where a command says what it does
Knows nothing of the commands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bertie.core.stderr import tell
from bertie.core.version import __version__

if TYPE_CHECKING:
    from bertie.workflow.request import Reading

Data = Annotated[
    str, typer.Argument(help="A CSV, TSV, JSONL or Parquet file, a folder with train/dev/test, or hub:name.")
]
Bundle = Annotated[Path, typer.Argument(help="A bundle: the folder that `bertie train` made.")]
TextColumn = Annotated[
    str | None, typer.Option(help="Column that holds the text; two, with a comma between, for pairs.")
]
LabelColumn = Annotated[str | None, typer.Option(help="Column that holds the label.")]
Model = Annotated[str | None, typer.Option(help="Alias, folder or hub name; otherwise chosen by measuring.")]
Task = Annotated[str | None, typer.Option(help="Otherwise the columns tell.")]
Recipe = Annotated[Path | None, typer.Option(help="A TOML file of settings.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a setting, such as training.epochs=3; docs/en/settings.md lists all of them."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the run in --out was stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is in --out.")]
Method = Annotated[str | None, typer.Option(help="What of the encoder is trained: full, lora, bitfit, top_layers, ...")]
Folds = Annotated[
    int, typer.Option(help="Cross-validate: each of so many parts is judged by a model that learned from the others.")
]
Seeds = Annotated[int, typer.Option(help="Train so often, with other random numbers.")]
Combine = Annotated[
    str | None,
    typer.Option(help="What becomes of several trainings: soup, greedy_soup, average, stack, or refit on all rows."),
]
GroupColumn = Annotated[
    str | None, typer.Option(help="Column whose rows of one value are never parted: a person, a document, a product.")
]
TimeColumn = Annotated[
    str | None, typer.Option(help="Column with the time of a text, a number or a date: only the past is learned from.")
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of the files, where it is not recognised: utf-8, gb18030, ...")
]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Leave malformed rows out and count them.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
Seed = Annotated[
    int | None, typer.Option(help="Seed of the split, the order and the dropout; otherwise the recipe's training.seed.")
]
Budget = Annotated[str | None, typer.Option(help="Time that the whole command may take, such as 90s, 10m or 2h.")]
Dtype = Annotated[
    str,
    typer.Option(help="float32; bfloat16, the same labels by rounder probabilities; or auto, by a timed self-test."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, one of several as cuda:1, or mps.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"bertie {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
]


def speaker(quiet: bool) -> Callable[[str], None]:
    """Where a command says what it does: stderr, or nowhere."""
    return (lambda line: None) if quiet else tell


def settings_of(sets: list[str] | None, quiet: bool) -> tuple[str, ...]:
    """The settings of a training; where only results are wanted without a bar, unless somebody asks for one."""
    return (*(["training.progress=never"] if quiet else []), *(sets or ()))


def reading_of(
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str | None = None,
    skip_bad_rows: bool = False,
    group_column: str | None = None,
    time_column: str | None = None,
) -> Reading:
    """How files are read, from the options above."""
    from bertie.workflow.request import Reading

    return Reading(
        text_column=text_column,
        label_column=label_column,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
        group_column=group_column,
        time_column=time_column,
    )
