"""Commands about this machine and services on it: serve, doctor, models list.

In:  arguments
Out: a running server; what is here
Knows nothing of how it works. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options

models = typer.Typer(no_args_is_help=True)


def serve(
    bundles: Annotated[list[Path], typer.Argument(help="One bundle or several.", metavar="BUNDLE...")],
    host: Annotated[str, typer.Option(help="Only addresses of this machine are served.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
) -> None:
    """Answer POST /v1/predict over HTTP, on this machine only."""
    from bertie.core.extras import check_installed

    check_installed("serving", "serve", {"fastapi": "fastapi", "uvicorn": "uvicorn"})
    from bertie.predict import load
    from bertie.serving.run import serve as run_server

    run_server([load(folder, dtype, device) for folder in bundles], host=host, port=port)


def doctor(
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Check every tuning method on every task and family, in a few minutes.")
    ] = False,
    method: Annotated[list[str] | None, typer.Option(help="With --matrix: only this method; may be repeated.")] = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What this machine can do: processor, dtypes by a timed self-test, memory, models at hand."""
    if matrix:
        _matrix(method or [], json_, quiet)
        return
    from bertie.workflow.doctor import diagnose, readable

    found = diagnose()
    print(json.dumps(found, ensure_ascii=False) if json_ else readable(found))


def _matrix(methods: list[str], json_: bool, quiet: bool) -> None:
    """The page of the matrix on stdout; exit 1 where a cell is red."""
    from bertie.core.errors import BertieError
    from bertie.workflow.matrix import run_matrix
    from bertie.workflow.matrix_table import as_json, markdown

    found = run_matrix(methods, say=options.speaker(quiet), workers=len(os.sched_getaffinity(0)))
    print(json.dumps(as_json(found), ensure_ascii=False) if json_ else markdown(found))
    if found.faults:
        raise BertieError(f"{len(found.faults)} of {len(found.checked)} cells failed; the page names them")


@models.callback()
def group() -> None:
    """Keeps `list` a subcommand although it is the only one."""


@models.command("list")
def list_models(json_: options.Json = False) -> None:
    """The models that can be started from, and which of them are at hand without a network."""
    from bertie.workflow.doctor import readable_models, registered_models

    found = registered_models()
    print(json.dumps(found, ensure_ascii=False) if json_ else readable_models(found))
