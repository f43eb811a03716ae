"""A search, for the command line and for Python: looks whether Optuna is there before anything is done.

In:  a request, or plain arguments
Out: `SearchResult`
Knows nothing of how the search goes.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertie.core.extras import check_installed
from bertie.core.stderr import tell
from bertie.data.given_rows import Data
from bertie.predict import BasePredictor
from bertie.trials.request import SearchRequest
from bertie.workflow.api import made
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
    return run(made(SearchRequest, settings, {"data": data, **options}), say or tell)


def run(request: SearchRequest, say: Say, *, quiet: bool = False) -> SearchResult:
    """The search itself. UsageError where Optuna, which few people need, is not installed."""
    check_installed("a search", "search", {"optuna": "Optuna"})
    found: SearchResult = importlib.import_module("bertie.trials.run").run_search(request, say, quiet=quiet)
    return found
