"""Few examples: what eight rows a class are worth, learned in four ways, over several draws of the rows.

Measured: accuracy on test rows, of models that have seen the same few training rows with the same encoder:

    frozen       a linear head on the encoder as it came: the floor that stands beside each contrastive model
    contrastive  `bertie fewshot`: pairs tune the encoder, then the same linear head
    full         `bertie train` on these rows: all weights, from the frozen head's solution, with more epochs than usual
    zero_shot    `bertie fewshot --by descriptions`: no row at all, only what the labels mean

How to read it: a draw is one choice of the rows, made by its number as seed; the difference is taken draw by draw, so
what a lucky draw gives to both falls out. The bar is the mean difference of `contrastive` to `frozen`. Test rows are a
fixed sample where there are more than --test-rows. Labels have no descriptions but their names, unless DIR/SET has a
file `descriptions.csv` with `text,label`; where it has, that stands in the table.

    python benchmarks/few_shot.py --data DIR --render

Every learning is its own process running the real command. Each finished one is one line in the results file, and what
stands there is not run again: an interrupted benchmark goes on. Delete the file after a change of the code.

In:  DIR with one folder a set
Out: a JSON line a run; docs/benchmarks/few_shot.md and few_shot.zh.md
Knows nothing of how anything is learned.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kept
import measurement
from kept import Record
from measurement import command, machine, machine_lines, mark, page, sample, table

from bertie.data.few_rows import draw_few
from bertie.data.kinds import LABELS
from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions, read, split_files

SETS = ("sst2_en", "trec_en", "chnsenticorp_zh")
FROZEN, OURS = "frozen", "contrastive"
WAYS = (FROZEN, OURS, "full", "zero_shot")
BAR = 0.04
"""Mean difference of `contrastive` to `frozen`."""
DESCRIPTIONS = "descriptions.csv"


def main() -> None:
    """Runs what is missing and makes the pages."""
    kept.main("few_shot", parse(), run_missing, render, (ENGLISH, CHINESE))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = kept.parser(__doc__, "few_shot", sets="sets; otherwise the three of the bar", line="a run")
    parser.add_argument("--draws", type=int, default=5, help="how often the rows are drawn; default %(default)s")
    parser.add_argument("--examples", type=int, default=8, help="rows of each class; default %(default)s")
    parser.add_argument("--test-rows", type=int, default=1000, help="at most; default %(default)s")
    parser.add_argument("--model", default="e5-small", help="the encoder of all of them; default %(default)s")
    parser.add_argument("--full-epochs", type=int, default=20, help="of `full`; default %(default)s")
    parser.add_argument(
        "--set", action="append", default=[], help="a changed setting of `contrastive`; then take another --json"
    )
    return parser.parse_args()


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every run of the plan that has no line yet, the first draw of every set before the others. Returns failures."""
    facts = machine()
    failures = []
    for draw in range(arguments.draws):
        for name in arguments.names or SETS:
            done = {(one["set"], one["draw"], one["way"]) for one in kept.records(arguments.json)}
            missing = [way for way in WAYS[1:] if (name, draw, way) not in done]
            with tempfile.TemporaryDirectory() as place:
                parts = write_parts(name, draw, arguments, Path(place)) if missing else None
                for way in missing:
                    assert parts is not None
                    if not run(way, Job(name, draw, parts, Path(place) / way), arguments, facts):
                        failures.append(f"{name} draw {draw} {way}")
    return failures


@dataclass(frozen=True)
class Job:
    """A draw of a set, as files."""

    name: str
    draw: int
    parts: Path
    """Folder with train.csv, the rows that were drawn, and test.csv."""
    out: Path


def write_parts(name: str, draw: int, arguments: argparse.Namespace, place: Path) -> Path:
    """The rows of a draw, the sample of the test rows, and the descriptions where there are any."""
    files = split_files(arguments.data / name)
    few, _ = draw_few(read(files["train"], ReadOptions(kind=LABELS)), arguments.examples, draw)
    test = sample(read(files["test"], ReadOptions(kind=LABELS)), arguments.test_rows)
    parts = place / name
    parts.mkdir()
    for file, rows in (("train.csv", few), ("test.csv", test)):
        write(parts / file, rows)
    return parts


