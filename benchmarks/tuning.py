"""Tuning methods beside full tuning: score, trained weights, memory, time, size of what is left.

Measured: `bertie train SET --method M --seed S`, each in its own process, with the settings that the command
chooses for the method; every training does all its epochs (`--budget` is large), and all methods of a set tune the
same encoder, that of full tuning. *Trained* is the part of the encoder's weights that gets gradients when the training
begins; the head is always trained. *File* is what `bertie export --format adapter` writes, and where it takes no
adapter the encoder's weights. *Memory* is the most that the process held, libraries (about 400 MB), rows and floors
included.

How to read it: differences are taken seed by seed; one seed has no interval. A second's cost is of a step, evaluations
included, as a multiple of full tuning's in the same run of this program; methods do not take turns, so a busy machine
shows. The bars are those of the methods that have one: LoRA within 1 point of full tuning with at most 3 % of the
weights, Houlsby's adapters, AdaLoRA and prefixes within 2.

    python benchmarks/tuning.py clinc150_en thucnews_zh --data DIR --seeds 0 --render

Each finished training is one line in the results file, and what stands there is not run again: an interrupted run goes
on. Delete the file after a change of the code.

In:  DIR with one folder a set
Out: a JSON line a training; docs/benchmarks/tuning.md and tuning.zh.md
Knows nothing of how a method works.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kept
from kept import Record
from measurement import CLI, Spread, machine, machine_lines, mark, page, table, train
from paired import Difference

from bertie.bundle.folder import METHODS, load
from bertie.tuning.base import bare

FULL = "full"
BARS = {"lora": (0.01, 0.03), "houlsby": (0.02, 1.0), "adalora": (0.02, 1.0), "prefix": (0.02, 1.0)}
"""How far below full tuning a method may lie at most, and the part of the weights that it may train."""
EXACT = 1e-9
"""A difference of two fractions that lies on the bar does not miss it by its last digit."""
SETS = ("clinc150_en", "thucnews_zh")


def main() -> None:
    """Runs what is missing and makes the pages."""
    kept.main("tuning", parse(), run_missing, render, (ENGLISH, CHINESE))


def parse() -> argparse.Namespace:
    """The command line."""
    others = [name for name in METHODS.classes() if name != FULL]
    parser = kept.parser(__doc__, "tuning", sets=f"sets; otherwise {', '.join(SETS)}")
    parser.add_argument("--seeds", default="0", help="default %(default)s")
    parser.add_argument("--methods", default=",".join(others), help="default %(default)s; full tuning comes first")
    parser.add_argument("--set", action="append", default=[], help="for all trainings; then take another --json")
    parser.add_argument("--budget", default="3h", help="of each training, passed on; default %(default)s")
    parser.add_argument("--model", help="of full tuning, passed on; otherwise chosen by the command")
    return parser.parse_args()


def plan(arguments: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Set, seed and method of each training, full tuning before what is compared with it."""
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.names or SETS:
            for method in (FULL, *filter(None, arguments.methods.split(","))):
                yield name, seed, method


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every training of the plan that has no line yet. Returns those that failed."""
    for method in filter(None, arguments.methods.split(",")):
        if method not in METHODS.classes():
            sys.exit(f"error: --methods {method}: choose of {', '.join(METHODS.classes())}")
    facts = machine()
    found, failures = kept.records(arguments.json), []
    done = {(record["set"], record["seed"], record["method"]): record for record in found}
    for name, seed, method in plan(arguments):
        what = f"{name} seed {seed} {method}"
        if (name, seed, method) in done:
            print(f"{what}: done before", file=sys.stderr)
            continue
        full = done.get((name, seed, FULL))
        model = full["model"] if full else arguments.model
        options = ["--method", method, "--seed", str(seed), "--budget", arguments.budget]
        options += [word for setting in arguments.set for word in ("--set", setting)]
        options += ["--model", model] if model else []
        record = train(arguments.data / name, what, options, left)
        if record is None:
            failures.append(what)
            continue
        record |= {"set": name, "seed": seed, "method": method, "machine": facts}
        kept.add_records(arguments.json, record)
        done[name, seed, method] = record
    return failures


def left(bundle: Path) -> dict[str, Any]:
    """What the method trained, and the bytes that are to be kept beside the encoder."""
    model = load(bundle)
    assert model.tuning is not None, "a bundle of bertie train names its method"
    encoder = bare(model.encoder)
    whole = sum(parameter.numel() for parameter in encoder.parameters())
    model.tuning.apply(encoder)
    trained = sum(parameter.numel() for parameter in encoder.parameters() if parameter.requires_grad)
    return {"trained": trained, "whole": whole, "bytes": kept_bytes(bundle)}


def kept_bytes(bundle: Path) -> int:
    """Of the adapter's weights; of the encoder's, where most of it was changed and no adapter is made."""
    adapter = bundle.parent / "adapter"
    words = ["export", str(bundle), "--format", "adapter", "--out", str(adapter)]
    if subprocess.run([*CLI, *words], check=False, capture_output=True).returncode:
        return (bundle / "model" / "model.safetensors").stat().st_size
    return sum(path.stat().st_size for path in adapter.rglob("*.safetensors"))


@dataclass(frozen=True)
class Words:
    """The page in one language."""

    title: str
    about: str
    head: tuple[str, ...]
    bars: str
    bar_head: tuple[str, ...]
    machine: str
    passed: str
    failed: str
    link: str


ENGLISH = Words(
    title="Tuning methods",
    about="`bertie train SET --method M --seed S` with the settings chosen for the method, each in its own process, "
    "all epochs, all methods of a set on the encoder of full tuning. The task's metric on the test part; differences "
    "to full tuning are taken seed by seed. Trained: part of the encoder's weights with gradients at the start. File: "
    "what is to be kept beside the encoder. Memory: the most that the process held, libraries included. Step: seconds "
    "of a step as a multiple of full tuning's, median (smallest–largest).",
    head=("set", "model", "method", "seeds", "mean", "difference", "trained", "file, MB", "memory, MB", "step", "s"),
    bars="## Bars",
    bar_head=("set", "method", "at most below full tuning", "measured", "at most trained", "measured", ""),
    machine="## Machine and command",
    passed=mark(True),
    failed=mark(False),
    link="[中文](tuning.zh.md)",
)
CHINESE = Words(
    title="微调方法",
    about="`bertie train SET --method M --seed S`，各方法使用为其选定的默认设置，每次训练都是独立的进程，"
    "训练完全部轮数，同一数据集的所有方法都微调全量微调所用的编码器。指标在测试集上计算，与全量微调之差按相同的随机种子逐一相减。"
    "“训练参数”是训练开始时有梯度的编码器权重所占的比例；“文件”是除编码器外需要保存的部分；"
    "“内存”是进程占用的峰值，含各种库；“每步”是每步秒数相当于全量微调的倍数，中位数（最小–最大）。",
    head=("数据集", "模型", "方法", "种子数", "平均", "差值", "训练参数", "文件（MB）", "内存（MB）", "每步", "秒"),
    bars="## 目标",
    bar_head=("数据集", "方法", "最多低于全量微调", "测得", "训练参数最多", "测得", ""),
    machine="## 机器与命令",
    passed="达到",
    failed="**未达到**",
    link="[English](tuning.md)",
)


def render(found: list[Record], words: Words) -> str:
    """The page: a line a set and method, then the bars."""
    grouped: dict[tuple[str, str], list[Record]] = {}
    for record in found:
        grouped.setdefault((record["set"], record["method"]), []).append(record)
    beside = {key: grouped.get((key[0], FULL), []) for key in grouped}
    lines = [line(key, some, beside[key]) for key, some in grouped.items()]
    barred = {key: some for key, some in grouped.items() if key[1] in BARS and Difference.of(some, beside[key]).by_seed}
    bars = [bar_line(key, some, beside[key], words) for key, some in barred.items()]
    commands = "\n".join(dict.fromkeys(record["command"] for record in found))
    return page(
        words.title,
        [
            words.link,
            words.about,
            table(words.head, lines),
            *([words.bars, table(words.bar_head, bars)] if bars else []),
            words.machine,
            "\n".join(machine_lines(found[-1]["machine"])),
            f"```\n{commands}\n```",
        ],
    )


def line(key: tuple[str, str], some: Sequence[Record], full: Sequence[Record]) -> list[str]:
    """A method on a set; full tuning has no difference."""
    name, method = key
    last, difference = some[-1], Difference.of(some, full)
    compared = method != FULL and bool(difference.by_seed)
    return [
        name,
        last["model"],
        method,
        str(len(some)),
        f"{statistics.fmean(record['primary']['value'] for record in some):.4f}",
        f"{difference.mean:+.4f}" if compared else "–",
        f"{last['trained'] / last['whole']:.2%}",
        f"{last['bytes'] / 2**20:.2f}",
        Spread(tuple(record["peak_mb"] for record in some)).text(0),
        Spread(difference.costs).text(2) if compared else "–",
        Spread(tuple(record["wall_seconds"] for record in some)).text(0),
    ]


def bar_line(key: tuple[str, str], some: Sequence[Record], full: Sequence[Record], words: Words) -> list[str]:
    """A method that has a bar."""
    name, method = key
    below, most = BARS[method]
    difference, part = Difference.of(some, full).mean, some[-1]["trained"] / some[-1]["whole"]
    passed = difference >= -below - EXACT and part <= most
    most_text = f"{most:.0%}" if most < 1.0 else "–"
    return [
        name,
        method,
        f"{below:.3f}",
        f"{difference:+.4f}",
        most_text,
        f"{part:.2%}",
        words.passed if passed else words.failed,
    ]


if __name__ == "__main__":
    main()
