"""Model card: the README.md of a bundle.

In:  the same `Report` as the page
Out: Markdown with the small front matter that Hugging Face reads
Knows nothing of how anything was computed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from bertie.data.catalogue import hub_name
from bertie.evaluation import phrases
from bertie.evaluation.report import Report, doubts, facts
from bertie.evaluation.search_phrases import search_phrases
from bertie.evaluation.verdict import verdict

FEW_ROWS, FEW_SUPPORT, WEAKEST = 200, 5, 5
LABELS_LISTED = 200
HUB_TASKS = {
    "classification": "text-classification",
    "embedding": "sentence-similarity",
    "multiple_choice": "multiple-choice",
    "pattern": "text-classification",
    "question_answering": "question-answering",
    "reranking": "text-ranking",
    "tagging": "token-classification",
    "target_sentiment": "text-classification",
}
"""What Hugging Face calls a task; of one that it has no name for, no result is listed there."""
SHOWN: dict[str, object] = {"choices": ["...", "..."], "head": {"start": 0, "end": 3}, "tail": {"start": 8, "end": 11}}
"""What stands in a column that is no text."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_SPACE = re.compile(r"\s+")


def model_card(report: Report) -> str:
    """The card: verdict, scores beside the floors, labels, data, limits, recipe."""
    words = phrases.phrases(report.language)
    said = verdict(report.metric, report.figure, report.floors, report.language)
    started = words["started_from"].format(model=plain(report.base_model or "?"))
    sections = [
        _front_matter(report),
        f"# {plain(report.title)}",
        words["card_intro"].format(task=plain(phrases.spoken(report.task, report.language)), started=started),
        _forgetting(report),
        f"**{plain(said.headline)}** {plain(said.detail)}".strip(),
        _search(report),
        f"## {words['card_scores']}\n\n" + _scores(report, words),
        f"## {words['card_use']}\n\n" + _use(report, words),
        _labels(report, words),
        _data(report, words),
        f"## {words['card_limits']}\n\n" + "\n".join(f"- {line}" for line in limits(report, words)),
        _listed(words["chosen"], report.chosen),
        _recipe(report, words),
        _listed(words["environment"], [f"{name}: {value}" for name, value in facts(report).items()]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def plain(text: str) -> str:
    """Any text as one line of Markdown that shows it and does nothing else."""
    return _MARKDOWN.sub(r"\\\1", _SPACE.sub(" ", text).strip())


def limits(report: Report, words: Mapping[str, str]) -> list[str]:
    """What a reader should not conclude from the score."""
    lines = [words["limit_rows"].format(rows=f"{report.rows:,}")]
    lines += map(plain, doubts(report, words))
    if report.on_dev:
        lines.append(words["limit_dev"])
    if report.rows < FEW_ROWS:
        lines.append(words["limit_few"])
    judged = [row for row in report.per_class if row["support"] >= FEW_SUPPORT]
    weakest = sorted(judged, key=lambda row: row["f1"])[:WEAKEST]
    if weakest:
        named = ", ".join(f"{plain(row['label'])} {row['f1'] * 100:.1f}%" for row in weakest)
        lines.append(words["limit_weak"].format(labels=named))
    if report.mistakes is not None:
        lines.append(words["limit_confidence"])
    return [*lines, words["limit_unchecked"]]


def _front_matter(report: Report) -> str:
    """YAML whose strings are JSON, which YAML contains: no label or name can break out of it."""
    lines = ["---", f"language: {report.language}", "library_name: bertie"]
    kind = HUB_TASKS.get(report.task)
    if kind:
        lines.append(f"pipeline_tag: {kind}")
    base = hub_name(report.base_model)
    if base:  # a folder of this machine is no model there
        lines.append(f"base_model: {json.dumps(base)}")
    if kind:
        lines += ["model-index:", f"- name: {json.dumps(report.title, ensure_ascii=True)}", "  results:"]
        lines += ["  - task:", f"      type: {kind}"]
        source = json.dumps(report.data[-1].source if report.data else report.title, ensure_ascii=True)
        lines += ["    dataset:", f"      type: {source}", f"      name: {source}", "    metrics:"]
        lines += [f"    - type: {json.dumps(report.metric)}", f"      value: {report.figure.value:.4f}"]
    return "\n".join([*lines, "---"])


def _use(report: Report, words: Mapping[str, str]) -> str:
    """The command that asks it: about a text given by hand, or about rows of a file where a row is more than that."""
    if len(report.columns) == 1:
        return '```\nbertie predict . --text "..."\n```'
    row = json.dumps({column: SHOWN.get(column, "...") for column in report.columns})
    return f"```\nbertie predict . rows.jsonl\n```\n\n{words['card_row']}\n\n```\n{row}\n```"


def _forgetting(report: Report) -> str:
    if report.forgetting is None:
        return ""
    details = [f"- {plain(line)}" for line in report.forgetting.details(report.language)]
    return "\n".join([f"**{plain(report.forgetting.headline(report.language))}**", "", *details])


def _search(report: Report) -> str:
    """What was tried, and why this one was chosen."""
    if report.search is None:
        return ""
    found, said = report.search, search_phrases(report.language)
    told = " ".join(plain(line) for line in [found.headline(report.language), *found.details(report.language)])
    head = [said["name"], phrases.spoken(report.metric, report.language), "95%", said["latency"], "95%", said["size"]]
    rows = [[plain(cell) for cell in row] for row in found.table(report.language)]
    return f"## {said['title']}\n\n{told}\n\n{_table(head, rows)}\n\n{said['front'].format(rows=found.rows)}"


def _scores(report: Report, words: Mapping[str, str]) -> str:
    name, language = report.metric, report.language
    rows = [(f"**{words['this_model']}**", report.figure, "")]
    for floor, found in report.floors.items():
        gain = found.difference
        between = _range(words, phrases.points(name, gain.low), phrases.points(name, gain.high))
        ahead = f"{phrases.points(name, gain.value)} ({between})"
        rows.append((plain(phrases.spoken(floor, language)), found.figure, ahead))
    cells = [
        [
            shown,
            phrases.figure(name, one.value),
            _range(words, phrases.figure(name, one.low), phrases.figure(name, one.high)),
            ahead,
        ]
        for shown, one, ahead in rows
    ]
    first = _table([words["card_what"], phrases.spoken(name, language), "95%", words["ahead"]], cells)
    others = [
        [plain(phrases.spoken(one, language)), phrases.figure(one, value)]
        for one, value in report.metrics.items()
        if one != name
    ]
    return f"{first}\n\n{_table([words['all_metrics'], ''], others)}" if others else first


def _range(words: Mapping[str, str], low: str, high: str) -> str:
    return words["range"].format(low=low, high=high)


def _labels(report: Report, words: Mapping[str, str]) -> str:
    names = [plain(str(row["label"])) for row in report.per_class]
    if not names:
        return ""
    rest = f" … ({len(names)})" if len(names) > LABELS_LISTED else ""
    return f"## {words['card_labels']}\n\n{', '.join(names[:LABELS_LISTED])}{rest}"


def _data(report: Report, words: Mapping[str, str]) -> str:
    if not report.data:
        return ""
    rows = [
        [words.get(part.name, plain(part.name)), f"{part.rows:,}", plain(part.source), plain(part.sha256)]
        for part in report.data
    ]
    head = [words["part"], words["support"], words["source"], words["content"]]
    return f"## {words['data']}\n\n{_table(head, rows)}"


def _recipe(report: Report, words: Mapping[str, str]) -> str:
    """Indented, not fenced: a fence could be closed by what stands inside."""
    lines = "\n".join(f"    {line}" for line in report.recipe.splitlines())
    return f"## {words['recipe']}\n\n{lines}" if lines else ""


def _listed(heading: str, lines: Sequence[str]) -> str:
    return f"## {heading}\n\n" + "\n".join(f"- {plain(line)}" for line in lines) if lines else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
