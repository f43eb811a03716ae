"""Benchmarks that keep a line a run: what was done is not done again, and the pages are made of the lines.

In:  the name of a benchmark, how to run what is missing, how to make a page of the lines
Out: docs/benchmarks/NAME.jsonl; NAME.md and NAME.zh.md
Knows nothing of what is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from measurement import DOCS, machine, train

Record = dict[str, Any]
Words = TypeVar("Words")


def parser(about: str | None, name: str, *, sets: str, line: str = "a training") -> argparse.ArgumentParser:
    """The arguments that all of them take; `sets` and `line` say what the names and a line of results are."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="*", help=sets)
    made.add_argument("--data", type=Path, help="folder that holds the sets; without it nothing is run")
    made.add_argument("--json", type=Path, default=DOCS / f"{name}.jsonl", help=f"results, a line {line}")
    made.add_argument("--render", action="store_true", help=f"write {name}.md and {name}.zh.md")
    made.add_argument("--out", type=Path, default=DOCS, help="folder of the pages")
    return made


def main(
    name: str,
    arguments: argparse.Namespace,
    run_missing: Callable[[argparse.Namespace], Sequence[str]],
    render: Callable[[list[Record], Words], str],
    languages: tuple[Words, Words],
) -> None:
    """Runs what is missing, prints the page, writes both pages where --render asks for them.

    `run_missing` returns what failed; `languages` are the words of the page in English and Chinese.
    """
    failures = run_missing(arguments) if arguments.data else []
    found = records(arguments.json)
    if not found:
        sys.exit(f"error: {arguments.json.name} holds no results; give --data DIR, and names of sets, to measure some")
    print(render(found, languages[0]))
    if arguments.render:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for ending, words in zip(("md", "zh.md"), languages, strict=True):
            (arguments.out / f"{name}.{ending}").write_text(render(found, words), encoding="utf-8")
    if failures:
        sys.exit(f"error: failed: {', '.join(failures)}; run the same command again to retry")


def train_missing(
    arguments: argparse.Namespace,
    planned: Iterable[Record],
    options: Callable[[Record], Sequence[str]],
    look: Callable[[Path], Record] = lambda bundle: {},
) -> list[str]:
    """Every training that has no line yet, in its own process; its line is written once it has gone well.

    Args:
        arguments: with `seeds`, `set` and `model` beside those of `parser`.
        planned: the set, the seed and what else tells a training from the others; all of it stands in its line.
        options: of `bertie train`, for one of them, beside its seed and what `arguments` ask for all.
        look: what else is to be kept of the bundle.

    Returns: those that failed, in words.
    """
    facts, failures = machine(), []
    for one in planned:
        what = f"{one['set']} seed {one['seed']} {one.get('method', '')}".rstrip()
        if any(one.items() <= record.items() for record in records(arguments.json)):
            print(f"{what}: done before", file=sys.stderr)
            continue
        common = ["--seed", str(one["seed"]), *(word for setting in arguments.set for word in ("--set", setting))]
        common += ["--model", arguments.model] if arguments.model else []
        record = train(arguments.data / one["set"], what, [*common, *options(one)], look)
        if record is None:
            failures.append(what)
        else:
            add_records(arguments.json, record | one | {"machine": facts})
    return failures


def records(path: Path) -> list[Record]:
    """Every finished run of a results file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def add_records(path: Path, *found: Record) -> None:
    """A line more for each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in found))
