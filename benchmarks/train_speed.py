"""Training speed: Bertie's loop against the transformers Trainer as its documentation shows it.

Measured: rows a second of the training loop alone (reading, tokenizing, loading the model and judging are outside
for both), accuracy on a fixed sample of the test rows, and the most memory that the process held, everything
included. Both take the same rows, the same checkpoint, the same maximal length, as many epochs. Each is otherwise
as a person gets it: Bertie with its default settings, its head started from the frozen floor (that time is shown
apart, and as rows a second with it counted in); the Trainer with the settings of the text classification guide.
Every repetition is its own process, and the two take turns, so that whatever else the machine does falls on both.

How to read it: the ratio of the medians is the result, the smallest and largest values say how far to trust it.
Accuracy is a mean over the repetitions, each with another seed; one epoch on a part of the rows is not what a model
can reach. Where the machine's self-test takes bfloat16, Bertie runs in both number formats and float32 against
float32 is judged apart.

    python benchmarks/train_speed.py --data DIR --out docs/benchmarks/train_speed.md

In:  DIR with one folder a set
Out: a Markdown page, and all figures as JSON
Knows nothing of how either of them trains: train_bertie.py and train_transformers.py do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measurement import Spread, command, machine, machine_lines, mark, page, publish, sample, table

from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.catalogue import default_model, resolve
from bertie.data.sources import load_splits
from bertie.tasks.classification import Classification

HERE = Path(__file__).resolve().parent
SETS = ("ag_news_en", "chnsenticorp_zh")
FASTER, FASTER_FLOAT32 = 2.0, 1.4
"""Targets for the ratio of rows a second: as each comes, and float32 against float32."""
WORSE = 0.005
"""Accuracy may be lower by half a point at most."""
DEV_ROWS = 200
"""Rows that both judge on after the epoch, outside the clock."""
HEAD = ("set", "who", "number format", "rows/s", "head start, s", "rows/s with it", "accuracy", "peak memory, MB")
Run = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A program and the number format it computes in."""

    name: str
    script: str
    dtype: str

    def train(self, folder: Path, model: Path, arguments: argparse.Namespace, seed: int) -> Run:
        """One training in its own process."""
        words = [sys.executable, str(HERE / self.script), str(folder), "--model", str(model), "--dtype", self.dtype]
        given = {"epochs": arguments.epochs, "max-length": arguments.max_length, "seed": seed}
        words += [str(word) for name, value in given.items() for word in (f"--{name}", value)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "true"}
        done = subprocess.run(
            [*words, "--threads", str(arguments.threads)], check=False, capture_output=True, text=True, env=environment
        )
        if done.returncode:
            sys.exit(f"error: {self.script} failed with exit {done.returncode}:\n{done.stderr[-3000:]}")
        run: Run = json.loads(done.stdout.splitlines()[-1])
        return run


