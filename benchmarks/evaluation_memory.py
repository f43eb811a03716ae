"""Evaluation memory: how much `bertie evaluate` and `bertie predict` need for many rows.

Measured: the peak of resident memory of the whole process (torch and all) and its seconds, of the real command on
synthetic rows, for each task with the floors that its bundle keeps. The encoder is random and tiny, so that the rows
decide and not the model, and so that it is quick; a real encoder adds its weights and its slowness.

How to read it: the last column is what a thousand more rows cost, by the difference of the two sizes. Rows that are
judged are held in memory, with what scoring needs of an answer, so it is not nothing; rows that are only answered are
not held, so there it must be close to nothing.

    python benchmarks/evaluation_memory.py

In:  nothing: rows and bundles are made here, the same ones every time
Out: a Markdown page in English and one in Chinese, and all figures as JSON; exit 1 where a limit is passed
Knows nothing of how answers are made.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from measurement import CLI, DOCS, SAMPLE_SEED, command, machine, machine_lines, mark, page, publish, table

from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder

LIMIT_MB = 1500
"""Peak of the largest size, of every command and task."""
TRAINING_ROWS = 1000
ENGLISH = (
    "the",
    "a",
    "of",
    "food",
    "service",
    "room",
    "phone",
    "film",
    "was",
    "is",
    "not",
    "very",
    "really",
    "and",
    "but",
)
CHINESE = "的了是在很不也都还就和与价格服务房间手机电影物流屏幕质量早餐前台电池"
FEELINGS = {"positive": ("good", "great", "满意", "喜欢"), "negative": ("bad", "poor", "失望", "讨厌")}
FEELINGS |= {"neutral": ("usual", "average", "一般", "还行")}
NAMES = {"person": ("Ada Byron", "Alan", "李白", "王小明"), "place": ("Paris", "New York", "北京", "上海市")}
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
Row = dict[str, Any]
Run = dict[str, float]


def main() -> None:
    """Every command on every size, then the pages; exit 1 where a limit is passed."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as temporary:
        found = {name: measure(name, Path(temporary), arguments.rows) for name in arguments.tasks}
    facts = machine()
    figures = {"command": command(), "machine": facts, "results": found}
    publish(render(found, facts, chinese=False), figures, arguments.out, arguments.json)
    if arguments.out:
        arguments.out.with_suffix(".zh.md").write_text(render(found, facts, chinese=True), encoding="utf-8")
    if failed := [name for name, runs in found.items() if not passed(runs)]:
        sys.exit(f"error: more than {LIMIT_MB} MB: {', '.join(failed)}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000], help="sizes, default %(default)s")
    parser.add_argument("--tasks", nargs="+", choices=MAKERS, default=list(MAKERS), help="default all")
    parser.add_argument("--out", type=Path, default=DOCS / "evaluation_memory.md", help="file for the page")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


def measure(task: str, work: Path, sizes: Sequence[int]) -> dict[str, dict[str, Run]]:
    """Peak and seconds of each command, by command and number of rows."""
    model, folder = work / "model", work / task
    if not model.exists():
        tiny_encoder(model)
    folder.mkdir()
    write(folder / "train.jsonl", task, TRAINING_ROWS, seed=SAMPLE_SEED)
    write(folder / "dev.jsonl", task, TRAINING_ROWS // 10, seed=SAMPLE_SEED + 1)
    bundle = str(work / f"{task}-bundle")
    settings = ["--set", "training.epochs=1", "--json"]
    watched("train", str(folder), "--task", task, "--model", str(model), "--out", bundle, *settings)
    found: dict[str, dict[str, Run]] = {"evaluate": {}, "predict": {}}
    for size in sizes:
        rows = work / f"{task}-{size}.jsonl"
        write(rows, task, size, seed=SAMPLE_SEED + 2)
        found["evaluate"][str(size)] = watched("evaluate", bundle, str(rows), "--json")
        answers = rows.with_name(f"{rows.stem}-answers.jsonl")
        found["predict"][str(size)] = watched("predict", bundle, str(rows), "--output", str(answers))
    return found


def watched(*words: str) -> Run:
    """One command to its end: its peak memory and its seconds.

    A child begins with the memory of this process, which has torch too and no rows: it never is the peak.
    """
    print("bertie", " ".join(words), file=sys.stderr)
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([*CLI, *words], stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            sys.exit(f"error: bertie {' '.join(words)}: exit {child.returncode}\n{said.read()[-3000:].decode()}")
    return {"peak_mb": round(usage.ru_maxrss / 1024, 1), "seconds": round(time.monotonic() - began, 1)}


def tiny_encoder(folder: Path) -> None:
    """A random BERT of two layers, whose vocabulary has what the rows are made of."""
    folder.mkdir()
    words = [word for text in (*ENGLISH, *words_of(FEELINGS), *words_of(NAMES)) for word in text.lower().split()]
    latin = [word for word in dict.fromkeys(words) if word.isascii()]
    han = dict.fromkeys(character for text in (CHINESE, *words) for character in text if not character.isascii())
    pieces = [*SPECIALS, *latin, *han, *"0123456789", *(f"##{digit}" for digit in range(10))]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}), encoding="utf-8")
    config = EncoderConfig(
        family="bert",
        vocab_size=len(pieces),
        hidden_size=32,
        layers=2,
        heads=2,
        intermediate_size=64,
        max_positions=128,
    )
    torch.manual_seed(0)
    checkpoint.save(Encoder(config), folder)


