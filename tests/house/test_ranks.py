"""The ranks of ARCHITECTURE.md: imports go down, stand at the top, and make no circle."""

from __future__ import annotations

from pathlib import Path

from tests.house.source import PACKAGE, Import, imports, modules

RANKS = {
    **dict.fromkeys(["core"], 0),
    **dict.fromkeys(["text", "nn", "metrics", "store"], 1),
    **dict.fromkeys(["data", "tuning"], 2),
    **dict.fromkeys(["tasks"], 3),
    **dict.fromkeys(["objectives"], 4),
    **dict.fromkeys(["bundle"], 5),
    **dict.fromkeys(["training", "predict"], 6),
    **dict.fromkeys(["evaluation", "explain", "compress"], 7),
    **dict.fromkeys(["workflow"], 8),
    **dict.fromkeys(["serving", "learning", "trials"], 9),
    **dict.fromkeys(["apps"], 10),
    **dict.fromkeys(["cli"], 11),
    **dict.fromkeys(["__main__"], 12),
}
SHARED = {"tasks": ("base", "one_label"), "objectives": ("base",), "tuning": ("base",)}
"""Of rooms where a file adds a thing: the files that the others may know."""
NEVER = {("predict", "training"), ("serving", "training"), ("apps", "training")}
MAY_HIDE = {
    "bertie": "the Python API is found on first use, so that `import bertie` is instant",
    "bertie.cli": "a command imports its work when it is called, so that `bertie --help` is instant",
}
"""A module, or a room with all its files."""
TORCH_IN_CORE = {"bertie.core.runtime"}


def room(module: str) -> str:
    """`bertie.nn.encoder` lives in `nn`; the package's own `__init__` in no room."""
    return module.split(".")[1] if "." in module else ""


def wrong_ranks(package: Path) -> list[str]:
    """Imports that go up or sideways, files in no room."""
    found = [
        f"{name}: the room {room(name)!r} has no rank" for name in modules(package) if room(name) not in {*RANKS, ""}
    ]
    for item in imports(package):
        if not item.target.startswith(f"{package.name}.") or not room(item.importer):
            continue
        here, there = room(item.importer), room(item.target)
        if here != there and (RANKS.get(here, -1) <= RANKS.get(there, 99) or (here, there) in NEVER):
            found.append(f"{item}: {here} may not know {there}")
        shared = SHARED.get(here, ())
        if here == there and shared and item.target.split(".")[-1] not in (*shared, here):
            found.append(f"{item}: in {here} only {', '.join(shared)} may be shared")
    return found


def circles(package: Path) -> list[str]:
    """Modules that import each other, directly or through others; one circle is named once."""
    graph: dict[str, list[str]] = {name: [] for name in modules(package)}
    for item in imports(package):
        if item.target in graph and item.target not in graph[item.importer]:
            graph[item.importer].append(item.target)
    found, done = [], set[str]()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append(" -> ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for target in graph[name]:
                visit(target, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def hidden(package: Path) -> list[Import]:
    """Imports inside functions that the list above does not excuse."""
    return [
        item
        for item in imports(package)
        if item.hidden and not {item.importer, f"bertie.{room(item.importer)}"} & set(MAY_HIDE)
    ]


def torch_in_core(package: Path) -> list[Import]:
    """`core` is torch-free but for one file, so that errors and settings cost nothing to import."""
    return [
        item
        for item in imports(package)
        if room(item.importer) == "core" and item.target.split(".")[0] == "torch" and item.importer not in TORCH_IN_CORE
    ]


def test_imports_go_down() -> None:
    assert wrong_ranks(PACKAGE) == []


def test_no_circles() -> None:
    assert circles(PACKAGE) == []


def test_imports_stand_at_the_top() -> None:
    assert [str(item) for item in hidden(PACKAGE)] == []


def test_core_has_no_torch() -> None:
    assert [str(item) for item in torch_in_core(PACKAGE)] == []


def test_the_rules_can_fail(tmp_path: Path) -> None:
    files = {
        "__init__.py": "",
        "core/__init__.py": "",
        "core/errors.py": "import torch\nfrom bertie.nn import layers\n",
        "nn/__init__.py": "",
        "nn/layers.py": "from . import heads\nfrom bertie.core import errors\n",
        "nn/heads.py": "from bertie.nn.layers import x\n",
        "tasks/__init__.py": "from bertie.tasks.base import Task\n",
        "tasks/base.py": "def late():\n    import bertie.nn.layers\n",
        "tasks/tagging.py": "from bertie.tasks import base\nfrom bertie.tasks.choice import x\n",
        "tasks/choice.py": "",
        "serving/app.py": "from bertie.training.loop import train\n",
        "training/loop.py": "from bertie.predict import Predictor\n",
        "predict.py": "",
        "garage/car.py": "",
    }
    package = tmp_path / "bertie"
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    wrong = "\n".join(wrong_ranks(package))
    assert "bertie.core.errors:2 imports bertie.nn.layers" in wrong
    assert "bertie.tasks.tagging:2 imports bertie.tasks.choice: in tasks only base, one_label may be shared" in wrong
    assert "bertie.serving.app:1 imports bertie.training.loop" in wrong
    assert "bertie.training.loop:1 imports bertie.predict" in wrong
    assert "the room 'garage' has no rank" in wrong
    assert len(wrong.splitlines()) == 5
    assert sorted(circles(package)) == [
        "bertie.core.errors -> bertie.nn.layers -> bertie.core.errors",
        "bertie.nn.layers -> bertie.nn.heads -> bertie.nn.layers",
    ]
    assert [str(item) for item in hidden(package)] == ["bertie.tasks.base:2 imports bertie.nn.layers"]
    assert [str(item) for item in torch_in_core(package)] == ["bertie.core.errors:1 imports torch"]
