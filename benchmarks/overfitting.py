"""Methods against over-fitting, each against plain training with the same seeds.

Measured: the primary metric on the test part after `bertie train SET --seed S` and after the same command with a
method's settings, each in its own process. A seed changes the order of the rows and the dropout, and the dev part
where the set brings none, alike for all methods: so the difference of two trainings is taken seed by seed, and the
deviation that counts is that of these differences. Every training does all its epochs (`--budget` is large): a method
that makes a step dearer shall not be judged by fewer of them. Trainings that chose different models are not compared.

How to read it: a method *helps* where the 95 % interval of the mean difference (Student's t over the seeds) is above
zero, *harms* where it is below, and otherwise no difference was seen, which is no proof that there is none. `cost` is
the seconds of a step, evaluations included, as a multiple of those of plain training. Many methods on many sets are
many looks: one of twenty intervals misses zero by luck.

    python benchmarks/overfitting.py sst2_en chnsenticorp_zh --data DIR --seeds 0,1,2,3,4 --render

Methods: plain and those of `--methods`, from the list in METHODS; any other by `--also NAME SETTING[,SETTING]`, as in
`--also fgm_far training.regularization.name=fgm,training.regularization.epsilon=0.1`. Each finished training is one
line in the results file, and what stands there is not run again: an interrupted run goes on. Delete the file after a
change of the code.

In:  DIR with one folder a set
Out: a JSON line a training; docs/benchmarks/overfitting.md and overfitting.zh.md
Knows nothing of how training works.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import kept
from kept import Record
from measurement import Spread, machine_lines, page, table
from paired import Difference

PLAIN = "plain"
METHODS = {
    "rdrop": ("training.regularization.name=rdrop",),
    "fgm": ("training.regularization.name=fgm",),
    "pgd": ("training.regularization.name=pgd",),
    "freelb": ("training.regularization.name=freelb",),
    "vat": ("training.regularization.name=vat",),
    "mixup": ("training.regularization.name=mixup",),
    "ema": ("training.average.name=ema",),
    "swa": ("training.average.name=swa",),
}
"""Name to settings."""


def main() -> None:
    """Runs what is missing and makes the pages."""
    kept.main("overfitting", parse(), run_missing, render, (ENGLISH, CHINESE))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = kept.parser(__doc__, "overfitting", sets="sets")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="default %(default)s")
    parser.add_argument("--methods", default="rdrop,fgm", help=f"of {', '.join(METHODS)}; default %(default)s")
    parser.add_argument("--also", action="append", default=[], nargs=2, metavar=("NAME", "SETTINGS"))
    parser.add_argument("--set", action="append", default=[], help="for all trainings; then take another --json")
    parser.add_argument("--budget", default="3h", help="of each training, passed on; default %(default)s")
    parser.add_argument("--model", help="passed on; otherwise chosen by the command")
    return parser.parse_args()


def settings(arguments: argparse.Namespace) -> dict[str, Sequence[str]]:
    """The settings of each method that was asked for, plain training first."""
    named = [name for name in arguments.methods.split(",") if name]
    if unknown := [name for name in named if name not in METHODS]:
        sys.exit(f"error: --methods {unknown[0]}: choose of {', '.join(METHODS)}, or name its settings with --also")
    chosen: dict[str, Sequence[str]] = {PLAIN: (), **{name: METHODS[name] for name in named}}
    return chosen | {name: text.split(",") for name, text in arguments.also}


def plan(arguments: argparse.Namespace) -> Iterator[Record]:
    """Every training: seed by seed, so that what is done at any time can be compared."""
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.names:
            for method, own in settings(arguments).items():
                yield {"set": name, "seed": seed, "method": method, "settings": list(own)}


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every training of the plan that has no line yet. Returns those that failed."""
    chosen = settings(arguments)
    for record in kept.records(arguments.json):
        method = record["method"]
        if method in chosen and list(chosen[method]) != record["settings"]:
            sys.exit(f"error: {arguments.json.name} has {method} with other settings; take another name, or --json")

    def options(one: Record) -> list[str]:
        return ["--budget", arguments.budget, *(word for setting in one["settings"] for word in ("--set", setting))]

    return kept.train_missing(arguments, plan(arguments), options)


@dataclass(frozen=True)
class Words:
    """The page in one language."""

    title: str
    about: str
    head: tuple[str, ...]
    seeds: str
    seeds_head: tuple[str, ...]
    settings: str
    machine: str
    helps: str
    harms: str
    unseen: str
    open: str
    link: str


