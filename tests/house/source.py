"""Reads a tree of Python files for the house tests, without importing them.

In:  the folder of a package
Out: its modules by dotted name; who imports whom, on which line, and whether inside a function
Knows nothing of the rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bertie"


@dataclass(frozen=True)
class Import:
    """One import of one module by another; `target` is a module of the tree, or a foreign one."""

    importer: str
    target: str
    line: int
    hidden: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def modules(package: Path) -> dict[str, Path]:
    """Dotted name to file; a folder's `__init__.py` has the folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(package: Path) -> list[Import]:
    """Every import statement of the tree, those under `if TYPE_CHECKING` too."""
    known = modules(package)
    found = []
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        hidden = {id(node) for function in functions(tree) for node in ast.walk(function)}
        folder = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(tree):
            for target in _targets(node, folder, known):
                found.append(Import(name, target, node.lineno, id(node) in hidden))  # type: ignore[attr-defined]
    return found


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _targets(node: ast.AST, folder: str, known: dict[str, Path]) -> list[str]:
    """What a statement imports: `from bertie.tasks import base` is bertie.tasks.base, if that is a file."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    source = node.module or ""
    if node.level:
        parents = folder.split(".")[: len(folder.split(".")) - node.level + 1]
        source = ".".join([*parents, *([source] if source else [])])
    inside = [f"{source}.{alias.name}" for alias in node.names]
    return [target if target in known else source for target in inside]
