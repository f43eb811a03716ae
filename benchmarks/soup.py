"""Soup: what several seeds are worth, as one model of averaged weights and as several models of averaged answers.

Measured: `bertie train SET --seeds N`, the metric of each member on the dev and on the test part beside that of the
uniform soup, the greedy soup and the averaged ensemble of the same members (`--resume --combine`, so nothing is trained
twice), and how long the bundle of each takes to answer the test part. Every command is its own process with default
settings, but for the time: each member gets the minutes that one training has.

How to read it: `over members` is the combination minus the mean of its members on the test part, in points. A soup
costs as much to use as one member, an average N times as much. Seeds of members begin at the seed of the line, so lines
of one set must be N apart.

    python benchmarks/soup.py sst2_en chnsenticorp_zh --data DIR --members 3 --seeds 0,100 --render

Each finished line is one set and seed in the results file, and what stands there is not run again: an interrupted run
goes on. Delete the file after a change of the code.

In:  DIR with one folder a set
Out: a JSON line a set and seed; docs/benchmarks/soup.md and soup.zh.md
Knows nothing of how models are combined.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import kept
import measurement
from kept import Record
from measurement import CLI, command, machine, machine_lines, page, table

WAYS = ("soup", "greedy_soup", "average")


def main() -> None:
    """Runs what is missing and makes the pages."""
    kept.main("soup", parse(), run_missing, render, (ENGLISH, CHINESE))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = kept.parser(__doc__, "soup", sets="sets", line="a set and seed")
    parser.add_argument("--seeds", default="0,100,200", help="first seed of each line; default %(default)s")
    parser.add_argument("--members", type=int, default=3, help="trainings a line; default %(default)s")
    parser.add_argument("--minutes", type=float, default=15, help="of each training; default %(default)s")
    parser.add_argument("--set", action="append", default=[], help="a changed setting, passed on; take another --json")
    parser.add_argument("--model", help="passed on; otherwise chosen by the command")
    return parser.parse_args()


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every set and seed that has no line yet. Returns those that failed."""
    facts = machine()
    done = {(record["set"], record["seed"], len(record["members"])) for record in kept.records(arguments.json)}
    failures = []
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.names:
            if (name, seed, arguments.members) in done:
                print(f"{name} seed {seed}: done before", file=sys.stderr)
            elif not run(name, seed, arguments, facts):
                failures.append(f"{name} seed {seed}")
    return failures


def run(name: str, seed: int, arguments: argparse.Namespace, facts: dict[str, Any]) -> bool:
    """The trainings of one line, combined in each way; the line is written once all has gone well."""
    seconds = f"{arguments.minutes * 60 * arguments.members:.0f}s"
    options = ["--seed", str(seed), "--seeds", str(arguments.members), "--json"]
    options += [word for setting in arguments.set for word in ("--set", setting)]
    options += ["--model", arguments.model] if arguments.model else []
    combined: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = ["train", str(arguments.data / name), "--out", f"{folder}/bundle", *options]
        for way in WAYS:
            more = ["--resume"] if combined else ["--budget", seconds]
            done = measurement.run(f"{name} seed {seed} {way}", [*base, "--combine", way, *more])
            if done is None:
                return False
            combined[way] = {**done.found, "answering_seconds": answering(folder, name, arguments)}
    record = describe(combined) | {"set": name, "seed": seed, "command": command(), "machine": facts}
    kept.add_records(arguments.json, record)
    print(f"{name} seed {seed}: {line_of(record)}", file=sys.stderr)
    return True