def write(path: Path, rows: Rows) -> None:
    """Rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([row["text"], row["label"]] for row in rows)


def call(way: str, job: Job, arguments: argparse.Namespace) -> list[str]:
    """The command of a way to learn."""
    shared = ["--model", arguments.model, "--seed", str(job.draw), "--out", str(job.out), "--json"]
    given = arguments.data / job.name / DESCRIPTIONS
    words = ["--descriptions", str(given)] if given.is_file() else []
    if way == "full":
        train = str(job.parts / "train.csv")
        # There are no dev rows in this world: the drawn ones stand in, nothing is chosen or set right by them.
        settings = [f"training.epochs={arguments.full_epochs}", "training.keep=last", "task.calibration=none"]
        options = ["--dev", train, "--test", str(job.parts / "test.csv"), *shared]
        return ["train", train, *options, *(word for one in settings for word in ("--set", one))]
    by = ["--by", "descriptions"] if way == "zero_shot" else [word for one in arguments.set for word in ("--set", one)]
    return ["fewshot", str(job.parts), "--examples", "0", *by, *words, *shared]


def run(way: str, job: Job, arguments: argparse.Namespace, facts: dict[str, Any]) -> bool:
    """One learning in its own process; its line is written once it has gone well, that of its floor before it."""
    done = measurement.run(f"{job.name} draw {job.draw} {way}", call(way, job, arguments))
    if done is None:
        return False
    evaluation = done.found
    about = {
        "set": job.name,
        "draw": job.draw,
        "examples": arguments.examples,
        "test_rows": evaluation["rows"],
        "model": Path(arguments.model).name,
        "described": (arguments.data / job.name / DESCRIPTIONS).is_file(),
        "command": command(),
        "machine": facts,
    }
    lines = [{"way": way, **figure(evaluation["primary"]), "seconds": round(done.seconds, 1), **about}]
    if way == OURS:
        floor = evaluation["floors"]["frozen_encoder"]
        lines = [{"way": FROZEN, **figure(floor), **about}, *lines]
    kept.add_records(arguments.json, *lines)
    print(f"{job.name} draw {job.draw} {way}: {lines[-1]['value']:.4f} in {done.seconds:.0f} s", file=sys.stderr)
    return True


def figure(found: Record) -> Record:
    """A score with its interval."""
    return {name: found[name] for name in ("value", "low", "high")}


@dataclass(frozen=True)
class Words:
    """The page in one language."""

    title: str
    about: str
    head: tuple[str, ...]
    draws: str
    draws_head: tuple[str, ...]
    machine: str
    passed: str
    failed: str
    link: str


ENGLISH = Words(
    title="Few examples",
    about="Accuracy on test rows of models that have seen the same few rows of each class, with the same encoder: mean "
    "and sample deviation over the draws, in points. `frozen` is the encoder as it came with a linear head, "
    "`contrastive` is `bertie fewshot`, `full` tunes all weights, `zero-shot` has seen no row, only the names of the "
    "labels or, where marked \\*, descriptions. The difference is contrastive minus frozen, draw by draw; the bar is "
    "+4 points in the mean. Seconds are the median of the whole contrastive command, test rows and floors included.",
    head=("set", "encoder", "a class", "draws", "frozen", "contrastive", "full", "zero-shot", "difference", "", "s"),
    draws="## Each draw",
    draws_head=("set", "draw", "test rows", "frozen", "contrastive", "full", "zero-shot", "difference"),
    machine="## Machine and command",
    passed=mark(True),
    failed=mark(False),
    link="[中文](few_shot.zh.md)",
)
CHINESE = Words(
    title="少量样例",
    about="每类只见过同样几行、编码器也相同的模型在测试集上的准确率：各次抽取的平均值与样本标准差，单位为百分点。"
    "`frozen` 是原样的编码器加线性头，`contrastive` 是 `bertie fewshot`，`full` 训练全部权重，"
    "`zero-shot` 没有见过任何一行，只有标签的名称，或（标 \\* 处）标签的描述。"
    "差值是逐次抽取的 contrastive 减 frozen，目标是平均 +4 个百分点。"
    "秒数是整条 contrastive 命令的中位数，含测试行和基线。",
    head=("数据集", "编码器", "每类行数", "抽取次数", "frozen", "contrastive", "full", "zero-shot", "差值", "", "秒"),
    draws="## 每次抽取",
    draws_head=("数据集", "抽取", "测试行数", "frozen", "contrastive", "full", "zero-shot", "差值"),
    machine="## 机器与命令",
    passed="达到",
    failed="**未达到**",
    link="[English](few_shot.md)",
)


def render(found: list[Record], words: Words) -> str:
    """The page: a line a set, then a line a draw."""
    runs = {(one["set"], one["draw"], one["way"]): one for one in found}
    names = [name for name in SETS if any(key[0] == name for key in runs)]
    names += sorted({key[0] for key in runs} - set(names))
    whole = {name: sorted({draw for one, draw, way in runs if one == name and way == OURS}) for name in names}
    commands = "\n".join(dict.fromkeys(one["command"] for one in found))
    return page(
        words.title,
        [
            words.link,
            words.about,
            table(words.head, [set_line(name, whole[name], runs, words) for name in names if whole[name]]),
            words.draws,
            table(words.draws_head, [draw_line(name, draw, runs) for name in names for draw in whole[name]]),
            words.machine,
            "\n".join(machine_lines(found[-1]["machine"])),
            f"```\n{commands}\n```",
        ],
    )


Runs = dict[tuple[str, int, str], Record]


def set_line(name: str, draws: list[int], runs: Runs, words: Words) -> list[str]:
    """Means over the draws against the bar."""
    first = runs[name, draws[0], OURS]
    values = {way: [runs[name, draw, way]["value"] for draw in draws if (name, draw, way) in runs] for way in WAYS}
    gains = [runs[name, draw, OURS]["value"] - runs[name, draw, FROZEN]["value"] for draw in draws]
    return [
        name + (" \\*" if first["described"] else ""),
        first["model"],
        str(first["examples"]),
        str(len(draws)),
        *(spread(values[way]) for way in WAYS),
        spread(gains, "+"),
        words.passed if statistics.fmean(gains) >= BAR else words.failed,
        f"{statistics.median(runs[name, draw, OURS]['seconds'] for draw in draws):.0f}",
    ]


def draw_line(name: str, draw: int, runs: Runs) -> list[str]:
    """One draw, each way."""
    found = [runs.get((name, draw, way)) for way in WAYS]
    gain = runs[name, draw, OURS]["value"] - runs[name, draw, FROZEN]["value"]
    figures = [f"{100 * one['value']:.1f}" if one else "–" for one in found]
    return [name, str(draw), str(runs[name, draw, OURS]["test_rows"]), *figures, f"{100 * gain:+.1f}"]


def spread(values: list[float], sign: str = "") -> str:
    """Mean and deviation in points."""
    if not values:
        return "–"
    deviation = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):{sign}.1f}{deviation}"


if __name__ == "__main__":
    main()
