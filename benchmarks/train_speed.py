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
from collections.abc import Sequence
from typing import Any

import turns
from measurement import Spread, command, machine, machine_lines, mark, page, publish, table
from turns import SETS, Contestant, Run, speed, spread

from bertie.core.runtime import choose_device, choose_dtype

FASTER, FASTER_FLOAT32 = 2.0, 1.4
"""Targets for the ratio of rows a second: as each comes, and float32 against float32."""
WORSE = 0.005
"""Accuracy may be lower by half a point at most."""
HEAD = ("set", "who", "number format", "rows/s", "head start, s", "rows/s with it", "accuracy", "peak memory, MB")


def main() -> None:
    """Every set, every repetition, every contestant in turn; then the page."""
    arguments = turns.parser(__doc__, test_rows=1000).parse_args()
    contestants = entered()
    results = {name: turns.compete(name, contestants, arguments, _line) for name in arguments.names or SETS}
    facts = machine(arguments.threads)
    found = {"command": command(), "machine": facts, "rows": arguments.rows, "results": results}
    publish(render(results, contestants, arguments, facts), found, arguments.out, arguments.json)


def entered() -> list[Contestant]:
    """Bertie as it comes, in float32 too where that is something else, and the Trainer."""
    dtype = str(choose_dtype(choose_device())[0]).removeprefix("torch.")
    ours = [Contestant("bertie", "train_bertie.py", dtype)]
    if dtype != "float32":
        ours.append(Contestant("bertie float32", "train_bertie.py", "float32"))
    return [*ours, Contestant("transformers", "train_transformers.py", "float32")]


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
    head_start = spread(runs, "head_start_seconds")
    return [
        name,
        contestant.name,
        contestant.dtype,
        speed(runs).text(),
        head_start.text() if head_start.median else "–",
        whole.text(),
        f"{spread(runs, 'accuracy').mean:.4f}",
        spread(runs, "peak_mb").text(0),
    ]


def verdict(name: str, runs: dict[str, list[Run]]) -> list[list[str]]:
    """Ratios of the medians, and whether they reach the targets."""
    ours, theirs = runs["bertie"], runs["transformers"]
    ratio = speed(ours).median / speed(theirs).median
    same = speed(runs.get("bertie float32", ours)).median / speed(theirs).median
    better = spread(ours, "accuracy").mean - spread(theirs, "accuracy").mean
    memory = spread(ours, "peak_mb").median / spread(theirs, "peak_mb").median
    return [
        [name, "rows/s, as each comes", f"{ratio:.2f} x", f"at least {FASTER} x", mark(ratio >= FASTER)],
        [name, "rows/s, float32", f"{same:.2f} x", f"at least {FASTER_FLOAT32} x", mark(same >= FASTER_FLOAT32)],
        [name, "accuracy", f"{better * 100:+.2f} points", "at most 0.5 points lower", mark(better >= -WORSE)],
        [name, "peak memory", f"{memory:.2f} x", "no higher", mark(memory <= 1.0)],
    ]


def _line(run: Run) -> str:
    return f"{run['rows'] / run['loop_seconds']:.1f} rows/s, {run['accuracy']:.4f}"


def _remark(contestants: Sequence[Contestant]) -> str:
    if len(contestants) == 2:
        return "This machine's self-test takes float32, so both ratios are of the same runs."
    return "This machine's self-test takes bfloat16: that is how Bertie comes here; *bertie float32* was told not to."


if __name__ == "__main__":
    main()
