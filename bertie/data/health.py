"""Health: what is wrong with data, before anybody trains on it.

In:  Splits
Out: a Health, which tells itself as JSON or as lines to read
Knows nothing of file formats, models and commands.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bertie.data import overlap
from bertie.data.kinds import KINDS, LABELS
from bertie.data.label_spelling import spelling
from bertie.data.overlap import Finding
from bertie.data.rows import Rows
from bertie.data.sources import Splits
from bertie.data.split import as_numbers
from bertie.data.suspicion import suspicious_labels
from bertie.data.troubles import troubles
from bertie.text.language import detect

EXAMPLES = 20
"""Places that are listed of each finding; the count is of all that was looked at."""
RARE = 8
"""Rows below which a class is called rare: there few-shot learning begins."""
SKEW = 10
"""Times by which the largest class may pass the smallest before it is worth a word."""
_TWO_SETS = ("intent_slots", "extraction")  # labels of two sorts, of which one may be called as another


@dataclass(frozen=True)
class Part:
    """Plain facts about one split."""

    rows: int
    source: str
    encoding: str
    labels: dict[str, int]
    """Rows of each label, most frequent first, or how often it stands in them; empty where there are none to count."""
    characters: dict[str, int]
    languages: dict[str, float]
    """Share of the rows in each language."""
    empty: Finding


@dataclass(frozen=True)
class Health:
    """Everything found; `warnings` are the sentences that ask for something to be done."""

    parts: dict[str, Part]
    duplicates: Finding
    """Rows of train with text and label of an earlier one."""
    conflicts: Finding
    """Texts that stand with different labels, in any part."""
    leaks: Finding
    """Rows of dev or test whose text is in an earlier part."""
    near_leaks: Finding
    """Rows of dev or test that are nearly a row of an earlier part."""
    near_duplicates: Finding
    """Pairs within train that are nearly the same."""
    suspicious: Finding
    """Rows of train whose label a model of the other rows confidently contradicts."""
    notes: list[str]
    kind: str = LABELS
    """What the rows are; see `kinds`."""
    shared: Finding = field(default_factory=Finding)
    """Rows of dev or test with a text or passage of an earlier part, of which something else is asked."""
    troubles: dict[str, Finding] = field(default_factory=dict)
    """What is odd about single rows, by its sort."""

    @property
    def warnings(self) -> list[str]:
        """What a person should look at, in order of harm."""
        odd = [f"{found.count} {sort}, first {found.examples[0]['where']}" for sort, found in self.troubles.items()]
        return [*_overlap_warnings(self), *_label_warnings(self), *odd, *_part_warnings(self)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "warnings": self.warnings}

    def readable(self) -> str:
        """Lines for a person."""
        lines = [line for name, part in self.parts.items() for line in _part_lines(name, part)]
        for title, finding in self._findings().items():
            lines += ["", f"{title}: {finding.count}"] + [f"  {_line(example)}" for example in finding.examples[:5]]
        lines += ["", *(f"! {warning}" for warning in self.warnings or ["nothing to worry about was found"])]
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    def _findings(self) -> dict[str, Finding]:
        findings = {
            "leaks into dev or test": self.leaks,
            "near leaks into dev or test": self.near_leaks,
            "texts of dev or test that an earlier part has, asked for something else": self.shared,
            "texts with different labels": self.conflicts,
            "suspicious labels": self.suspicious,
            "duplicates in train": self.duplicates,
            "near duplicates in train": self.near_duplicates,
            **self.troubles,
        }
        return {title: finding for title, finding in findings.items() if finding.count}


def check(splits: Splits, top: int = EXAMPLES, seed: int = 0) -> Health:
    """Looks at everything; 200,000 short rows take a minute or two. `top` bounds every list of examples.

    Train decides for all parts whether labels are numbers: a few rows of dev may hold each class once.
    """
    parts = {"train": splits.train, "dev": splits.dev} | ({"test": splits.test} if splits.test is not None else {})
    kind = KINDS.get(splits.train.kind)
    numbers = kind is None and as_numbers(splits.train.column("label")) is not None
    texts = overlap.group(parts)
    asked, answers = overlap.group(parts, overlap.key_of(kind)) if kind else texts, overlap.answers_of(kind)
    near_leaks, near_duplicates = overlap.near(texts, top)
    notes = list(splits.notes)
    return Health(
        parts={name: _part(rows, numbers, top) for name, rows in parts.items()},
        duplicates=overlap.duplicates(asked, top, answers),
        conflicts=overlap.conflicts(asked, top, answers) if kind is None or kind.one_right else Finding(),
        leaks=overlap.leaks(asked, top),
        near_leaks=near_leaks,
        near_duplicates=near_duplicates,
        suspicious=_suspicious(splits.train, top, seed, notes) if kind is None and not numbers else Finding(),
        notes=notes,
        kind=splits.train.kind,
        shared=overlap.shared(texts, asked, top),
        troubles=troubles(parts, top),
    )


def _part(rows: Rows, numbers: bool, top: int) -> Part:
    texts = [overlap.text_of(row) for row in rows]
    empty = [rows.where(i) for i, text in enumerate(texts) if not text.strip()]
    languages = Counter(detect([text]).language for text in texts)
    return Part(
        rows=len(rows),
        source=rows.source,
        encoding=rows.encoding,
        labels=_label_counts(rows, numbers),
        characters=_spread([len(text) for text in texts]),
        languages={name: round(count / len(rows), 4) for name, count in languages.most_common()},
        empty=Finding(len(empty), [{"where": where} for where in empty[:top]]),
    )


def _label_counts(rows: Rows, numbers: bool) -> dict[str, int]:
    if rows.kind in KINDS:
        return dict(Counter(name for row in rows for name in KINDS[rows.kind].classes(row)).most_common())
    if numbers:
        return {}
    return dict(Counter(name for row in rows for name in overlap.label_names(row)).most_common())


def _spread(lengths: Sequence[int]) -> dict[str, int]:
    shares = {"shortest": 0, "median": 50, "p95": 95, "longest": 100}
    return {name: int(np.percentile(lengths, share)) for name, share in shares.items()} if lengths else {}


def _suspicious(train: Rows, top: int, seed: int, notes: list[str]) -> Finding:
    """Labels that look wrong; what was not looked at goes to the notes."""
    labels = train.column("label")
    if not all(isinstance(label, str) for label in labels):
        return Finding()  # several labels a row: no single label that a model could contradict
    suspects = suspicious_labels([overlap.text_of(row) for row in train], labels, seed, notes.append)
    examples = [
        {
            "where": train.where(suspect.index),
            "text": overlap.shortened(train[suspect.index]),
            "label": suspect.label,
            "expected": suspect.expected,
            "confidence": suspect.confidence,
        }
        for suspect in suspects[:top]
    ]
    return Finding(len(suspects), examples)


def _overlap_warnings(health: Health) -> list[str]:
    said = []
    if health.leaks.count or health.near_leaks.count:
        exact, near = health.leaks.count, health.near_leaks.count
        said.append(f"{exact} rows of dev or test are also in an earlier part, {near} nearly: scores will be too good")
    if health.shared.count:
        said.append(f"{health.shared.count} rows of dev or test ask for something else about a text of an earlier part")
    if health.conflicts.count:
        said.append(f"{health.conflicts.count} texts stand with different labels: decide on one")
    if health.duplicates.count:
        said.append(f"{health.duplicates.count} rows of train repeat an earlier row: they weigh more than the others")
    if health.suspicious.count:
        said.append(f"{health.suspicious.count} labels of train look wrong: read them again")
    return said


def _label_warnings(health: Health) -> list[str]:
    labels = health.parts["train"].labels
    rare = [name for name, count in labels.items() if count < RARE]
    numbers = health.kind == LABELS and not labels
    said = ["the labels are numbers of many values: they are learned as quantities, not as classes"] if numbers else []
    alike = [] if health.kind in _TWO_SETS else _alike(health.parts)
    if alike:
        said.append(
            f"{len(alike)} labels are written in several ways: {_some(alike)}; each way is a class of its own, so "
            "write them in one"
        )
    if rare:
        said.append(f"{len(rare)} labels have fewer than {RARE} rows: {_some(rare)}; add rows or merge labels")
    if labels and max(labels.values()) > SKEW * min(labels.values()):
        often, seldom = next(iter(labels.items())), list(labels.items())[-1]
        said.append(f"unbalanced: {often[0]} has {often[1]} rows, {seldom[0]} has {seldom[1]}; look at macro F1")
    for name, part in health.parts.items():
        strangers = [label for label in part.labels if labels and label not in labels]
        if strangers:
            said.append(f"{name} has {len(strangers)} labels that train never shows: {_some(strangers)}")
    return said


def _alike(parts: Mapping[str, Part]) -> list[str]:
    """Labels that differ by case, width, spaces or a `.0` alone, those of each class together."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for part in parts.values():
        for label in part.labels:
            found[spelling(label)][label] = None
    return [" / ".join(labels) for labels in found.values() if len(labels) > 1]


