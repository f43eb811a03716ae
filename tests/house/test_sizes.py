"""Files and functions keep a size that a person can read, say what they are, and are named after what they hold."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house.source import PACKAGE, ROOT, functions

FILE_LINES = 400
FUNCTION_LINES = 60
ARGUMENTS = 6
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
MANY_ARGUMENTS = {"cli"}
"""A command has as many arguments as options."""


def faults(folder: Path) -> list[str]:
    """What is too large, unexplained or badly named in a tree of source files."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if len(text.splitlines()) > FILE_LINES:
            found.append(f"{name}: {len(text.splitlines())} lines, at most {FILE_LINES}")
        if not ast.get_docstring(tree) and text.strip():
            found.append(f"{name}: opens with no docstring")
        if FORBIDDEN & set(Path(name).with_suffix("").parts):
            found.append(f"{name}: the name says nothing of what is in it")
        for function in functions(tree):
            found.extend(f"{name}: {function.name}: {fault}" for fault in _faults_of(function, name.split("/")[0]))
    return found


def _faults_of(function: ast.FunctionDef | ast.AsyncFunctionDef, room: str) -> list[str]:
    lines = (function.end_lineno or 0) - function.lineno + 1
    given = function.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
    count = len(names) - (names[:1] in (["self"], ["cls"]))
    found = [f"{lines} lines, at most {FUNCTION_LINES}"] if lines > FUNCTION_LINES else []
    if count > ARGUMENTS and room not in MANY_ARGUMENTS:
        found.append(f"{count} arguments, at most {ARGUMENTS}")
    return found


def test_the_package() -> None:
    assert faults(PACKAGE) == []


def test_files_beside_it() -> None:
    folders = [ROOT / name for name in ("tests", "benchmarks", "examples")]
    assert [fault for folder in folders if folder.exists() for fault in faults(folder)] == []


def test_the_rules_can_fail(tmp_path: Path) -> None:
    arguments = ", ".join(f"a{i}" for i in range(7))
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "app.py").write_text(f'"""Commands."""\ndef train({arguments}): ...\n')
    (tmp_path / "long.py").write_text('"""Long."""\n' + "x = 1\n" * 400)
    (tmp_path / "utils.py").write_text("x = 1\n")
    (tmp_path / "function.py").write_text(
        f'"""Functions."""\nclass A:\n    def few(self, a, b, c, d, e, f): ...\n    def many(self, {arguments}): ...\n'
        "def long():\n" + "    x = 1\n" * 60
    )
    assert faults(tmp_path) == [
        "function.py: long: 61 lines, at most 60",
        "function.py: many: 7 arguments, at most 6",
        "long.py: 401 lines, at most 400",
        "utils.py: opens with no docstring",
        "utils.py: the name says nothing of what is in it",
    ]
