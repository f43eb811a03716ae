"""The pages for people: what they name exists, blocks run from top to bottom, both languages say the same."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

import bertie
from bertie.cli.app import app
from tests.house.source import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXPORT = re.compile(r"`(bertie export [^`\n]*)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
NAMED_BY_DATA = ("train", "pretrain", "fewshot", "search")
"""Commands that write a bundle to a folder with the name of the data, where no other is given."""
MAKERS = ("train", "pretrain", "few_shot", "search", "train_tokenizer")
"""Functions of Python that write a folder."""
AGAIN = ("--overwrite", "--resume", "overwrite", "resume")
OWN_WORDS = ("--text", "--model")
"""Options that each language gives in its own words, or for its own texts."""


def lines(text: str) -> Iterator[list[str]]:
    """The command lines in the blocks of a page, as words; a pipe or a launcher before them is left out."""
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if re.search(r"(^|\| |-m )(bertie|make) ", line):
                words = shlex.split(line.rpartition("| ")[2], comments=True)
                start = next((i for i, word in enumerate(words) if word in ("bertie", "make")), len(words))
                if start < len(words):
                    yield words[start:]


def fault(words: list[str]) -> str | None:
    """What is wrong with a command line, without running it."""
    if words[0] == "make":
        return next((f"make {word}: no such target" for word in words[1:] if word not in TARGETS), None)
    command: click.Command = typer.main.get_command(app)
    rest = words[1:]
    while commands := getattr(command, "commands", None):
        if not rest or rest[0] not in commands:
            return f"{' '.join(words)}: no such command"
        command, rest = commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((f"{' '.join(words)}: no {word}" for word in rest if word.startswith("--") and word not in known), None)


def places(text: str) -> list[str]:
    """The folders that the blocks of a page write, but where they say that one is replaced or gone on with."""
    commands = [place for words in lines(text) if (place := written(words))]
    calls = (node for tree in map(ast.parse, PYTHON.findall(text)) for node in ast.walk(tree))
    return commands + [place for node in calls if (place := made(node))]


def written(words: list[str]) -> str | None:
    """The folder that a command line writes."""
    if len(words) < 3 or not set(words).isdisjoint(AGAIN):
        return None
    if "--out" in words:
        return words[words.index("--out") + 1]
    return f"runs, by the name of {words[2]}" if words[1] in NAMED_BY_DATA else None


def made(node: ast.AST) -> str | None:
    """The folder that a call in Python writes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in MAKERS:
        return None
    given = {one.arg: one.value for one in node.keywords if one.arg}
    return ast.literal_eval(given["out"]) if "out" in given and given.keys().isdisjoint(AGAIN) else None


def missing(code: str) -> list[str]:
    """What a block of Python imports, or takes of Bertie, that does not exist. SyntaxError: it is no Python."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names if importlib.util.find_spec(one.name) is None]
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            found += [f"{node.module}.{one.name}" for one in node.names if not hasattr(module, one.name)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bertie":
            found += [] if node.attr in bertie.__all__ else [f"bertie.{node.attr}"]
    return found


def shape(words: list[str]) -> list[str]:
    """A command line as it has to stand in both languages: all of it but texts, models and label words."""
    kept = [word for before, word in zip(["", *words], words, strict=False) if before not in OWN_WORDS]
    return [word.partition("=")[0] if word.startswith("pattern.words.") else word for word in kept]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_and_links(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [found for words in lines(text) if (found := fault(words))] == []
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_line_of_a_page_is_refused_for_what_another_one_wrote(page: Path) -> None:
    found = places(page.read_text(encoding="utf-8"))
    assert [place for place in set(found) if found.count(place) > 1] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_of_python_can_be_read_and_import_what_exists(page: Path) -> None:
    assert [name for code in PYTHON.findall(page.read_text(encoding="utf-8")) for name in missing(code)] == []


@pytest.mark.parametrize(
    "english", ["README.md", *(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/en/**/*.md"))]
)
def test_both_languages_say_the_same_commands(english: str) -> None:
    chinese = english.replace("docs/en/", "docs/zh/").replace("README.md", "README.zh-CN.md")
    shapes = [
        [shape(words) for words in lines((ROOT / page).read_text(encoding="utf-8"))] for page in (english, chinese)
    ]
    assert shapes[0] == shapes[1]


def unplaced(text: str) -> list[str]:
    """Exports in the sentences of a page that say in which format, and not where: nobody can run them so."""
    return [words for words in EXPORT.findall(text) if "--format" in words and "--out" not in words]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_an_export_says_where(page: Path) -> None:
    assert unplaced(page.read_text(encoding="utf-8")) == []


def test_the_rules_can_fail() -> None:
    page = "```\nmake nothing\ncat x | bertie predict m -\nbertie fly\ntorchrun -m bertie serve m --color red\n```\n"
    assert [fault(words) for words in lines(page)] == [
        "make nothing: no such target",
        None,
        "bertie fly: no such command",
        "bertie serve m --color red: no --color",
    ]
    assert unplaced("`bertie export`, `bertie export m --format adapter`") == ["bertie export m --format adapter"]


def test_the_rules_of_folders_and_of_python_can_fail() -> None:
    page = (
        "```\nbertie train a.csv --out m\nbertie export m --out n\nbertie train a.csv --out m --overwrite\n"
        "bertie train a.csv\nbertie train a.csv --method lora\n```\n"
        '```python\nbertie.train("a.csv", out="m")\nbertie.search("a.csv", out="m", overwrite=True)\n```\n'
    )
    assert places(page) == ["m", "n", *["runs, by the name of a.csv"] * 2, "m"]
    code = "import json, no_such\nfrom pathlib import Path, Road\nbertie.fly(bertie.load)"
    assert missing(code) == ["no_such", "pathlib.Road", "bertie.fly"]
    with pytest.raises(SyntaxError):
        missing("bertie.train(")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("bertie train x --json", "bertie evaluate x --json", False),
        ("bertie train x --budget 5m", "bertie train x --budget 6m", False),
        ("bertie train x --set a=1", "bertie train x --set a=2", False),
        ("bertie predict m --text good", "bertie predict m --text 好", True),
        ("bertie train x --model minilm --seed 7", "bertie train x --model e5-small --seed 7", True),
    ],
)
def test_the_rule_of_two_languages_can_fail(one: str, other: str, same: bool) -> None:
    assert (shape(one.split()) == shape(other.split())) is same
