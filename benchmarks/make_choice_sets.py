"""Sets that are made from others: which reply follows, and what a text of two companies says of one of them.

    python benchmarks/make_choice_sets.py --data DIR --out DIR [NAMES]

next_reply_en, next_reply_zh (from dailydialog_en, dailydialog_zh): multiple choice.
    Two turns of a dialogue, and four replies of which one follows. The others are replies of other dialogues of the
    same part, at least one of the same topic. Lengths tell nothing: which place the right reply has in the order of
    the four lengths is drawn first, then shorter and longer ones are drawn from those most alike. Replies too short to
    belong to one dialogue only ("Sure.") are neither asked for nor offered.
company_sentiment_en (from financial_phrasebank_en): the sentiment towards a company.
    A name is the run of at most four capitalised words with which two sentences or more begin, none of which the set
    writes in small letters anywhere. A sentence in which exactly one name stands speaks of that company. Two of one
    part with different labels are joined to a text, and each text makes two rows: one for each company, so that the
    text alone cannot tell.
company_sentiment_zh (from finance_news_zh): the same.
    The title says whom it speaks of: what stands before its colon.

In:  a folder with the sets
Out: a folder a made set: train, dev and test, as JSON lines; the parts stay apart as they are in the source
Knows nothing of models.
"""

from __future__ import annotations

import argparse
import bisect
import csv
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Parts = Mapping[str, Sequence[Row]]
PARTS = ("train", "dev", "test")
SEED = 20_000
CHOICES = 4
NEAR = 40
"""Replies, of those next in length, from which one is drawn."""
SHORTEST = {"en": 20, "zh": 6}
"""Characters of a reply that may be asked for."""
USES = 3
"""Texts in which one sentence stands at most."""
NO_COMPANIES = {"EBIT", "EPS", "CEO", "EU", "UK", "USA", "Finland", "Russia", "Estonia", "Sweden", "India", "China"}
NATIONS = re.compile(r"(?:Finnish|Russian|Swedish|Estonian|Danish|Norwegian|German|Brazilian|European|Nordic) ")
_TITLE = re.compile(r"([^：:，。；、\s]{2,8})[：:]\s*\S")


