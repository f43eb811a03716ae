"""Speed and memory of LoRA: against full tuning by Bertie, and against `peft` on `transformers`.

Measured: seconds a step, rows a second and the most memory of the training loop (reading, tokenizing, loading, the
head's start and judging are outside for all), and accuracy on a fixed sample of the test rows. All take the same rows,
checkpoint, maximal length, rows a batch and epochs, and LoRA the same rank on the same matrices. peft is used as its
documentation shows it: the Trainer, each batch padded to its longest text. Each repetition is a process of its own, and
all take turns, so that whatever else the machine does falls on all of them.

How to read it: the ratios of the medians are the result, the smallest and largest values say how far to trust them.
*Memory of the process* holds Python, torch and the weights too; *of training* is what came on top. Where the machine's
self-test takes bfloat16, Bertie runs in both number formats, and so does peft.

    python benchmarks/tuning_speed.py --data DIR --out docs/benchmarks/tuning_speed.md

In:  DIR with one folder a set
Out: a Markdown page, and all figures as JSON
Knows nothing of how any of them trains: tuning_bertie.py and tuning_peft.py do.
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

from measurement import Spread, command, machine, machine_lines, mark, page, publish, table
from train_speed import write_rows

from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.catalogue import default_model, resolve
from bertie.workflow.request import Recipe

HERE = Path(__file__).resolve().parent
SETS = ("ag_news_en", "chnsenticorp_zh")
STEP, MEMORY, FASTER = 0.8, 0.85, 1.3
"""Targets: LoRA's step and memory as parts of full tuning's; its rows a second as a multiple of peft's."""
HEAD = (
    "set",
    "who",
    "number format",
    "ms a step",
    "rows/s",
    "memory of the process, MB",
    "of training, MB",
    "accuracy",
)
Run = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A program, what it trains, and the number format it computes in."""

    name: str
    script: str
    method: str
    dtype: str

    def train(self, folder: Path, model: Path, arguments: argparse.Namespace, seed: int) -> Run:
        """One training in its own process."""
        given = {"model": model, "dtype": self.dtype, "method": self.method, "seed": seed, "batch": arguments.batch}
        given |= {"rank": arguments.rank if self.method == "lora" else 0, "epochs": arguments.epochs}
        given |= {"max-length": arguments.max_length, "threads": arguments.threads}
        words = [str(word) for name, value in given.items() for word in (f"--{name}", value)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "true"}
        call = [sys.executable, str(HERE / self.script), str(folder), *words]
        done = subprocess.run(call, check=False, capture_output=True, text=True, env=environment)
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
    parser.add_argument("--test-rows", type=int, default=500, help="default %(default)s")
    parser.add_argument("--batch", type=int, default=16, help="rows of a step, default %(default)s")
    parser.add_argument("--rank", type=int, default=8, help="of LoRA, default %(default)s")
    parser.add_argument("--epochs", type=int, default=1, help="default %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default %(default)s")
    usual = Recipe().max_length or 256
    parser.add_argument("--max-length", type=int, default=usual, help="tokens, default %(default)s")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--model", help="folder or alias; otherwise the default of the set's language")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--out", type=Path, help="file for the page")
    return parser.parse_args()


def entered() -> list[Contestant]:
    """Full tuning and LoRA as they come, and peft; where they come in something else, all of LoRA in float32 too."""
    dtype = str(choose_dtype(choose_device())[0]).removeprefix("torch.")
    found = [
        Contestant("full", "tuning_bertie.py", "full", dtype),
        Contestant("LoRA", "tuning_bertie.py", "lora", dtype),
    ]
    if dtype == "float32":
        return [*found, Contestant("peft", "tuning_peft.py", "lora", dtype)]
    return [
        *found,
        Contestant("LoRA float32", "tuning_bertie.py", "lora", "float32"),
        Contestant("peft", "tuning_peft.py", "lora", "float32"),
        Contestant(f"peft {dtype}", "tuning_peft.py", "lora", dtype),
    ]


def compete(name: str, contestants: Sequence[Contestant], arguments: argparse.Namespace) -> dict[str, list[Run]]:
    """All repetitions on one set, in turn."""
    model = resolve(arguments.model or default_model(name.rpartition("_")[2])).folder
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(arguments.data / name, Path(folder), arguments)
        for seed in range(arguments.repeats):
            for contestant in contestants:
                run = contestant.train(Path(folder), model, arguments, seed)
                runs[contestant.name].append(run)
                print(f"{name} {seed} {contestant.name}: {run['step_seconds'] * 1000:.0f} ms a step", file=sys.stderr)
    if len({run["tokens"] for each in runs.values() for run in each}) > 1:
        sys.exit(f"error: {name}: the contestants' tokenizers gave different ids, so speeds cannot be compared")
    if len({run["trained_in_encoder"] for who, each in runs.items() if who != "full" for run in each}) > 1:
        sys.exit(f"error: {name}: the contestants train different numbers of weights, so they cannot be compared")
    return runs


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
        "Tuning speed",
        [
            f"LoRA (rank {arguments.rank} on query and value) against full tuning by the same loop, and against `peft` "
            f"with the `transformers` Trainer: the same {arguments.rows} training rows, the same checkpoint, texts cut "
            f"at {arguments.max_length} tokens, {arguments.batch} rows a step, epochs: {arguments.epochs}. The loop "
            f"alone is measured. Each of the {arguments.repeats} repetitions is a process of its own, in turns. "
            "Medians, with the smallest and largest in brackets; accuracy is the mean on "
            f"{arguments.test_rows} test rows, or all there are.",
            table(HEAD, measured),
            "## Against the targets",
            table(("set", "what", "measured", "target", ""), verdicts),
            "## Machine and command",
            "\n".join(machine_lines(facts)),
            f"```\n{command()}\n```",
        ],
    )


def figures(name: str, contestant: Contestant, runs: Sequence[Run]) -> list[str]:
    """One line of the table."""
    steps = Spread(tuple(1000 * run["step_seconds"] for run in runs))
    accuracy = _of(runs, "accuracy").mean
    memory = [_of(runs, key).text(0) for key in ("loop_peak_mb", "training_mb")]
    return [name, contestant.name, contestant.dtype, steps.text(0), speed(runs).text(), *memory, f"{accuracy:.4f}"]


def verdict(name: str, runs: dict[str, list[Run]]) -> list[list[str]]:
    """Ratios of the medians, and whether they reach the targets."""
    full, lora = runs["full"], runs["LoRA"]
    found = []
    for what, key, most in (
        ("step, LoRA / full", "step_seconds", STEP),
        ("memory of the process, LoRA / full", "loop_peak_mb", MEMORY),
        ("memory of training, LoRA / full", "training_mb", MEMORY),
    ):
        ratio = _of(lora, key).median / _of(full, key).median
        found.append([name, what, f"{ratio:.2f} x", f"at most {most} x", mark(ratio <= most)])
    pairs = {"as each comes": (lora, runs["peft"])}
    pairs |= {"both float32": (runs.get("LoRA float32", lora), runs["peft"])}
    pairs |= {f"both {who.split()[1]}": (lora, each) for who, each in runs.items() if who.startswith("peft ")}
    for what, (ours, theirs) in pairs.items():
        ratio = speed(ours).median / speed(theirs).median
        found.append(
            [name, f"rows/s, LoRA / peft, {what}", f"{ratio:.2f} x", f"at least {FASTER} x", mark(ratio >= FASTER)]
        )
    return found


def speed(runs: Sequence[Run]) -> Spread:
    """Rows a second of the loop."""
    return Spread(tuple(run["rows"] / run["loop_seconds"] for run in runs))


def _of(runs: Sequence[Run], name: str) -> Spread:
    return Spread(tuple(run[name] for run in runs))


if __name__ == "__main__":
    main()