def write(path: Path, task: str, rows: int, seed: int) -> None:
    """Rows as JSON lines, English and Chinese in turn."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in MAKERS[task](rng, rows))


def classification(rng: random.Random, rows: int) -> Iterator[Row]:
    """Texts of 10 to 40 words or characters with one word that tells the label."""
    labels = list(FEELINGS)
    for i in range(rows):
        label = rng.choice(labels)
        english, chinese = rng.choice(FEELINGS[label][:2]), rng.choice(FEELINGS[label][2:])
        text = f"{prose(rng, i)} {english} {prose(rng, i)}" if i % 2 else f"{prose(rng, i)}{chinese}{prose(rng, i)}"
        yield {"text": f"{text} {i}", "label": label}


def tagging(rng: random.Random, rows: int) -> Iterator[Row]:
    """Texts with two entities."""
    for i in range(rows):
        text, entities = "", []
        for label in rng.sample(list(NAMES), 2):
            name = rng.choice(NAMES[label][:2] if i % 2 else NAMES[label][2:])
            gap = " " if i % 2 else ""
            text += f"{prose(rng, i)}{gap}"
            entities.append({"start": len(text), "end": len(text) + len(name), "label": label})
            text += f"{name}{gap}"
        yield {"text": f"{text} {i}", "entities": entities}


MAKERS = {"classification": classification, "tagging": tagging}


def prose(rng: random.Random, row: int) -> str:
    """5 to 20 words, or Han characters, that say nothing."""
    return (
        " ".join(rng.choices(ENGLISH, k=rng.randrange(5, 20)))
        if row % 2
        else "".join(rng.choices(CHINESE, k=rng.randrange(5, 20)))
    )


def words_of(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """All words of all groups."""
    return [word for group in groups.values() for word in group]


def passed(runs: Mapping[str, Mapping[str, Run]]) -> bool:
    """Whether every run kept the limit."""
    return all(run["peak_mb"] <= LIMIT_MB for sizes in runs.values() for run in sizes.values())


def growth(sizes: Mapping[str, Run]) -> str:
    """MB that a thousand more rows cost, between the smallest and the largest size."""
    counts = sorted(map(int, sizes))
    if len(counts) < 2:
        return ""
    few, many = counts[0], counts[-1]
    return f"{(sizes[str(many)]['peak_mb'] - sizes[str(few)]['peak_mb']) / (many - few) * 1000:.2f}"


def render(found: Mapping[str, Mapping[str, Mapping[str, Run]]], facts: Mapping[str, Any], *, chinese: bool) -> str:
    """The page in one of the two languages."""
    lines = [
        (
            task,
            f"`{words}`",
            f"{int(size):,}",
            f"{run['peak_mb']:.0f}",
            f"{run['seconds']:.0f}",
            growth(sizes) if size == max(sizes, key=int) else "",
            mark(run["peak_mb"] <= LIMIT_MB),
        )
        for task, commands in found.items()
        for words, sizes in commands.items()
        for size, run in sizes.items()
    ]
    machine_list = "\n".join(machine_lines(dict(facts)))
    if chinese:
        head = ("任务", "命令", "行数", "内存峰值，MB", "秒", "每多 1,000 行，MB", f"至多 {LIMIT_MB} MB")
        about = (
            "整个进程（包括 torch）的内存峰值与用时。命令与平时使用的完全相同；数据为合成数据，一半中文、一半英文。"
            "编码器很小且未经训练，因此数字由行数决定，而不是由模型决定；真实的编码器还要加上它的权重。"
            "评测时，所有行以及打分所需的部分回答保留在内存中；只预测时则不保留。用时受机器上其他程序的影响，内存不受影响。"
        )
        return page("评测内存", [f"`{command()}`", about, table(head, lines), machine_list])
    head = ("task", "command", "rows", "peak, MB", "seconds", "1,000 more rows, MB", f"at most {LIMIT_MB} MB")
    about = (
        "Peak of resident memory of the whole process (torch included) and its seconds: the real commands on synthetic "
        "rows, half English and half Chinese. The encoder is random and tiny, so that the rows decide and not the "
        "model; a real one adds its weights. Rows that are judged are held, with what scoring needs of an answer; rows "
        "that are only answered are not. The seconds hang on what else runs on the machine, the memory does not."
    )
    return page("Evaluation memory", [f"`{command()}`", about, table(head, lines), machine_list])


if __name__ == "__main__":
    main()
