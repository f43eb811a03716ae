"""Commands about data: check.

In:  arguments
Out: what the health check found
Knows nothing of how it is found. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json

import typer

from bertie.cli import options

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def group() -> None:
    """Keeps `check` a subcommand although it is the only one."""


@commands.command()
def check(
    data: options.Data,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    skip_bad_rows: options.SkipBadRows = False,
    json_: options.Json = False,
) -> None:
    """Balance, duplicates, leaks from training into test, lengths, languages, encodings, suspicious labels."""
    from bertie.workflow.check import run_check
    from bertie.workflow.request import Reading

    reading = Reading(
        text_column=text_column, label_column=label_column, encoding=encoding, skip_bad_rows=skip_bad_rows
    )
    health = run_check(data, reading)
    print(json.dumps(health.to_dict(), ensure_ascii=False) if json_ else health.readable())