def main() -> None:
    """Makes the sets that are named, otherwise all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"of {', '.join(SETS)}; otherwise all")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets to make them from")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SETS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(SETS)}")
    for name in arguments.names or SETS:
        source, make = SETS[name]
        made = make({part: read(arguments.data / source, part) for part in PARTS})
        for part, rows in made.items():
            write(arguments.out / name / f"{part}.jsonl", rows)
        print(f"{name}: " + ", ".join(f"{part} {len(rows)}" for part, rows in made.items()))


def read(folder: Path, part: str) -> list[Row]:
    """The rows of a part, which is JSON lines or CSV."""
    lines = folder / f"{part}.jsonl"
    if lines.exists():
        return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    with (folder / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Iterable[Row]) -> None:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def next_reply(parts: Parts, shortest: int) -> dict[str, list[Row]]:
    """Multiple choice from turns of dialogues: `context`, `question`, `choices`, `answer`."""
    made = {}
    for part, turns in parts.items():
        rng = random.Random(SEED)
        fitting = [turn for turn in turns if len(turn["target"]) >= shortest]
        offered = _Replies(fitting)
        made[part] = [row for turn in fitting if (row := offered.row(turn, rng)) is not None]
    return made


class _Replies:
    """The replies of one part by length."""

    def __init__(self, turns: Sequence[Row]) -> None:
        self.turns = sorted(turns, key=lambda turn: len(turn["target"]))
        self.lengths = [len(turn["target"]) for turn in self.turns]

    def row(self, turn: Row, rng: random.Random) -> Row | None:
        """None where a part is too small to draw from."""
        shorter = rng.randrange(CHOICES)
        kinds = ["shorter"] * shorter + ["longer"] * (CHOICES - 1 - shorter)
        rng.shuffle(kinds)
        taken: list[Row] = [turn]
        for i, kind in enumerate(kinds):
            found = self._near(turn, kind == "longer", taken, topic=i == 0)
            if not found:
                return None
            taken.append(rng.choice(found))
        rng.shuffle(taken)
        row: Row = {"context": turn["context"][-1]} if turn["context"] else {}
        choices = [one["target"] for one in taken]
        return {**row, "question": turn["source"], "choices": choices, "answer": choices.index(turn["target"])}

    def _near(self, turn: Row, longer: bool, taken: Sequence[Row], topic: bool) -> list[Row]:
        """The replies of other dialogues that are next in length, on one side."""
        length = len(turn["target"])
        if longer:
            side = self.turns[bisect.bisect_right(self.lengths, length) :]
        else:
            side = self.turns[: bisect.bisect_left(self.lengths, length)][::-1]
        dialogues = {one["dialog_id"] for one in taken}
        found: list[Row] = []
        for one in side:
            if one["dialog_id"] not in dialogues and (not topic or one["topic"] == turn["topic"]):
                found.append(one)
            if len(found) == NEAR:
                break
        return found


def company_sentiment(parts: Parts, find: Callable[[Parts], Callable[[str], str | None]]) -> dict[str, list[Row]]:
    """Sentiment towards one of two companies: `text`, `target`, `label`. `find` gives what finds the name in a text."""
    name_of = find(parts)
    made = {}
    for part, rows in parts.items():
        named = [(name, row) for row in rows if (name := name_of(row["text"])) is not None]
        made[part] = list(_joined(named, random.Random(SEED)))
    return made


def _joined(named: Sequence[tuple[str, Row]], rng: random.Random) -> Iterable[Row]:
    order, seen = list(range(len(named))), set[frozenset[int]]()
    for _ in range(USES):
        rng.shuffle(order)
        waiting: dict[str, list[int]] = defaultdict(list)
        for i in order:
            partner = _partner(i, waiting, named)
            if partner is None:
                waiting[named[i][1]["label"]].append(i)
            elif (both := frozenset((i, partner))) not in seen:
                seen.add(both)
                pair = rng.sample([named[i], named[partner]], 2)  # who waits is mostly of the most frequent label
                text = " ".join(row["text"] for _, row in pair)
                yield from ({"text": text, "target": name, "label": row["label"]} for name, row in pair)


def _partner(i: int, waiting: Mapping[str, list[int]], named: Sequence[tuple[str, Row]]) -> int | None:
    """A waiting sentence of another company with another label, taken out of those that wait."""
    name, row = named[i]
    for label, places in waiting.items():
        if label == row["label"]:
            continue
        for place in places:
            other, there = named[place]
            if other not in row["text"] and name not in there["text"]:
                places.remove(place)
                return place
    return None


def names_before_colon(parts: Parts) -> Callable[[str], str | None]:
    """The name with which a Chinese title begins, where it does not come again."""

    def find(text: str) -> str | None:
        match = _TITLE.match(text)
        return match[1] if match and text.count(match[1]) == 1 else None

    return find


def names_at_starts(parts: Parts) -> Callable[[str], str | None]:
    """The one name that stands in an English sentence; names are learned from all parts, as the file's head says."""
    texts = [row["text"] for rows in parts.values() for row in rows]
    small = {word for text in texts for word in text.split() if word[:1].islower()}
    begun = Counter(name for text in texts if (name := _start(NATIONS.sub("", text, count=1), small)))
    names = sorted(name for name, count in begun.items() if count > 1 and name not in NO_COMPANIES)
    pattern = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?!\S)")

    def find(text: str) -> str | None:
        found = pattern.findall(text)
        return found[0] if len(set(found)) == 1 else None

    return find


def _start(text: str, small: set[str]) -> str | None:
    """The run of capitalised words with which a sentence begins, in front of an `'s` or a word in small letters."""
    words = text.split()
    run = 0
    while run < len(words) and re.fullmatch(r"[A-Z][A-Za-z&-]+", words[run]) and words[run].lower() not in small:
        run += 1
    behind = words[run] if run < len(words) else ""
    return " ".join(words[:run]) if 0 < run <= 4 and (behind == "'s" or behind.islower()) else None


SETS: dict[str, tuple[str, Callable[[Parts], dict[str, list[Row]]]]] = {
    "next_reply_en": ("dailydialog_en", lambda parts: next_reply(parts, SHORTEST["en"])),
    "next_reply_zh": ("dailydialog_zh", lambda parts: next_reply(parts, SHORTEST["zh"])),
    "company_sentiment_en": ("financial_phrasebank_en", lambda parts: company_sentiment(parts, names_at_starts)),
    "company_sentiment_zh": ("finance_news_zh", lambda parts: company_sentiment(parts, names_before_colon)),
}
"""Name -> the set that it is made from, and how."""

if __name__ == "__main__":
    main()
