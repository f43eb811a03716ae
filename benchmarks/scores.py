"""Scores: what a person gets who types `bertie train DATA` and nothing else.

Measured: accuracy on the test part (95 % Wilson interval), against two floors on the same rows (TF-IDF with
linear machines; the same encoder, frozen, with logistic regression) and against the bar that the project set
itself. Every training is its own process running the real command with default settings; seconds are of that whole
process, imports and report included.

How to read it: `bar` passes where accuracy reaches it; `floors` passes where accuracy is above the better floor
(`clear` where the paired interval of the difference excludes zero too); `time` passes within 15 minutes. Seeds
change the order of the rows and the dropout, and the dev part where the set brings none.

    python benchmarks/scores.py --data DIR --render

Without names: all sets of BARS with the first seed, those of SEVERAL_SEEDS with all seeds. Each finished training
is one line in the results file, and what stands there is not run again: an interrupted run goes on. Delete the file
after a change of the code.

In:  DIR with one folder a set
Out: a JSON line a training; docs/benchmarks/scores.md and scores.zh.md
Knows nothing of how training works.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measurement import command, machine, machine_lines, mark, page, table

DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
CLI = [sys.executable, "-c", "from bertie.cli.app import main; main()"]
"""What the `bertie` command runs, whether or not its folder is on the PATH."""
BARS = {
    "sst2_en": 0.88,
    "trec_en": 0.95,
    "ag_news_en": 0.885,
    "financial_phrasebank_en": 0.84,
    "clinc150_en": 0.875,
    "chnsenticorp_zh": 0.89,
    "thucnews_zh": 0.89,
}
SEVERAL_SEEDS = ("trec_en", "financial_phrasebank_en", "sst2_en")
MINUTES = 15
Record = dict[str, Any]


def main() -> None:
    """Runs what is missing, prints the page, writes both pages where --render asks for them."""
    arguments = parse()
    failures = run_missing(arguments) if arguments.data else []
    found = records(arguments.json)
    if not found:
        sys.exit(f"error: {arguments.json.name} holds no results; give --data DIR to measure some")
    print(render(found, ENGLISH))
    if arguments.render:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for file, words in (("scores.md", ENGLISH), ("scores.zh.md", CHINESE)):
            (arguments.out / file).write_text(render(found, words), encoding="utf-8")
    if failures:
        sys.exit(f"error: failed: {', '.join(failures)}; run the same command again to retry")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="sets; otherwise all of the table of bars")
    parser.add_argument("--data", type=Path, help="folder that holds the sets; without it nothing is run")
    parser.add_argument("--seeds", default="0,1,2", help="default %(default)s")
    parser.add_argument(
        "--set", action="append", default=[], help="a changed setting, passed on; then take another --json"
    )
    parser.add_argument("--model", help="passed on; otherwise chosen by the command")
    parser.add_argument("--json", type=Path, default=DOCS / "scores.jsonl", help="results, a line a training")
    parser.add_argument("--render", action="store_true", help="write scores.md and scores.zh.md")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the pages")
    return parser.parse_args()


def plan(arguments: argparse.Namespace) -> list[tuple[str, int]]:
    """Trainings to do, the first seed of every set before the others."""
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    names = arguments.names or list(BARS)
    again = arguments.names or list(SEVERAL_SEEDS)
    return [(name, seeds[0]) for name in names] + [(name, seed) for seed in seeds[1:] for name in again]


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every training of the plan that has no line yet. Returns those that failed."""
    facts = machine(int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))
    done = {(record["set"], record["seed"]) for record in records(arguments.json)}
    failures = []
    for name, seed in plan(arguments):
        if (name, seed) in done:
            print(f"{name} seed {seed}: done before", file=sys.stderr)
        elif not run(name, seed, arguments, facts):
            failures.append(f"{name} seed {seed}")
    return failures


def run(name: str, seed: int, arguments: argparse.Namespace, facts: dict[str, Any]) -> bool:
    """One training in its own process; its line is written once it has gone well."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        options = ["--out", str(out), "--seed", str(seed), "--json"]
        options += [word for setting in arguments.set for word in ("--set", setting)]
        options += ["--model", arguments.model] if arguments.model else []
        began = time.monotonic()
        done = subprocess.run(
            [*CLI, "train", str(arguments.data / name), *options], check=False, capture_output=True, text=True
        )
        seconds = time.monotonic() - began
        if done.returncode:
            print(f"{name} seed {seed}: exit {done.returncode}\n{done.stderr[-2000:]}", file=sys.stderr)
            return False
        record = describe(json.loads(done.stdout), out)
    record |= {"set": name, "seed": seed, "wall_seconds": round(seconds, 1), "command": command(), "machine": facts}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    with arguments.json.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
    print(f"{name} seed {seed}: {record['primary']['value']:.4f} in {seconds:.0f} s", file=sys.stderr)
    return True


def describe(evaluation: Record, bundle: Path) -> Record:
    """What is kept of a training: its figures, the model it chose, how long it went on."""
    origin = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["origin"]
    result = json.loads((bundle / "run" / "result.json").read_text(encoding="utf-8"))
    floors = {key: {k: v for k, v in floor.items() if k != "metrics"} for key, floor in evaluation["floors"].items()}
    return {
        "rows": evaluation["rows"],
        "primary": evaluation["primary"],
        "macro_f1": evaluation["metrics"].get("macro_f1"),
        "floors": floors,
        "model": Path(origin).name,
        "epochs": result["epoch"],
        "end": result["end"],
        "best_step": result["best_step"],
    }


def records(path: Path) -> list[Record]:
    """Every finished training of the results file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@dataclass(frozen=True)
