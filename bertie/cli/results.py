"""Results on stdout, as all commands show them.

In:  what the work has given
Out: lines for a person, or one JSON object
Knows nothing of the commands. Imports the rest inside, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
from pathlib import Path


def show(evaluation: dict[str, object], as_json: bool) -> None:
    """An evaluation, as JSON or for a person."""
    from bertie.evaluation.judge import readable

    print(json.dumps(evaluation, ensure_ascii=False) if as_json else readable(evaluation))


def show_place(folder: Path) -> None:
    """Where a bundle lies, and its report."""
    print(f"bundle: {folder}\nreport: {folder / 'report.html'}")
