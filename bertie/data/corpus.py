"""Corpus: raw text to token shards on disk, made once and opened ever after.

    request.json   what the corpus is made of: files with their sums, tokenizer, options
    plan.npy, plan.json   while it is made: where each document goes
    train-00000/ ...  held_out-00000/ ...   shards, see `corpus_shards`
    unigrams.npy   (V,) int64, how often each piece stands in the training part
    corpus.json    counts and notes; the last file to be written, so where it stands all is there

In:  files, folders or hub:NAME; a tokenizer; a folder
Out: a Corpus, whose arrays are read from the disk where they are looked at
Knows nothing of objectives, batches and models.

A preparation that was killed goes on with the shards that it had written. Neither reading nor writing holds more than
one shard's documents for each process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertie.core.errors import DataError, UsageError
from bertie.core.files import need_space, new_file, remove_leftovers, storage_errors, write_json
from bertie.core.lock import NAME, FolderLock
from bertie.data.corpus_plan import Cut, Plan, documents, make_plan, save_plan, shard_name
from bertie.data.corpus_reader import Source, open_sources
from bertie.data.corpus_request import CorpusOptions, changed, request_of, same_files
from bertie.data.corpus_shards import Shards, is_whole, open_shards
from bertie.data.corpus_worker import Job, tokenise
from bertie.text.tokenizer import Tokenizer

__all__ = ["Corpus", "CorpusOptions", "Shards", "open_corpus", "prepare_corpus"]

_FILES = ("corpus.json", "request.json", "plan.json", "plan.npy", "unigrams.npy")
_END, _REQUEST, _COUNTS, _PLAN, _UNIGRAMS = _FILES
_SHARD = re.compile(r"(train|held_out)-\d{5,}")
_PATIENCE = 10.0  # seconds between two lines about progress


@dataclass(frozen=True)
class Corpus:
    """Documents as pieces, to train on and to judge by."""

    train: Shards
    held_out: Shards
    unigrams: NDArray[np.int64]
    """(V,) how often each piece stands in the training part."""
    notes: list[str]
    """What was recognised, removed and divided, a line each, for a person."""
    fingerprint: str
    """The same text, tokenizer and options: the same fingerprint, wherever the files lie."""


def prepare_corpus(
    sources: Sequence[str],
    tokenizer: Tokenizer,
    folder: Path,
    options: CorpusOptions,
    say: Callable[[str], None] = lambda line: None,
    *,
    overwrite: bool = False,
) -> Corpus:
    """The corpus of these sources in `folder`: opened where it is there, gone on with where it was stopped, or made.

    Raises:
        DataError: a source cannot be read, as `file:line: ...`.
        UsageError: the folder holds a corpus of other text, tokenizer or options (unless `overwrite`), or other files.
        RunLockedError: another process prepares it.
        StorageError: with the bytes needed and those free; what was written stays, and is gone on with.
    """
    _refuse_strange(folder)
    with FolderLock(folder):
        before = _json(folder / _REQUEST)
        opened = open_sources(sources, options.text_column, options.encoding)
        request = request_of(opened, tokenizer, options, before)
        if before and changed(before, request):
            if not overwrite:
                raise UsageError(
                    f"{folder}: holds a corpus that differs in {', '.join(changed(before, request))}; "
                    "choose another folder, or replace it with --overwrite"
                )
            _clear(folder)
        remove_leftovers(folder)
        write_json(folder / _REQUEST, request)
        if not (folder / _END).is_file():
            _make(opened, tokenizer, folder, (request, options), say)
        return open_corpus(folder)


def open_corpus(folder: Path) -> Corpus:
    """A corpus that is whole. DataError where it is not."""
    end = _json(folder / _END)
    if not end:
        raise DataError(f"{folder}: holds no finished corpus; prepare it first, or again to go on where it was stopped")
    parts = {name: open_shards([folder / shard for shard in end["shards"][name]]) for name in ("train", "held_out")}
    for name, part in parts.items():
        if (len(part), part.tokens) != (end["documents"][name], end["tokens"][name]):
            raise DataError(
                f"{folder}: {len(part)} documents with {part.tokens} tokens in {name}, expected "
                f"{end['documents'][name]} with {end['tokens'][name]}; prepare the corpus again in another folder"
            )
    unigrams = np.load(folder / _UNIGRAMS)
    return Corpus(parts["train"], parts["held_out"], unigrams, end["notes"], end["fingerprint"])


def _make(
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    folder: Path,
    asked: tuple[dict[str, Any], CorpusOptions],
    say: Callable[[str], None],
) -> None:
    request, options = asked
    for source in sources:
        say(source.note)
    plan = _planned(sources, folder, options, say)
    names = [shard_name(shard) for shard in plan.shards()]
    processes = min(options.processes or len(os.sched_getaffinity(0)), len(names))
    key = request["fingerprint"]
    missing = {name for name in names if not is_whole(folder / name, key)}
    if len(missing) < len(names):
        say(f"{folder}: {len(names) - len(missing)} of {len(names)} shards are there already")
    # Half a byte a character is less than any tokenizer needs: this refuses early what cannot end well.
    need_space(folder, plan.counts["characters"] // 2 * len(missing) // len(names))
    jobs = _jobs(sources, plan, folder, (tokenizer, key, missing))
    told = time.monotonic()
    for done, (job, tokens) in enumerate(tokenise(jobs, tokenizer, options.user_words, processes), start=1):
        if time.monotonic() - told > _PATIENCE or done == len(missing):
            told = time.monotonic()
            say(f"{done} of {len(missing)} shards tokenised, the last with {tokens:,} tokens: {Path(job.folder).name}")
    _finish(sources, folder, request, (plan, names), tokenizer)


def _planned(sources: Sequence[Source], folder: Path, options: CorpusOptions, say: Callable[[str], None]) -> Plan:
    """The plan that a stopped preparation left, or a new one."""
    counts = _json(folder / _COUNTS)
    if counts:
        return Plan(np.load(folder / _PLAN), counts)
    plan = make_plan(sources, Cut(options.held_out, options.seed, options.shard_tokens, options.near_duplicates), say)
    save_plan(folder / _PLAN, plan)
    write_json(folder / _COUNTS, plan.counts)  # the second of the two, so where it stands both do
    return plan


def _jobs(sources: Sequence[Source], plan: Plan, folder: Path, how: tuple[Tokenizer, str, set[str]]) -> Iterator[Job]:
    tokenizer, key, missing = how
    if not missing:
        return
    for shard, texts in documents(sources, plan):
        if (name := shard_name(shard)) in missing:
            yield Job(str(folder / name), key, [_without_specials(text, tokenizer) for text in texts])


def _without_specials(text: str, tokenizer: Tokenizer) -> str:
    """A text in which `[MASK]` stands must not give the mask: a space is put behind its first character."""
    for token in tokenizer.specials.values():
        text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _finish(
    sources: Sequence[Source],
    folder: Path,
    request: dict[str, Any],
    made: tuple[Plan, list[str]],
    tokenizer: Tokenizer,
) -> None:
    plan, names = made
    if not same_files(sources, request):
        _clear(folder)
        raise DataError(f"{folder}: the files changed while they were read; leave them alone, and start again")
    shards = {part: [name for name in names if name.startswith(f"{part}-")] for part in ("train", "held_out")}
    parts = {part: open_shards([folder / name for name in shards[part]]) for part in shards}
    unigrams = parts["train"].counts(tokenizer.vocab_size)
    with new_file(folder / _UNIGRAMS, unigrams.nbytes) as making, making.open("wb") as file:
        np.save(file, unigrams)
    about = {
        "fingerprint": request["fingerprint"],
        "tokenizer": tokenizer.fingerprint,
        "documents": {name: len(part) for name, part in parts.items()},
        "tokens": {name: part.tokens for name, part in parts.items()},
        "counts": plan.counts,
        "notes": [*(source.note for source in sources), *_notes(plan, parts)],
        "shards": shards,
    }
    write_json(folder / _END, about)
    (folder / _COUNTS).unlink(missing_ok=True)
    (folder / _PLAN).unlink(missing_ok=True)


def _notes(plan: Plan, parts: dict[str, Shards]) -> list[str]:
    counts = plan.counts
    names = ("control characters", "lone surrogates", "runs of spaces", "empty lines", "empty documents")
    removed = [
        f"{counts[name]:,} {name}" for name in (*names, "exact duplicates", "near duplicates") if counts.get(name)
    ]
    sizes = ", ".join(f"{len(part):,} {name} with {part.tokens:,} tokens" for name, part in parts.items())
    return [
        f"removed {', '.join(removed) or 'nothing'}",
        f"{counts['documents']:,} of {counts['documents read']:,} documents kept: {sizes.replace('_', ' ')}",
    ]


def _clear(folder: Path) -> None:
    """Removes what a preparation writes, the proof that it is whole first, and nothing else."""
    with storage_errors(folder, 0):
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        for path in folder.glob("*-*"):
            if _SHARD.fullmatch(path.name):
                shutil.rmtree(path)


def _refuse_strange(folder: Path) -> None:
    """UsageError where something else lies in the folder, which no preparation may mix with its own."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, expected a folder for the corpus; choose another name")
    ours = {*_FILES, NAME}
    found = sorted(path.name for path in folder.glob("*") if not path.name.startswith("."))
    strange = [name for name in found if name not in ours and not _SHARD.fullmatch(name)]
    if strange:
        raise UsageError(f"{folder}: holds {', '.join(strange[:5])} and is no corpus; choose a new or empty folder")


def _json(path: Path) -> dict[str, Any]:
    """An object of ours; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; prepare the corpus again in another folder") from error
    return found
