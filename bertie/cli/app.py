"""The command line: the table of commands and the exit codes.

In:  arguments
Out: results on stdout, everything else on stderr
     0 done, 1 the work failed, 2 wrong usage or bad data, 130 and 143 stopped by a signal
Knows nothing of how a command does its work.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import typer

from bertie.cli import data, learning, model, pretrain, rate, search, service, vocabulary
from bertie.core.errors import BertieError
from bertie.core.processes import is_first
from bertie.core.stderr import tell

app = typer.Typer(
    name="bertie",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback()(model.extensions)
app.command()(model.demo)
app.command()(model.train)
app.command()(learning.fewshot)
app.command()(search.search)
app.command()(rate.rate)
app.command()(model.evaluate)
app.command()(model.predict)
app.command()(model.embed)
app.command()(pretrain.pretrain)
app.command()(model.export)
app.command()(vocabulary.tokenizer)
app.command()(service.serve)
app.command()(service.doctor)
app.add_typer(data.commands, name="data", help="Look at data before training on it.")
app.add_typer(service.models, name="models", help="The models that can be started from.")


def main() -> NoReturn:
    """Runs one command and ends the process with its exit code."""
    _as_utf8()
    if is_first():
        sys.exit(run(sys.argv[1:]))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        sys.exit(run(sys.argv[1:]))  # of several processes one gives the results; errors of all are heard


def _as_utf8() -> None:
    """Results are UTF-8 in files and pipes, whatever the locale says; a terminal escapes what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding="utf-8", errors=stream.errors)


def run(arguments: list[str]) -> int:
    """Runs one command; errors that we understand become one message on stderr, without a traceback."""
    try:
        app(arguments)
    except SystemExit as end:  # typer's own: the end, help, usage errors, and 130 for Ctrl-C with nothing to save
        unread = isinstance(end.__context__, BrokenPipeError)
        return _unread() if unread else _flushed(end.code if isinstance(end.code, int) else 0)
    except BertieError as error:
        tell(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:
        return _unread()
    return _flushed(0)


def _flushed(code: int) -> int:
    """The exit code, once what was printed has gone out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    return code


def _unread() -> int:
    """Whoever read our output has gone (`| head`); without this Python complains once more while it flushes stdout."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return 0