def answering(folder: str, name: str, arguments: argparse.Namespace) -> float:
    """Seconds in which the bundle answers the rows that judge."""
    done = subprocess.run(
        [*CLI, "evaluate", f"{folder}/bundle", str(arguments.data / name), "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout)["seconds"])


def describe(combined: dict[str, Any]) -> Record:
    """What is kept of a line: each member, each combination."""
    soup = combined["soup"]
    ways = {
        way: {
            "test": found["primary"]["value"],
            "dev": found["members"]["dev"],
            "members": [one["name"] for one in found["members"]["trained"] if one["in"]],
            "answering_seconds": found["answering_seconds"],
        }
        for way, found in combined.items()
    }
    members = [{"dev": one["dev"], "test": one["test"]} for one in soup["members"]["trained"]]
    return {"task": soup["task"], "rows": soup["rows"], "metric": soup["primary"]["name"], "members": members, **ways}


@dataclass(frozen=True)
class Words:
    """The page in one language."""

    title: str
    about: str
    head: tuple[str, ...]
    together: str
    together_head: tuple[str, ...]
    ways: dict[str, str]
    machine: str
    link: str


ENGLISH = Words(
    title="Soups and ensembles of seeds",
    about="`bertie train SET --seeds N`: N trainings that differ in their random numbers alone. *soup*: the mean of "
    "their weights; *greedy soup*: of those that help on the dev rows; *average*: the mean of their answers, which "
    "costs N times as much to use. Scores are of the test part; seconds are those of answering it.",
    head=(
        "set",
        "seed",
        "metric",
        "members, dev",
        "members, test",
        "soup",
        "greedy soup (of)",
        "average",
        "s soup / average",
    ),
    together="## Over members",
    together_head=("set", "lines", "combination", "mean gain, points", "smallest", "largest", "over the best on dev"),
    ways={"soup": "soup", "greedy_soup": "greedy soup", "average": "average"},
    machine="## Machine and command",
    link="[中文](soup.zh.md)",
)
CHINESE = Words(
    title="多个随机种子的权重平均与集成",
    about="`bertie train SET --seeds N`：N 次训练只有随机数不同。“权重平均”：各模型权重的平均；"
    "“贪心权重平均”：只留下在开发集上有帮助的；"
    "“答案平均”：各模型答案的平均，使用时的计算量是 N 倍。得分在测试集上计算；时间是回答测试集的秒数。",
    head=(
        "数据集",
        "种子",
        "指标",
        "成员，开发集",
        "成员，测试集",
        "权重平均",
        "贪心（个数）",
        "答案平均",
        "秒：权重 / 答案",
    ),
    together="## 与成员相比",
    together_head=("数据集", "次数", "方法", "平均提高（点）", "最小", "最大", "与开发集上最好的成员相比"),
    ways={"soup": "权重平均", "greedy_soup": "贪心权重平均", "average": "答案平均"},
    machine="## 机器与命令",
    link="[English](soup.md)",
)


def render(found: list[Record], words: Words) -> str:
    """The page: a line a set and seed, then the gains of each combination over the lines of a set."""
    ordered = sorted(found, key=lambda record: (record["set"], record["seed"]))
    names = list(dict.fromkeys(record["set"] for record in ordered))
    gains = [
        gain_line(name, [record for record in ordered if record["set"] == name], way, words)
        for name in names
        for way in WAYS
    ]
    commands = "\n".join(dict.fromkeys(record["command"] for record in found))
    return page(
        words.title,
        [
            words.link,
            words.about,
            table(words.head, map(set_line, ordered)),
            words.together,
            table(words.together_head, gains),
            words.machine,
            "\n".join(machine_lines(found[-1]["machine"])),
            f"```\n{commands}\n```",
        ],
    )


def set_line(record: Record) -> list[str]:
    """One set and seed."""
    greedy = record["greedy_soup"]
    return [
        record["set"],
        str(record["seed"]),
        record["metric"],
        _figures([one["dev"] for one in record["members"]]),
        _figures([one["test"] for one in record["members"]]),
        f"{record['soup']['test']:.4f}",
        f"{greedy['test']:.4f} ({len(greedy['members'])})",
        f"{record['average']['test']:.4f}",
        f"{record['soup']['answering_seconds']:.1f} / {record['average']['answering_seconds']:.1f}",
    ]


def gain_line(name: str, found: Sequence[Record], way: str, words: Words) -> list[str]:
    """What a combination gains on the test part: over the mean of its members, and over the one that dev chooses."""
    gains = [100 * (record[way]["test"] - _mean_member(record)) for record in found]
    chosen = [100 * (record[way]["test"] - _chosen_member(record)) for record in found]
    figures = [statistics.fmean(gains), min(gains), max(gains), statistics.fmean(chosen)]
    return [name, str(len(found)), words.ways[way], *(f"{figure:+.2f}" for figure in figures)]


def line_of(record: Record) -> str:
    """A line for who waits."""
    ways = ", ".join(f"{way} {record[way]['test']:.4f}" for way in WAYS)
    return f"members {_figures([one['test'] for one in record['members']])}; {ways}"


def _mean_member(record: Record) -> float:
    return statistics.fmean(one["test"] for one in record["members"])


def _chosen_member(record: Record) -> float:
    best: Record = max(record["members"], key=lambda one: one["dev"])
    return float(best["test"])


def _figures(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


if __name__ == "__main__":
    main()
