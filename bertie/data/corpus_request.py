"""What a corpus is made of: options, files and tokenizer, so that it is known again.

In:  sources, a tokenizer, options, what was noted before
Out: a note of everything that the shards depend on, with one fingerprint; what differs between two notes
Knows nothing of how a corpus is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bertie.core.errors import UsageError
from bertie.core.files import sha256
from bertie.data.corpus_reader import Source
from bertie.text.tokenizer import Tokenizer

FORMAT = 1
"""Raised when the same text and settings would give other shards."""
_NAMES = {"format": "format of the shards", "text": "text", "tokenizer": "tokenizer"}


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus is read, cleaned and divided."""

    held_out: float = 0.02
    """Part of the documents that is kept from training, 0 to below 1; chosen by their text and the seed."""
    seed: int = 13
    """Another seed holds out other documents."""
    text_column: str | None = None
    """Column of JSON lines, Parquet and tables; otherwise `text` or another usual name."""
    encoding: str | None = None
    """Encoding of the files, where it is not recognised."""
    user_words: tuple[str, ...] = ()
    """Words that the dictionary shall keep whole."""
    processes: int = 0
    """Processes that tokenise; 0: as many as cores. Of no influence on the result."""
    near_duplicates: bool = True
    """Remove documents that are nearly one that came before; exact duplicates are always removed."""
    shard_tokens: int = 5_000_000
    """Characters of text in a shard, of which there are hardly ever fewer than tokens."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.held_out < 1.0:
            raise UsageError(f"held_out is {self.held_out}, expected 0 to below 1")
        if self.processes < 0 or self.shard_tokens < 1:
            raise UsageError(
                f"processes is {self.processes} and shard_tokens {self.shard_tokens}, expected 0 or more and 1 or more"
            )


def request_of(
    sources: Sequence[Source], tokenizer: Tokenizer, options: CorpusOptions, before: dict[str, Any]
) -> dict[str, Any]:
    """What the corpus depends on. A file whose size and time are those that were noted is not summed up again."""
    known = {one["name"]: one for one in before.get("files", [])}
    files = [_noted(source, known.get(source.name, {})) for source in sources]
    settings = {name: value for name, value in asdict(options).items() if name != "processes"}
    depends = {
        "format": FORMAT,
        "text": [one["sum"] for one in files],
        "tokenizer": tokenizer.fingerprint,
        "options": json.loads(json.dumps(settings)),  # as it is read back: a tuple is a list
    }
    fingerprint = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    return {"fingerprint": fingerprint, **depends, "files": files}


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs, in words; the places of the files are of no account."""
    found = [name for key, name in _NAMES.items() if before.get(key) != now[key]]
    old = before.get("options", {})
    different = (name for name in now["options"] if old.get(name) != now["options"][name])
    return found + [f"{name} ({old.get(name)!r}, now {now['options'][name]!r})" for name in different]


def same_files(sources: Sequence[Source], request: dict[str, Any]) -> bool:
    """Whether the files still have the size and time that were noted."""
    return all(
        _look(source) == {name: known[name] for name in _look(source)}
        for source, known in zip(sources, request["files"], strict=True)
    )


def _noted(source: Source, known: dict[str, Any]) -> dict[str, Any]:
    look = _look(source)
    if known and source.path and all(known.get(name) == value for name, value in look.items()):
        return known
    return {**look, "sum": sha256(source.path) if source.path else source.identity}


def _look(source: Source) -> dict[str, Any]:
    if source.path is None:
        return {"name": source.name}
    about = source.path.stat()
    return {"name": source.name, "size": about.st_size, "time": about.st_mtime_ns}
