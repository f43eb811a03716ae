"""Retrieval: which answer belongs to a question, found by words, by vectors, and by a second look.

Measured for every test query over all answers of the set: nDCG at 10 and recall at 1, each with its 95 % interval;
the tuned embedding minus the untuned encoder and the re-ranked order minus the tuned one, paired query by query
(bootstrap over queries).

    BM25        words, for Chinese one and two characters
    untuned     the encoder as it came
    tuned       `bertie train` on the question-answer pairs, default settings
    re-ranked   the best of `tuned` in a second look: `bertie train --task reranking`, from the tuned encoder

A part of the training pairs is held out of both trainings: it chooses the weights that are kept, and how much the
second look counts. The test queries choose nothing. With --held-out the test files are not even read: another part of
the training pairs is asked instead, over all answers of the training pairs; for choosing settings.

    python benchmarks/retrieval.py --data DIR --render

Each finished set and seed is one line in the results file, and what stands there is not run again. Delete the file
after a change of the code.

In:  DIR with the folders egret_faq_zh (train.jsonl, test_answers.jsonl, test_queries.jsonl) and bank_faq_en
     (faq.jsonl, test_queries.jsonl; its queries are searched among the answers of faq.jsonl)
Out: a JSON line a set and seed; docs/benchmarks/retrieval.md and retrieval.zh.md
Knows nothing of how training works.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import kept
import numpy as np
from kept import Record
from measurement import CLI, command, machine, machine_lines, page, table

from bertie.data.bm25 import Bm25Index
from bertie.metrics.intervals import Interval, mean_interval, paired_difference
from bertie.metrics.ranking import ndcg, recall
from bertie.workflow.retrieval import Retriever

PAIRS = {"egret_faq_zh": "train.jsonl", "bank_faq_en": "faq.jsonl"}
"""Set to the file of its question-answer pairs."""
SYSTEMS = ("BM25", "untuned", "tuned", "re-ranked")
METRICS = ("ndcg_at_10", "recall_at_1")
DIFFERENCES = (("tuned", "untuned"), ("re-ranked", "tuned"))
SHARE = 0.1
"""Part of the pairs that is held out."""
ASKED = 300
"""Pairs that are asked instead of the test queries with --held-out."""
DEPTH = 100


@dataclass(frozen=True)
class Task:
    """A set: pairs to learn from, pairs held out, texts to search, queries with the text that answers each."""

    train: list[tuple[str, str]]
    held_out: list[tuple[str, str]]
    texts: list[str]
    queries: list[tuple[str, str]]


def main() -> None:
    """Runs what is missing and makes the pages."""
    kept.main("retrieval", parse(), run_missing, render, (ENGLISH, CHINESE))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = kept.parser(__doc__, "retrieval", sets="sets; otherwise both", line="a set and seed")
    parser.add_argument("--seeds", default="0", help="default %(default)s")
    parser.add_argument("--held-out", action="store_true", help="ask a part of the training pairs; take another --json")
    parser.add_argument("--set", action="append", default=[], help="a changed setting, passed on to both trainings")
    parser.add_argument("--set-reranking", action="append", default=[], help="the same for re-ranking only")
    parser.add_argument("--model", help="passed on to the first training; otherwise chosen by the command")
    parser.add_argument("--budget", default="15m", help="of each training, default %(default)s")
    parser.add_argument("--depth", type=int, default=20, help="texts in the second look, default %(default)s")
    return parser.parse_args()


def run_missing(arguments: argparse.Namespace) -> list[str]:
    """Every set and seed that has no line yet; ends where one fails."""
    facts = machine()
    done = {(record["set"], record["seed"]) for record in kept.records(arguments.json)}
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.names or PAIRS:
            if (name, seed) in done:
                print(f"{name} seed {seed}: done before", file=sys.stderr)
                continue
            task = load(arguments.data / name, PAIRS[name], seed, held_out=arguments.held_out)
            record = run(task, seed, arguments)
            record |= {"set": name, "seed": seed, "command": command(), "machine": facts}
            kept.add_records(arguments.json, record)
    return []


def load(folder: Path, pairs_file: str, seed: int, *, held_out: bool) -> Task:
    """A set from its files; with `held_out` from its pairs alone."""
    pairs = [(row["question"], row["answer"]) for row in lines(folder / pairs_file)]
    random.Random(seed).shuffle(pairs)
    if held_out:
        texts, count = [answer for _, answer in pairs], min(ASKED, len(pairs) // 4)
        asked, pairs = pairs[:count], pairs[count:]
    else:
        known = folder / "test_answers.jsonl"
        answers = {row["id"]: row["answer"] for row in lines(known if known.exists() else folder / pairs_file)}
        asked = [(row["query"], answers[row["gold_id"]]) for row in lines(folder / "test_queries.jsonl")]
        texts = list(answers.values())
    count = max(2, round(SHARE * len(pairs)))
    return Task(pairs[count:], pairs[:count], list(dict.fromkeys(texts)), asked)


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def run(task: Task, seed: int, arguments: argparse.Namespace) -> Record:
    """Both trainings, each in its own process, then every order of the same texts for the same queries."""
    queries, relevant = [query for query, _ in task.queries], [[text] for _, text in task.queries]
    with tempfile.TemporaryDirectory() as name:
        folder, seconds = Path(name), {}
        data = write(task, folder / "pairs")
        model = ["--model", arguments.model] if arguments.model else []
        common = ["--seed", str(seed), "--budget", arguments.budget, *settings(arguments.set)]
        seconds["embedding"] = train([data, "--task", "embedding", "--out", folder / "first", *model, *common])
        first = json.loads((folder / "first" / "bundle.json").read_text(encoding="utf-8"))
        prefix = json.dumps(first["task"]["description"]["prefix"])
        options = ["--model", folder / "first" / "model", *settings([f"task.prefix={prefix}"])]
        options += [*common, *settings(arguments.set_reranking)]
        seconds["reranking"] = train([data, "--task", "reranking", "--out", folder / "second", *options])
        tuned = Retriever.of(folder / "first", task.texts)
        second = weighed(Retriever.of(tuned.first, task.texts, folder / "second"), task, arguments.depth)
        untuned = Retriever.of(first["origin"], task.texts)
        ranked = {"BM25": by_words(task.texts, queries)}
        for system, retriever in (("untuned", untuned), ("tuned", tuned), ("re-ranked", second)):
            began = time.monotonic()
            ranked[system] = [found.texts for found in retriever.search(queries, DEPTH)]
            seconds[f"searching {system}"] = time.monotonic() - began
    sizes = {"train": len(task.train), "held_out": len(task.held_out), "texts": len(task.texts)}
    about = {"queries": len(queries), **sizes, "model": Path(first["origin"]).name, "depth": second.depth}
    seconds = {name: round(value, 1) for name, value in seconds.items()}
    return {**about, "weight": second.weight, "seconds": seconds, **figures(ranked, relevant)}


def weighed(retriever: Retriever, task: Task, depth: int) -> Retriever:
    """How much the second look counts, chosen on the pairs that were held out, over the answers of all pairs."""
    pairs = [*task.train, *task.held_out]
    known = Retriever.of(retriever.first, [answer for _, answer in pairs], retriever.second)
    questions, answers = [question for question, _ in task.held_out], [[answer] for _, answer in task.held_out]
    return replace(retriever, depth=depth, weight=replace(known, depth=depth).weigh(questions, answers).weight)


def write(task: Task, folder: Path) -> Path:
    """The pairs as a person would give them: train.jsonl and dev.jsonl."""
    folder.mkdir()
    for name, pairs in (("train", task.train), ("dev", task.held_out)):
        rows = [json.dumps({"query": query, "positive": text}, ensure_ascii=False) for query, text in pairs]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def settings(changed: Sequence[str]) -> list[str]:
    """Settings as words of a command."""
    return [word for setting in changed for word in ("--set", setting)]


def train(words: Sequence[object]) -> float:
    """One training by the real command; its seconds."""
    began = time.monotonic()
    done = subprocess.run([*CLI, "train", *map(str, words)], check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"error: bertie train {words[2]} ended with exit {done.returncode}")
    return time.monotonic() - began


def by_words(texts: Sequence[str], queries: Sequence[str]) -> list[list[str]]:
    """The best texts of each query by BM25."""
    scores = Bm25Index.of(texts).scores(queries)
    return [[texts[i] for i in np.argsort(-row, kind="stable")[:DEPTH]] for row in scores]


def figures(ranked: dict[str, list[list[str]]], relevant: list[list[str]]) -> Record:
    """Each metric of each system with its interval, and the differences."""
    values = {
        system: {"ndcg_at_10": ndcg(found, relevant, 10), "recall_at_1": recall(found, relevant, 1)}
        for system, found in ranked.items()
    }
    return {
        "systems": {
            system: {metric: plain(mean_interval(one[metric])) for metric in METRICS} for system, one in values.items()
        },
        "differences": {
            f"{one} - {other}": {
                metric: plain(paired_difference(values[one][metric], values[other][metric])) for metric in METRICS
            }
            for one, other in DIFFERENCES
        },
    }


def plain(interval: Interval) -> dict[str, float]:
    """An interval as JSON."""
    return {"value": interval.value, "low": interval.low, "high": interval.high}


@dataclass(frozen=True)
class Words:
    """The page in one language."""

    title: str
    link: str
    about: str
    head: tuple[str, ...]
    systems: dict[str, str]
    set_line: str
    clear: str
    machine: str


ENGLISH = Words(
    title="Retrieval of answers",
    link="[中文](retrieval.zh.md)",
    about="Each test query among all answers of its set; 95 % intervals over queries, differences paired query by "
    "query (*clear*: without zero). Both trainings with default settings, the second one from the encoder of the "
    "first. A tenth of the training pairs is held out of both; it chooses the weights and how much the second look "
    "counts.",
    head=("", "nDCG@10", "recall@1"),
    systems={},
    set_line="{queries} queries, {texts} answers, {train} pairs to learn from and {held_out} held out; encoder "
    "{model}; seed {seed}. The second look orders {depth} answers and counts {weight:.1f}. Training took "
    "{embedding:.0f} s and {reranking:.0f} s.",
    clear="clear",
    machine="## Machine and command",
)
CHINESE = Words(
    title="答案检索",
    link="[English](retrieval.md)",
    about="每个测试问题在该数据集的全部答案中检索；95 % 区间按问题计算，差值逐问题配对（“明确”表示区间不含零）。"
    "两次训练都用默认设置，第二次从第一次的编码器开始。十分之一的训练问答对不参与两次训练，"
    "用于选择权重，以及重排得分所占的比重。",
    head=("", "nDCG@10", "recall@1"),
    systems={"untuned": "未微调", "tuned": "微调", "re-ranked": "重排"},
    set_line="{queries} 个问题，{texts} 条答案，{train} 对用于训练，{held_out} 对保留；编码器 {model}；"
    "随机种子 {seed}。重排前 {depth} 条，比重 {weight:.1f}。训练用时 {embedding:.0f} 秒和 {reranking:.0f} 秒。",
    clear="明确",
    machine="## 机器与命令",
)


def render(found: list[Record], words: Words) -> str:
    """The page: a table a set and seed, systems and differences."""
    parts = [words.link, words.about]
    for record in found:
        parts += [f"## {record['set']}", words.set_line.format(**record, **record["seconds"]), table_of(record, words)]
    commands = "\n".join(dict.fromkeys(record["command"] for record in found))
    parts += [words.machine, "\n".join(machine_lines(found[-1]["machine"])), f"```\n{commands}\n```"]
    return page(words.title, parts)


def table_of(record: Record, words: Words) -> str:
    """One set and seed."""
    rows = [
        [words.systems.get(name, name), *(cell(record["systems"][name][metric]) for metric in METRICS)]
        for name in SYSTEMS
    ]
    for one, other in DIFFERENCES:
        found = record["differences"][f"{one} - {other}"]
        name = f"{words.systems.get(one, one)} − {words.systems.get(other, other)}"
        rows.append([name, *(cell(found[metric], words.clear, signed=True) for metric in METRICS)])
    return table(words.head, rows)


def cell(figure: dict[str, float], clear: str = "", *, signed: bool = False) -> str:
    """Value and interval; of a difference with its sign, and whether it is clear."""
    sign = "+" if signed else ""
    text = f"{figure['value']:{sign}.4f} [{figure['low']:{sign}.3f}, {figure['high']:{sign}.3f}]"
    return f"{text} {clear}" if signed and not figure["low"] <= 0 <= figure["high"] else text


if __name__ == "__main__":
    main()
