"""Benchmarks in which programs take turns: each repetition its own process, so that what else the machine does falls on
all of them.

In:  programs with what they are told; sets whose rows all of them read from the same files
Out: what each printed, by program; medians and spreads
Knows nothing of what a program does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measurement import Spread, sample

from bertie.data.catalogue import default_model, resolve
from bertie.data.sources import load_splits
from bertie.tasks.classification import Classification

HERE = Path(__file__).resolve().parent
SETS = ("ag_news_en", "chnsenticorp_zh")
DEV_ROWS = 200
"""Rows that all judge on after the epoch, outside the clock."""
Run = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A program and the number format it computes in."""

    name: str
    script: str
    dtype: str
    options: Mapping[str, object] = field(default_factory=dict)
    """What only this one is told."""


def parser(about: str | None, *, test_rows: int) -> argparse.ArgumentParser:
    """The arguments of a contest on labelled rows."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="*", help=f"sets; otherwise {', '.join(SETS)}")
    made.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    made.add_argument("--rows", type=int, default=1600, help="training rows of each set, default %(default)s")
    made.add_argument("--test-rows", type=int, default=test_rows, help="default %(default)s")
    made.add_argument("--epochs", type=int, default=1, help="default %(default)s")
    made.add_argument("--repeats", type=int, default=3, help="default %(default)s")
    length = Classification.defaults.max_length
    made.add_argument("--max-length", type=int, default=length, help="tokens, default %(default)s")
    made.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    made.add_argument("--model", help="folder or alias; otherwise the default of the set's language")
    made.add_argument("--json", type=Path, help="file for all figures")
    made.add_argument("--out", type=Path, help="file for the page")
    return made


def compete(
    name: str, contestants: Sequence[Contestant], arguments: argparse.Namespace, line: Callable[[Run], str]
) -> dict[str, list[Run]]:
    """All repetitions on one set, in turn; `line` says in few words how a run went."""
    model = resolve(arguments.model or default_model(name.rpartition("_")[2])).folder
    told = {"model": model, "epochs": arguments.epochs, "max-length": arguments.max_length}
    told |= {"threads": arguments.threads}
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(arguments.data / name, Path(folder), arguments)
        for seed in range(arguments.repeats):
            for one in contestants:
                given = {**told, "dtype": one.dtype, "seed": seed, **one.options}
                runs[one.name].append(program(one.script, Path(folder), given))
                print(f"{name} {seed} {one.name}: {line(runs[one.name][-1])}", file=sys.stderr)
    if len({run["tokens"] for each in runs.values() for run in each}) > 1:
        sys.exit(f"error: {name}: the contestants' tokenizers gave different ids, so speeds cannot be compared")
    return runs


def program(script: str, folder: Path, given: Mapping[str, object], flags: Sequence[str] = ()) -> Run:
    """One run of a program on a folder, `given["threads"]` among its options; the last line that it printed."""
    words = [str(word) for name, value in given.items() for word in (f"--{name}", value)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(given["threads"]), "TOKENIZERS_PARALLELISM": "true"}
    call = [sys.executable, str(HERE / script), str(folder), *words, *flags]
    done = subprocess.run(call, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"error: {script} failed with exit {done.returncode}:\n{done.stderr[-3000:]}")
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def write_rows(source: Path, folder: Path, arguments: argparse.Namespace) -> None:
    """The samples as files that all read. A label that is not in the training sample would stop the Trainer."""
    splits = load_splits(source)
    train = sample(splits.train, arguments.rows)
    known = set(train.column("label"))
    test = sample(splits.judging, arguments.test_rows)
    for name, rows in {"train": train, "dev": sample(splits.dev, DEV_ROWS), "test": test}.items():
        kept = [{"text": row["text"], "label": row["label"]} for row in rows if row["label"] in known]
        lines = [json.dumps(row) for row in kept]  # ASCII: a text may hold U+2028, at which `splitlines` cuts
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def spread(runs: Sequence[Run], figure: str) -> Spread:
    """One figure of all repetitions."""
    return Spread(tuple(run[figure] for run in runs))


def speed(runs: Sequence[Run]) -> Spread:
    """Rows a second of the loop."""
    return Spread(tuple(run["rows"] / run["loop_seconds"] for run in runs))
