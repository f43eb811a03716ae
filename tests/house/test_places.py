"""Nothing in the project names the machine on which it was written, or where its packages were fetched."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.house.source import ROOT

# Put together here, so that this file does not find itself.
FOLDERS = ["work", "root", "opt/wheels", "opt/pypi", r"home/\w+", r"Users/\w+"]
HOSTS = ["pypi" + ".org", "files.python" + "hosted", "download.py" + "torch", "registry.npm" + "js", "deb." + "debian"]
PLACES = re.compile("|".join([rf"(?<![\w./<])/{folder}/" for folder in FOLDERS] + [re.escape(host) for host in HOSTS]))


def places(paths: Iterable[Path]) -> list[str]:
    """`file:line: text` of every absolute machine path and registry host; files that are no text are passed over."""
    found = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            found.extend(f"{path}:{number}: {match.group()}" for match in PLACES.finditer(line))
    return found


def test_no_machine_is_named() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: no list of the project's own files")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert places(ROOT / name for name in listed.stdout.split("\0") if name) == []


def test_the_rule_can_fail(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text(
        "see " + "/".join(["", "work", "main", "x"]) + "\nhttps://" + HOSTS[0] + "/simple\nat home/work/desk\n"
    )
    assert [fault.split(":", 1)[1] for fault in places([path])] == ["1: /" + "work/", "2: " + HOSTS[0]]
