"""Bertie: BERT from raw text to a running service, in Chinese and English.

result = bertie.train("reviews.csv", out="reviews-model")
bertie.load("reviews-model").predict(["物流很快", "It broke after two days."])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertie.core.version import __version__

if TYPE_CHECKING:
    from bertie.predict import load
    from bertie.workflow.api import evaluate, pretrain, train
    from bertie.workflow.embed import embed
    from bertie.workflow.extension import extend
    from bertie.workflow.retrieval import Retriever
    from bertie.workflow.vocabulary import train_tokenizer

__all__ = ["Retriever", "__version__", "embed", "evaluate", "extend", "load", "pretrain", "train", "train_tokenizer"]


def __getattr__(name: str) -> Any:
    """Loads torch only when a function is used: the command line imports this file for `bertie --help`."""
    if name == "load":
        from bertie.predict import load

        return load
    if name == "extend":
        from bertie.workflow.extension import extend

        return extend
    if name in ("train", "evaluate", "pretrain"):
        from bertie.workflow import api

        return getattr(api, name)
    if name == "embed":
        from bertie.workflow.embed import embed

        return embed
    if name == "train_tokenizer":
        from bertie.workflow.vocabulary import train_tokenizer

        return train_tokenizer
    if name == "Retriever":
        from bertie.workflow.retrieval import Retriever

        return Retriever
    raise AttributeError(f"module 'bertie' has no attribute {name!r}; it has {', '.join(__all__)}")
