"""Bertie: BERT from raw text to a running service, in Chinese and English.

result = bertie.train("reviews.csv", out="reviews-model")
bertie.load("reviews-model").predict(["物流很快", "It broke after two days."])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bertie.core.version import __version__

if TYPE_CHECKING:
    from bertie.core.errors import BertieError
    from bertie.learning.api import few_shot
    from bertie.predict import load
    from bertie.trials.api import search
    from bertie.workflow.api import evaluate, find_rate, pretrain, train
    from bertie.workflow.embed import embed
    from bertie.workflow.extension import extend
    from bertie.workflow.files_api import augment, check_data, convert, export
    from bertie.workflow.retrieval import Retriever
    from bertie.workflow.vocabulary import train_tokenizer

__all__ = [
    "BertieError",
    "Retriever",
    "__version__",
    "augment",
    "check_data",
    "convert",
    "embed",
    "evaluate",
    "export",
    "extend",
    "few_shot",
    "find_rate",
    "load",
    "pretrain",
    "search",
    "train",
    "train_tokenizer",
]
PLACES = {
    "BertieError": "bertie.core.errors",
    "Retriever": "bertie.workflow.retrieval",
    "augment": "bertie.workflow.files_api",
    "check_data": "bertie.workflow.files_api",
    "convert": "bertie.workflow.files_api",
    "embed": "bertie.workflow.embed",
    "evaluate": "bertie.workflow.api",
    "export": "bertie.workflow.files_api",
    "extend": "bertie.workflow.extension",
    "few_shot": "bertie.learning.api",
    "find_rate": "bertie.workflow.api",
    "load": "bertie.predict",
    "pretrain": "bertie.workflow.api",
    "search": "bertie.trials.api",
    "train": "bertie.workflow.api",
    "train_tokenizer": "bertie.workflow.vocabulary",
}
"""Where each of them lives."""


def __getattr__(name: str) -> Any:
    """Loads torch only when a function is used: the command line imports this file for `bertie --help`."""
    if name not in PLACES:
        raise AttributeError(f"module 'bertie' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(PLACES[name]), name)