ENGLISH = Words(
    title="Methods against over-fitting",
    about="`bertie train SET --seed S` with and without a method, each in its own process, all with the same epochs. "
    "The task's metric on the test part; differences are taken seed by seed. *Helps* and *harms* mean that the 95 % "
    "interval of the mean difference (Student's t) excludes zero. Cost: seconds of a step as a multiple of plain "
    "training's, median (smallest–largest). One of twenty intervals misses zero by luck.",
    head=("set", "method", "metric", "seeds", "mean", "difference", "deviation", "95 %", "cost", "verdict"),
    seeds="## Every seed",
    seeds_head=("set", "method", "values by seed", "differences by seed"),
    settings="## Settings",
    machine="## Machine and command",
    helps="**helps**",
    harms="**harms**",
    unseen="no difference seen",
    open="one seed says nothing",
    link="[中文](overfitting.zh.md)",
)
CHINESE = Words(
    title="防止过拟合的方法",
    about="`bertie train SET --seed S` 加与不加某一方法，每次训练都是独立的进程，轮数相同。"
    "各任务的主要指标在测试集上计算；差值按相同的随机种子逐一相减。"
    "“有帮助”“有害”表示平均差值的 95 % 区间（t 分布）不含零。"
    "代价：每步秒数相当于普通训练的倍数，中位数（最小–最大）。每二十个区间中平均有一个会偶然不含零。",
    head=("数据集", "方法", "指标", "种子数", "平均", "差值", "标准差", "95 %", "代价", "结论"),
    seeds="## 每个种子",
    seeds_head=("数据集", "方法", "各种子的值", "各种子的差值"),
    settings="## 设置",
    machine="## 机器与命令",
    helps="**有帮助**",
    harms="**有害**",
    unseen="未见差别",
    open="一个种子说明不了什么",
    link="[English](overfitting.md)",
)


def verdict(difference: Difference, words: Words) -> str:
    """In a word or two."""
    if difference.interval is None:
        return words.open
    low, high = difference.interval
    return words.helps if low > 0 else words.harms if high < 0 else words.unseen


def render(found: list[Record], words: Words) -> str:
    """The page: a line a set and method, then every seed."""
    grouped: dict[tuple[str, str], list[Record]] = {}
    for record in sorted(found, key=lambda one: (one["set"], one["method"] != PLAIN, one["seed"])):
        grouped.setdefault((record["set"], record["method"]), []).append(record)
    beside = {key: grouped.get((key[0], PLAIN), []) for key in grouped}
    lines = [line(key, some, beside[key], words) for key, some in grouped.items()]
    seeds = [seeds_line(key, some, beside[key]) for key, some in grouped.items()]
    named = {record["method"]: record["settings"] for record in found if record["settings"]}
    commands = "\n".join(dict.fromkeys(record["command"] for record in found))
    return page(
        words.title,
        [
            words.link,
            words.about,
            table(words.head, lines),
            words.seeds,
            table(words.seeds_head, seeds),
            words.settings,
            "\n".join(f"- {name}: `{' '.join(f'--set {one}' for one in some)}`" for name, some in named.items()),
            words.machine,
            "\n".join(machine_lines(found[-1]["machine"])),
            f"```\n{commands}\n```",
        ],
    )


def line(key: tuple[str, str], some: Sequence[Record], plain: Sequence[Record], words: Words) -> list[str]:
    """A method on a set; plain training has no difference."""
    name, method = key
    values = [record["primary"]["value"] for record in some]
    first = [name, method, some[0]["primary"]["name"], str(len(values)), f"{statistics.fmean(values):.4f}"]
    difference = Difference.of(some, plain)
    if method == PLAIN or not difference.by_seed:
        return [*first, "–", "–", "–", "–", "–"]
    low, high = difference.interval or (math.nan, math.nan)
    return [
        *first,
        f"{difference.mean:+.4f}",
        "–" if difference.deviation is None else f"{difference.deviation:.4f}",
        "–" if difference.interval is None else f"[{low:+.4f}, {high:+.4f}]",
        Spread(difference.costs).text(2),
        verdict(difference, words),
    ]


def seeds_line(key: tuple[str, str], some: Sequence[Record], plain: Sequence[Record]) -> list[str]:
    """All values of a method on a set, in the order of the seeds."""
    values = ", ".join(f"{record['seed']}: {record['primary']['value']:.4f}" for record in some)
    by_seed = {} if key[1] == PLAIN else Difference.of(some, plain).by_seed
    return [*key, values, ", ".join(f"{seed}: {value:+.4f}" for seed, value in by_seed.items()) or "–"]


if __name__ == "__main__":
    main()
