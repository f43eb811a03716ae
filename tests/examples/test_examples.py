"""The worked example and the Python of the README run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.rows import write

ROOT = Path(__file__).parents[2]


def test_the_worked_example_runs(tiny_model: Path, tmp_path: Path) -> None:
    data, out = write(tmp_path / "reviews.csv", 120), tmp_path / "my-classifier"
    command = [sys.executable, str(ROOT / "examples" / "classify.py"), str(data), "--out", str(out)]
    done = subprocess.run(
        [*command, "--model", str(tiny_model), "--epochs", "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "precision" in done.stdout
    assert "floor tfidf" in done.stdout
    assert "用了三天就坏了 {'label'" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_python_of_the_readme_runs(page: str, tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", 60)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    assert blocks
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "e5-model" / "report.html").is_file()
