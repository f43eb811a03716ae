"""The pages for people: commands and options in them exist, links lead somewhere, both languages say the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from bertie.cli.app import app
from tests.house.source import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def lines(text: str) -> Iterator[list[str]]:
    """The command lines in the blocks of a page, as words; what stands before a pipe is left out."""
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if re.search(r"(^|\| )(bertie|make) ", line):
                yield shlex.split(line.rpartition("| ")[2], comments=True)


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_links(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [found for words in lines(text) if (found := fault(words))] == []
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "english", ["README.md", *(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/en/**/*.md"))]
)
def test_both_languages_say_the_same_commands(english: str) -> None:
    chinese = english.replace("docs/en/", "docs/zh/").replace("README.md", "README.zh-CN.md")

    def shape(page: str) -> list[list[str]]:
        found = lines((ROOT / page).read_text(encoding="utf-8"))
        return [
            [word for word in words if word.isascii() and word.startswith(("-", "bertie", "make"))] for words in found
        ]

    assert shape(english) == shape(chinese)


def test_the_rules_can_fail() -> None:
    page = "```\nmake nothing\ncat x | bertie predict m -\nbertie fly\nbertie serve m --color red\n```\n"
    assert [fault(words) for words in lines(page)] == [
        "make nothing: no such target",
        None,
        "bertie fly: no such command",
        "bertie serve m --color red: no --color",
    ]