class Words:
    """The page in one language."""

    title: str
    about: str
    head: tuple[str, ...]
    seeds: str
    seeds_head: tuple[str, ...]
    machine: str
    passed: str
    failed: str
    clear: str
    link: str

    def mark(self, passed: bool) -> str:
        """Pass or fail."""
        return self.passed if passed else self.failed


ENGLISH = Words(
    title="Scores with default settings",
    about="`bertie train SET --seed S` and nothing else, each in its own process. Accuracy on the test part, with its "
    "95 % Wilson interval. TF-IDF and the frozen encoder are the floors, fitted and judged on the same rows; "
    "*clear* means that the paired interval of the difference to the better floor excludes zero. Seconds are of the "
    f"whole command; the limit is {MINUTES} minutes.",
    head=("set", "rows", "accuracy", "bar", "", "TF-IDF", "frozen", "above floors", "model", "epochs", "s", "in time"),
    seeds="## Several seeds",
    seeds_head=("set", "seeds", "mean accuracy", "deviation", "smallest", "largest", "all at the bar"),
    machine="## Machine and command",
    passed=mark(True),
    failed=mark(False),
    clear="clear",
    link="[中文](scores.zh.md)",
)
CHINESE = Words(
    title="默认设置下的得分",
    about="只运行 `bertie train SET --seed S`，每次训练都是独立的进程。"
    "准确率在测试集上计算，括号内为 95 % Wilson 区间。TF-IDF 和冻结编码器是两条基线，在相同的行上拟合和评估；"
    "“明确”表示与较好基线之差的配对区间不含零。时间是整条命令的秒数，"
    f"上限 {MINUTES} 分钟。",
    head=("数据集", "行数", "准确率", "目标", "", "TF-IDF", "冻结编码器", "高于基线", "模型", "轮数", "秒", "按时"),
    seeds="## 多个随机种子",
    seeds_head=("数据集", "种子数", "平均准确率", "标准差", "最低", "最高", "全部达标"),
    machine="## 机器与命令",
    passed="达到",
    failed="**未达到**",
    clear="明确",
    link="[English](scores.md)",
)


def render(found: list[Record], words: Words) -> str:
    """The page: a line a set with its first seed, then the sets with several seeds."""
    by_set: dict[str, list[Record]] = {}
    for record in sorted(found, key=lambda record: record["seed"]):
        by_set.setdefault(record["set"], []).append(record)
    names = [name for name in BARS if name in by_set] + sorted(by_set.keys() - BARS.keys())
    several = [seeds_line(name, by_set[name], words) for name in names if len(by_set[name]) > 1]
    last = found[-1]
    commands = "\n".join(dict.fromkeys(record["command"] for record in found))
    return page(
        words.title,
        [
            words.link,
            words.about,
            table(words.head, [set_line(name, by_set[name][0], words) for name in names]),
            *([words.seeds, table(words.seeds_head, several)] if several else []),
            words.machine,
            "\n".join(machine_lines(last["machine"])),
            f"```\n{commands}\n```",
        ],
    )


def set_line(name: str, record: Record, words: Words) -> list[str]:
    """One training against its bar, its floors and the clock."""
    value, floors = record["primary"]["value"], record["floors"]
    best = max(floors.values(), key=lambda floor: floor["value"])
    above = words.mark(value > best["value"])
    clear = f", {words.clear}" if best["difference"]["low"] > 0 else ""
    bar = BARS.get(name)
    return [
        name,
        record["rows"],
        f"{value:.4f} [{record['primary']['low']:.3f}, {record['primary']['high']:.3f}]",
        "–" if bar is None else f"{bar:.3f}",
        "–" if bar is None else words.mark(value >= bar),
        *(f"{floors[key]['value']:.4f}" if key in floors else "–" for key in ("tfidf", "frozen_encoder")),
        above + clear,
        record["model"],
        record["epochs"],
        f"{record['wall_seconds']:.0f}",
        words.mark(record["wall_seconds"] <= MINUTES * 60),
    ]


def seeds_line(name: str, found: list[Record], words: Words) -> list[str]:
    """Mean and sample deviation over seeds."""
    values = [record["primary"]["value"] for record in found]
    figures = [statistics.fmean(values), statistics.stdev(values), min(values), max(values)]
    passed = words.mark(min(values) >= BARS[name]) if name in BARS else "–"
    return [name, str(len(values)), *(f"{figure:.4f}" for figure in figures), passed]


if __name__ == "__main__":
    main()