def main() -> None:
    """Every set, every repetition, every contestant in turn; then the page."""
    arguments = parse()
    contestants = entered()
    results = {name: compete(name, contestants, arguments) for name in arguments.names or SETS}
    facts = machine(arguments.threads)
    found = {"command": command(), "machine": facts, "rows": arguments.rows, "results": results}
    publish(render(results, contestants, arguments, facts), found, arguments.out, arguments.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"sets; otherwise {', '.join(SETS)}")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    parser.add_argument("--rows", type=int, default=1600, help="training rows of each set, default %(default)s")
    parser.add_argument("--test-rows", type=int, default=1000, help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=1, help="default %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default %(default)s")
    parser.add_argument(
        "--max-length", type=int, default=Classification.defaults.max_length, help="tokens, default %(default)s"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--model", help="folder or alias; otherwise the default of the set's language")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--out", type=Path, help="file for the page")
    return parser.parse_args()


def entered() -> list[Contestant]:
    """Bertie as it comes, in float32 too where that is something else, and the Trainer."""
    dtype = str(choose_dtype(choose_device())[0]).removeprefix("torch.")
    ours = [Contestant("bertie", "train_bertie.py", dtype)]
    if dtype != "float32":
        ours.append(Contestant("bertie float32", "train_bertie.py", "float32"))
    return [*ours, Contestant("transformers", "train_transformers.py", "float32")]


def compete(name: str, contestants: Sequence[Contestant], arguments: argparse.Namespace) -> dict[str, list[Run]]:
    """All repetitions on one set, in turn."""
    alias = arguments.model or default_model(name.rpartition("_")[2])
    model = resolve(alias).folder
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(arguments.data / name, Path(folder), arguments)
        for seed in range(arguments.repeats):
            for contestant in contestants:
                run = contestant.train(Path(folder), model, arguments, seed)
                runs[contestant.name].append(run)
                speed = run["rows"] / run["loop_seconds"]
                print(f"{name} {seed} {contestant.name}: {speed:.1f} rows/s, {run['accuracy']:.4f}", file=sys.stderr)
    if len({run["tokens"] for each in runs.values() for run in each}) > 1:
        sys.exit(f"error: {name}: the contestants' tokenizers gave different ids, so speeds cannot be compared")
    return runs


def write_rows(source: Path, folder: Path, arguments: argparse.Namespace) -> None:
    """The samples as files that both read. A label that is not in the training sample would stop the Trainer."""
    splits = load_splits(source)
    train = sample(splits.train, arguments.rows)
    known = set(train.column("label"))
    test = sample(splits.test if splits.test is not None else splits.dev, arguments.test_rows)
    for name, rows in {"train": train, "dev": sample(splits.dev, DEV_ROWS), "test": test}.items():
        kept = [{"text": row["text"], "label": row["label"]} for row in rows if row["label"] in known]
        lines = [json.dumps(row) for row in kept]  # ASCII: a text may hold U+2028, at which `splitlines` cuts
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def render(
    results: dict[str, dict[str, list[Run]]],
    contestants: Sequence[Contestant],
    arguments: argparse.Namespace,
    facts: dict[str, Any],
) -> str:
    """The page."""
    measured = [figures(name, one, runs[one.name]) for name, runs in results.items() for one in contestants]
    verdicts = [line for name, runs in results.items() for line in verdict(name, runs)]
    return page(
        "Training speed",
        [
            "Bertie's training loop against the `transformers` Trainer as its text classification guide shows it: the "
            f"same {arguments.rows} training rows, the same checkpoint, texts cut at {arguments.max_length} tokens, "
            f"epochs: {arguments.epochs}. Rows a second are of the loop alone: reading, tokenizing, loading and "
            "judging are outside for both. Peak memory is of the whole process. Each of the "
            f"{arguments.repeats} repetitions is a process of its own, in turns. Medians, with the smallest and "
            f"largest in brackets; accuracy is the mean on {arguments.test_rows} test rows, or all there are.",
            "*Head start* is what Bertie spends before the loop to start its head from the frozen floor's solution.",
            table(HEAD, measured),
            "## Against the targets",
            table(("set", "what", "measured", "target", ""), verdicts),
            _remark(contestants),
            "## Machine and command",
            "\n".join(machine_lines(facts)),
            f"```\n{command()}\n```",
        ],
    )


def figures(name: str, contestant: Contestant, runs: Sequence[Run]) -> list[str]:
    """One line of the table."""
    whole = Spread(tuple(run["rows"] / (run["loop_seconds"] + run["head_start_seconds"]) for run in runs))
    head_start = _of(runs, "head_start_seconds")
    return [
        name,
        contestant.name,
        contestant.dtype,
        speed(runs).text(),
        head_start.text() if head_start.median else "–",
        whole.text(),
        f"{_of(runs, 'accuracy').mean:.4f}",
        _of(runs, "peak_mb").text(0),
    ]


def verdict(name: str, runs: dict[str, list[Run]]) -> list[list[str]]:
    """Ratios of the medians, and whether they reach the targets."""
    ours, theirs = runs["bertie"], runs["transformers"]
    ratio = speed(ours).median / speed(theirs).median
    same = speed(runs.get("bertie float32", ours)).median / speed(theirs).median
    better = _of(ours, "accuracy").mean - _of(theirs, "accuracy").mean
    memory = _of(ours, "peak_mb").median / _of(theirs, "peak_mb").median
    return [
        [name, "rows/s, as each comes", f"{ratio:.2f} x", f"at least {FASTER} x", mark(ratio >= FASTER)],
        [name, "rows/s, float32", f"{same:.2f} x", f"at least {FASTER_FLOAT32} x", mark(same >= FASTER_FLOAT32)],
        [name, "accuracy", f"{better * 100:+.2f} points", "at most 0.5 points lower", mark(better >= -WORSE)],
        [name, "peak memory", f"{memory:.2f} x", "no higher", mark(memory <= 1.0)],
    ]


def speed(runs: Sequence[Run]) -> Spread:
    """Rows a second of the loop."""
    return Spread(tuple(run["rows"] / run["loop_seconds"] for run in runs))


def _of(runs: Sequence[Run], name: str) -> Spread:
    return Spread(tuple(run[name] for run in runs))


def _remark(contestants: Sequence[Contestant]) -> str:
    if len(contestants) == 2:
        return "This machine's self-test takes float32, so both ratios are of the same runs."
    return "This machine's self-test takes bfloat16: that is how Bertie comes here; *bertie float32* was told not to."


if __name__ == "__main__":
    main()
