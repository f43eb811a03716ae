"""Paths: rows with several labels, and pairs of texts, go all the way from a file to a running server.

Shown: for each of the two shapes `bertie train`, `evaluate`, `predict` and `serve`, each the real command in its own
process. The server must be live and ready, answer every test row over HTTP as `predict` answered it, and end in order
when it is told to stop. The primary metric is counted once more from the answers of `predict`, without our metrics.

The set with several labels is made here: two or three utterances of different intents of clinc150_en in one text, its
label `a|b`. Training rows are joined from training utterances and test rows from test utterances, the same rows every
time. The pairs are lcqmc_zh as it is.

How to read it: the scores show that both shapes learn, in a short time and with one seed, not how far they can get.
The second table is the point: labels and notes must be equal, and scores within 1e-4, since the server makes other
batches than `predict` does.

    python benchmarks/paths.py --data DIR

In:  DIR with clinc150_en and lcqmc_zh
Out: a Markdown page, and all figures as JSON; exit 1 where a step failed or an answer differed
Knows nothing of how a task, training or the server work.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measurement import DOCS, SAMPLE_SEED, command, machine, machine_lines, mark, page, publish, table
from walk import ROWS_PER_REQUEST, Walk

SEVERAL, PAIR = "clinc150_en", "lcqmc_zh"
OUT_OF_SCOPE = "oos"
TOLERANCE = 1e-4
"""By how much a score may differ between the server and `predict`."""
SCORES_HEAD = ("path", "model", "rows", "metric", "value", "TF-IDF", "frozen", "counted again", "train, s", "eval., s")
SERVED_HEAD = ("path", "predict, s", "ready after, s", "answering, s", "answers compared", "largest difference", "")
Record = dict[str, Any]
Row = dict[str, str]


def main() -> None:
    """Both paths, then the page; exit 1 where one of them is not as it must be."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as temporary:
        found = walk_all(arguments, (arguments.keep or Path(temporary)).resolve())
    facts = machine()
    figures = {"command": command(), "machine": facts, "results": found}
    publish(render(found, arguments, facts), figures, arguments.out, arguments.json)
    if failed := [name for name, record in found.items() if not passed(record)]:
        sys.exit(f"error: not as it must be: {', '.join(failed)}")


def walk_all(arguments: argparse.Namespace, work: Path) -> dict[str, Record]:
    """Both sets, one after the other."""
    joined = join_rows(arguments.data / SEVERAL, work / "several_en", arguments)
    several = Walk(joined, ("text",), work, arguments.data)
    pair = Walk(arguments.data / PAIR, ("text_a", "text_b"), work, arguments.data)
    return {
        "several labels": go(several, arguments.model or "minilm", arguments.budget),
        "pair": go(pair, arguments.model, arguments.budget),
    }


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder_of_sets, required=True, help="folder that holds the sets")
    parser.add_argument("--rows", type=int, default=3000, help="training rows with several labels, default %(default)s")
    parser.add_argument("--test-rows", type=int, default=1000, help="default %(default)s")
    parser.add_argument("--intents", type=int, default=30, help="default %(default)s")
    parser.add_argument("--budget", default="4m", help="of each training, default %(default)s")
    parser.add_argument("--model", help="for both; otherwise minilm, and for the pairs what the command chooses")
    parser.add_argument("--keep", type=Path, help="folder for the joined set and the bundles; otherwise deleted")
    parser.add_argument("--out", type=Path, default=DOCS / "paths.md", help="file for the page")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


def folder_of_sets(word: str) -> Path:
    """The folder, where it has both sets."""
    folder = Path(word).resolve()
    missing = [name for name in (SEVERAL, PAIR) if not (folder / name / "test.csv").is_file()]
    if missing:
        raise argparse.ArgumentTypeError(f"{word} has no {missing[0]}/test.csv")
    return folder


