"""A search, for the command line and for Python: looks whether Optuna is there before anything is done.

In:  a request, or plain arguments
Out: `SearchResult`
Knows nothing of how the search goes.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bertie.core.extras import check_installed
from bertie.core.stderr import tell
from bertie.data.given_rows import Data
from bertie.predict import BasePredictor
from bertie.trials.request import SearchRequest
from bertie.workflow.api import assignments, parts
from bertie.workflow.options import check_options
from bertie.workflow.request import Reading, Say


@dataclass(frozen=True)
class SearchResult:
    """A search that has ended for this worker."""

    folder: Path
    evaluation: dict[str, Any]
    """The object of `evaluate --json` with what was tried; empty where another worker publishes."""
    lines: list[str]
    """What was chosen and why, for a person."""
    predictor: BasePredictor | None
    """What was chosen; None where another worker publishes."""


def search(
    data: Data, *, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any
) -> SearchResult:
    """Tries methods, models and recipes within a budget, and leaves the best as a verified bundle.

    Args:
        data: a file, a folder with train/dev/test files, or `hub:name`; or rows, as a list of mappings or a data frame.
            `dev` and `test` are given likewise.
        settings: of the default recipe, which the trials vary, by their dotted names.
        say: told what is chosen and done, a line at a time; otherwise stderr is.
        options: the other fields of `SearchRequest` and `Reading`: out, budget, storage, max_latency, trials, ...
    """
    check_options("search", options, SearchRequest, Reading)
    names = {field.name for field in fields(Reading)}
    reading = Reading(**{name: options.pop(name) for name in names & set(options)})
    options |= {name: Path(options[name]) for name in ("out", "recipe") if options.get(name) is not None}
    overrides = (*options.pop("overrides", ()), *assignments("", settings or {}))
    request = SearchRequest(**parts(data, options), reading=reading, overrides=overrides, **options)
    return run(request, say or tell)


def run(request: SearchRequest, say: Say, *, quiet: bool = False) -> SearchResult:
    """The search itself. UsageError where Optuna, which few people need, is not installed."""
    check_installed("a search", "search", {"optuna": "Optuna"})
    found: SearchResult = importlib.import_module("bertie.trials.run").run_search(request, say, quiet=quiet)
    return found
