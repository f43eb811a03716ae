"""What the benchmarks share: the machine and the command on a page, spreads, trainings by the real command.

In:  numbers that were measured, rows of a table, words of the command line; a set and options of `bertie train`
Out: Markdown; rows of a data set as a fixed sample; what a training has given
Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from bertie.data.rows import Rows
from bertie.workflow.doctor import diagnose

DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
"""Where pages and results lie."""
CLI = [sys.executable, "-c", "from bertie.cli.app import main; main()"]
"""What the `bertie` command runs, whether or not its folder is on the PATH."""
SAMPLE_SEED = 20_000
"""Samples of a set are the same ones in every repetition and on every machine."""


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one: a single slow repetition does not move it."""
        return statistics.median(self.values)

    @property
    def mean(self) -> float:
        """For scores, which no neighbour on the machine can make worse."""
        return statistics.fmean(self.values)

    def text(self, digits: int = 1) -> str:
        """`median (smallest-largest)`."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def sample(rows: Rows, count: int) -> Rows:
    """`count` rows drawn once and for all, in random order; all of them where there are not more."""
    indices = list(range(len(rows)))
    return rows.take(random.Random(SAMPLE_SEED).sample(indices, min(count, len(rows))))


def machine(threads: int | None = None) -> dict[str, Any]:
    """What a reader needs to judge the figures; nothing that names the machine. `threads`: otherwise torch's own."""
    threads = threads or int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
    found = diagnose()
    wanted = ("cores", "memory_gb", "instructions", "gflops", "torch", "python", "bertie", "dtype", "dtype_reason")
    facts = {name: found[name] for name in wanted}
    return {**facts, "threads": threads, "transformers": metadata.version("transformers")}


def machine_lines(facts: dict[str, Any]) -> list[str]:
    """The machine as a Markdown list."""
    speeds = ", ".join(f"{kind} {speed:.0f}" for kind, speed in facts["gflops"].items())
    return [
        f"- {facts['cores']} cores, {facts['threads']} threads, {facts['memory_gb']} GB, "
        f"vector instructions: {', '.join(facts['instructions']) or 'unknown'}",
        f"- matmul in GFLOP/s: {speeds}; `auto` takes {facts['dtype']}: {facts['dtype_reason']}",
        f"- Python {facts['python']}, torch {facts['torch']}, transformers {facts['transformers']}, "
        f"bertie {facts['bertie']}",
    ]


@dataclass(frozen=True)
class Done:
    """What a command has given."""

    found: dict[str, Any]
    """The JSON that it printed."""
    seconds: float
    peak_mb: float
    """The most memory that it held at once, libraries and all."""


def run(what: str, words: Sequence[str]) -> Done | None:
    """A command of Bertie's in its own process.

    None where it failed; the end of what it said is shown, under the name `what`.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen([*CLI, *words], stdout=out, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)  # the one call that tells of this process alone
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, said):
            file.seek(0)
        if process.returncode:
            end = said.read().decode(errors="replace")[-2000:]
            print(f"{what}: exit {process.returncode}\n{end}", file=sys.stderr)
            return None
        return Done(json.loads(out.read()), time.monotonic() - began, usage.ru_maxrss / 1024)


def train(
    data: Path, what: str, options: Sequence[str], look: Callable[[Path], dict[str, Any]] = lambda bundle: {}
) -> dict[str, Any] | None:
    """`bertie train DATA` in its own process; what it gave, or None and the end of what it said where it failed.

    Args:
        data: the folder of the set.
        what: the training, in words.
        options: of the command, without --out and --json.
        look: what else is to be kept of the bundle, which is gone afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        done = run(what, ["train", str(data), "--out", str(out), "--json", *options])
        if done is None:
            return None
        record = _described(done.found, out) | look(out)
    print(f"{what}: {record['primary']['value']:.4f} in {done.seconds:.0f} s", file=sys.stderr)
    return record | {"peak_mb": round(done.peak_mb), "wall_seconds": round(done.seconds, 1), "command": command()}


def _described(evaluation: dict[str, Any], bundle: Path) -> dict[str, Any]:
    """What is kept of a training: its figures, the model it chose, how long it went on."""
    origin = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["origin"]
    result = json.loads((bundle / "run" / "result.json").read_text(encoding="utf-8"))
    return {
        "task": evaluation["task"],
        "rows": evaluation["rows"],
        "primary": evaluation["primary"],
        "metrics": evaluation["metrics"],
        "floors": evaluation["floors"],
        "model": Path(origin).name,
        "epochs": result["epoch"],
        "end": result["end"],
        "best_step": result["best_step"],
        "steps": result["step"],
        "loop_seconds": round(result["seconds"], 4),
    }


def command() -> str:
    """The command line, absolute paths cut to their last name: a page tells nothing of somebody's disk."""
    script, *rest = sys.argv
    return " ".join(["python", f"benchmarks/{Path(script).name}", *map(_without_folders, rest)])


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def page(title: str, parts: Sequence[str]) -> str:
    """Paragraphs under a title."""
    return "\n\n".join([f"# {title}", *parts]) + "\n"


def publish(text: str, found: dict[str, Any], out: Path | None, json_: Path | None) -> None:
    """The page to stdout, and to its files where they were asked for."""
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    if json_:
        json_.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def mark(passed: bool) -> str:
    """Pass or fail, readable without colour."""
    return "pass" if passed else "**fail**"


def _without_folders(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return option + equals + (Path(value).name if Path(value).is_absolute() else value)