def join_rows(source: Path, folder: Path, arguments: argparse.Namespace) -> Path:
    """The set with several labels as files. Each part is joined from its own part of the source, so nothing leaks."""
    counts = {"train": arguments.rows, "dev": arguments.rows // 8, "test": arguments.test_rows}
    by_intent: dict[str, dict[str, list[str]]] = {part: {} for part in counts}
    for part, utterances in by_intent.items():
        for row in table_rows(source / f"{part}.csv"):
            utterances.setdefault(row["label"], []).append(row["text"])
    everywhere = set.intersection(*map(set, by_intent.values())) - {OUT_OF_SCOPE}
    rng = random.Random(SAMPLE_SEED)
    intents = rng.sample(sorted(everywhere), min(arguments.intents, len(everywhere)))
    if len(intents) < 3:
        sys.exit(f"error: {source.name}: {len(intents)} intents are in train, dev and test, expected 3 or more")
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in counts.items():
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for _ in range(count):
                labels = rng.sample(intents, rng.choice((2, 3)))
                texts = [rng.choice(by_intent[part][label]) for label in labels]
                writer.writerow([". ".join(texts), "|".join(labels)])
    return folder


def table_rows(path: Path) -> list[Row]:
    """A CSV file, read without our readers: what they leave out would be missed in the answers."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def go(walk: Walk, model: str | None, budget: str) -> Record:
    """One set through all four commands, and what came out."""
    test = walk.folder / "test.csv"
    options = ["--budget", budget, "--out", str(walk.bundle), "--json"]
    walk.bertie("train", str(walk.folder), *(["--model", model] if model else []), *options)
    evaluation = json.loads(walk.bertie("evaluate", str(walk.bundle), str(test), "--json"))
    answers = [json.loads(line) for line in walk.bertie("predict", str(walk.bundle), str(test)).splitlines()]
    rows = table_rows(test)
    served = walk.ask([{column: row[column] for column in walk.columns} for row in rows])
    if not len(rows) == len(answers) == len(served) == evaluation["rows"]:
        found = f"{len(answers)} of predict, {len(served)} of the server, {evaluation['rows']} rows judged"
        sys.exit(f"error: {walk.folder.name}: {len(rows)} rows, but {found}")
    differences = [difference(*both) for both in zip(served, answers, strict=True)]
    origin = json.loads((walk.bundle / "bundle.json").read_text(encoding="utf-8"))["origin"]
    return {
        "model": Path(origin).name,
        "train_rows": len(table_rows(walk.folder / "train.csv")),
        "test_rows": len(rows),
        "primary": evaluation["primary"],
        "floors": {name: floor["value"] for name, floor in evaluation["floors"].items()},
        "counted_again": micro_f1([row["label"] for row in rows], answers),
        "compared": len(differences),
        "largest_difference": max(differences),
        "seconds": walk.seconds,
        "commands": walk.commands,
    }


def difference(served: Record, predicted: Record) -> float:
    """The largest between two scores of an answer; infinite where anything but a score is not the same."""
    here, there = all_scores(served), all_scores(predicted)
    if _without_scores(served) != _without_scores(predicted) or here.keys() != there.keys():
        return math.inf
    return max(abs(here[name] - there[name]) for name in there)


def all_scores(answer: Record) -> dict[tuple[str, ...], float]:
    """Every score of an answer by where it stands."""
    scores = {("scores", label): score for label, score in answer["scores"].items()}
    return scores | ({("score",): answer["score"]} if "score" in answer else {})


def _without_scores(answer: Record) -> Record:
    """Several labels are ordered by their scores, so two that are all but equal may change places."""
    kept = {name: value for name, value in answer.items() if name not in ("score", "scores")}
    return {**kept, "labels": sorted(kept["labels"])} if "labels" in kept else kept


def micro_f1(gold: Sequence[str], answers: Sequence[Record]) -> float:
    """From the labels alone. Where each row has one label and gets one, it is the accuracy."""
    asked = [set(label.split("|")) for label in gold]
    said = [set(answer.get("labels", [answer.get("label")])) for answer in answers]
    hits = sum(len(one & other) for one, other in zip(asked, said, strict=True))
    return 2 * hits / (sum(map(len, asked)) + sum(map(len, said)))


def passed(record: Record) -> bool:
    """Whether the server answered as `predict` did, and `evaluate` judged those answers."""
    agreed = math.isclose(record["counted_again"], record["primary"]["value"], abs_tol=1e-9)
    return agreed and bool(record["largest_difference"] <= TOLERANCE)


def render(found: dict[str, Record], arguments: argparse.Namespace, facts: Record) -> str:
    """The page."""
    commands = "\n".join(line for record in found.values() for line in record["commands"])
    return page(
        "From a file to a server: several labels a row, and pairs",
        [
            f"Each training has {arguments.budget}; every command is a process of its own, and its seconds are of all "
            f"of it. *several labels*: two or three utterances of {SEVERAL} in one text, test rows from test "
            f"utterances. *pair*: {PAIR} as it is. Values are on the test rows, with their 95 % intervals; TF-IDF and "
            "the frozen encoder are the floors, fitted and judged on the same rows. *Counted again* is the metric "
            "from the answers of `predict`, computed by this program.",
            table(SCORES_HEAD, [scores_line(name, record) for name, record in found.items()]),
            "## Served as predicted",
            f"Every test row was sent to `POST /v1/predict`, {ROWS_PER_REQUEST} in a request, once `/live` and "
            "`/ready` said so, and each answer compared with that of `bertie predict`: labels and notes must be equal, "
            f"scores within {TOLERANCE:g}, and the metric as `evaluate` gave it.",
            table(SERVED_HEAD, [served_line(name, record) for name, record in found.items()]),
            "## Machine and commands",
            "\n".join(machine_lines(facts)),
            f"```\n{command()}\n```",
            f"It ran, with `DIR` for the data and `WORK` for its own folder (`--keep`):\n\n```\n{commands}\n```",
        ],
    )


def scores_line(name: str, record: Record) -> list[str]:
    """What the model of one path is worth."""
    primary, floors, seconds = record["primary"], record["floors"], record["seconds"]
    return [
        name,
        record["model"],
        f"{record['train_rows']} train, {record['test_rows']} test",
        primary["name"],
        f"{primary['value']:.4f} [{primary['low']:.3f}, {primary['high']:.3f}]",
        *(f"{floors[key]:.4f}" if key in floors else "–" for key in ("tfidf", "frozen_encoder")),
        f"{record['counted_again']:.4f}",
        f"{seconds['train']:.0f}",
        f"{seconds['evaluate']:.0f}",
    ]


def served_line(name: str, record: Record) -> list[str]:
    """How the server's answers compare."""
    times = [f"{record['seconds'][step]:.1f}" for step in ("predict", "ready", "answering")]
    return [name, *times, record["compared"], f"{record['largest_difference']:.1e}", mark(passed(record))]


if __name__ == "__main__":
    main()
