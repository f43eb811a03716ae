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
import sys
from collections.abc import Sequence
from typing import Any

import turns
from measurement import Spread, command, machine, machine_lines, mark, page, publish, table
from turns import SETS, Contestant, Run, speed, spread

from bertie.core.runtime import choose_device, choose_dtype

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


def main() -> None:
    """Every set, every repetition, every contestant in turn; then the page."""
    arguments = parse()
    contestants = entered(arguments.batch, arguments.rank)
    results = {name: compete(name, contestants, arguments) for name in arguments.names or SETS}
    facts = machine(arguments.threads)
    found = {"command": command(), "machine": facts, "rows": arguments.rows, "results": results}
    publish(render(results, contestants, arguments, facts), found, arguments.out, arguments.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = turns.parser(__doc__, test_rows=500)
    parser.add_argument("--batch", type=int, default=16, help="rows of a step, default %(default)s")
    parser.add_argument("--rank", type=int, default=8, help="of LoRA, default %(default)s")
    return parser.parse_args()


def entered(batch: int, rank: int) -> list[Contestant]:
    """Full tuning and LoRA as they come, and peft; where they come in something else, all of LoRA in float32 too."""
    dtype = str(choose_dtype(choose_device())[0]).removeprefix("torch.")
    full, lora = ({"method": name, "batch": batch, "rank": size} for name, size in (("full", 0), ("lora", rank)))
    found = [
        Contestant("full", "tuning_bertie.py", dtype, full),
        Contestant("LoRA", "tuning_bertie.py", dtype, lora),
    ]
    if dtype == "float32":
        return [*found, Contestant("peft", "tuning_peft.py", dtype, lora)]
    return [
        *found,
        Contestant("LoRA float32", "tuning_bertie.py", "float32", lora),
        Contestant("peft", "tuning_peft.py", "float32", lora),
        Contestant(f"peft {dtype}", "tuning_peft.py", dtype, lora),
    ]


def compete(name: str, contestants: Sequence[Contestant], arguments: argparse.Namespace) -> dict[str, list[Run]]:
    """All repetitions on one set; those of LoRA train the same number of weights."""
    runs = turns.compete(name, contestants, arguments, lambda run: f"{run['step_seconds'] * 1000:.0f} ms a step")
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
    accuracy = spread(runs, "accuracy").mean
    memory = [spread(runs, key).text(0) for key in ("loop_peak_mb", "training_mb")]
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
        ratio = spread(lora, key).median / spread(full, key).median
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


if __name__ == "__main__":
    main()