def _part_warnings(health: Health) -> list[str]:
    empties = {name: part.empty for name, part in health.parts.items() if part.empty.count}
    said = [
        f"{found.count} texts of {name} are empty, first {found.examples[0]['where']}"
        for name, found in empties.items()
    ]
    usual = {name: next(iter(part.languages), "other") for name, part in health.parts.items()}
    if len(set(usual.values())) > 1:
        said.append("the parts differ in language: " + ", ".join(f"{name} {value}" for name, value in usual.items()))
    return said


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _part_lines(name: str, part: Part) -> list[str]:
    spread = ", ".join(f"{key} {value}" for key, value in part.characters.items())
    labels = [f"{label} {count}" for label, count in part.labels.items()]
    languages = ", ".join(f"{language} {share:.0%}" for language, share in part.languages.items())
    return [
        f"{name}: {part.rows} rows, {part.source} ({part.encoding})",
        f"  labels: {_some(labels) or 'none that could be counted'}",
        f"  characters: {spread}",
        f"  languages: {languages}",
    ]


def _line(example: dict[str, Any]) -> str:
    if "found" in example:
        return f"{example['where']}: {example['found']}: {example['text']}"
    if "labels" in example:
        return f"{example['text']}: " + ", ".join(f"{at['label']} ({at['where']})" for at in example["labels"])
    if "expected" in example:
        verdict = f"{example['label']}, expected {example['expected']} ({example['confidence']:.0%})"
        return f"{example['where']}: {verdict}: {example['text']}"
    return f"{example['where']} is like {example['like']} ({example['similarity']:.0%}): {example['text']}"
