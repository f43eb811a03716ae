"""Commands about this machine and services on it: serve, doctor, models list.

In:  arguments
Out: a running server; what is here
Knows nothing of how it works. Imports it inside the commands, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
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
) -> None:
    """Answer POST /v1/predict over HTTP, on this machine only."""
    from bertie.predict import load
    from bertie.serving.run import serve as run_server

    run_server([load(folder, dtype) for folder in bundles], host=host, port=port)


def doctor(json_: options.Json = False) -> None:
    """What this machine can do: processor, dtypes by a timed self-test, memory, models at hand."""
    from bertie.workflow.doctor import diagnose, readable

    found = diagnose()
    print(json.dumps(found, ensure_ascii=False) if json_ else readable(found))


@models.callback()
def group() -> None:
    """Keeps `list` a subcommand although it is the only one."""


@models.command("list")
def list_models(json_: options.Json = False) -> None:
    """The models that can be started from, and which of them are at hand without a network."""
    from bertie.workflow.doctor import readable_models, registered_models

    found = registered_models()
    print(json.dumps(found, ensure_ascii=False) if json_ else readable_models(found))
