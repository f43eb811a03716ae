"""The matrix of methods as Markdown, which is the page in the docs, and as JSON.

In:  a Matrix
Out: text
Knows nothing of what a cell checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bertie.workflow.matrix import Cell, Matrix

HEAD = """\
# Tuning methods, checked

Made by `bertie doctor --matrix`, which trains every method on every task and family of encoders for a few steps, on
tiny random encoders with rows in English and Chinese. A cell says on how many of them everything held: the encoder
starts as it was where that is promised; the right parameters got gradients and moved, the others stayed the same to the
last bit; the ranks of AdaLoRA fell to their budget; merged or restored it computes the same to 1e-5; saved and loaded
too. A dash: there is nothing to train, and a training is refused (frozen features for a task without a head).
"""


def markdown(matrix: Matrix) -> str:
    """Two tables, method x task and method x family, and every fault in words."""
    cells = matrix.cells
    red = [f"- {cell.method}, {cell.task}, {cell.family}: {'; '.join(cell.faults)}" for cell in matrix.faults]
    verdict = "all right" if not red else f"**{len(red)} failed**"
    return "\n".join(
        [
            HEAD,
            f"{len(matrix.checked)} cells, {verdict}.\n",
            "## By task\n",
            *_table(cells, lambda cell: cell.task),
            "\n## By family\n",
            *_table(cells, lambda cell: cell.family),
            *(["\n## What failed\n", *red] if red else []),
        ]
    )


def as_json(matrix: Matrix) -> dict[str, Any]:
    """Plain JSON."""
    faults = [asdict(cell) for cell in matrix.faults]
    return {"cells": len(matrix.checked), "seconds": round(matrix.seconds, 1), "faults": faults}


def _table(cells: Sequence[Cell], column: Callable[[Cell], str]) -> list[str]:
    methods, columns = list(dict.fromkeys(cell.method for cell in cells)), list(dict.fromkeys(map(column, cells)))
    lines = [["method", *columns], ["---"] * (len(columns) + 1)]
    for method in methods:
        mine = [cell for cell in cells if cell.method == method]
        lines.append([method, *(_counted([cell for cell in mine if column(cell) == name]) for name in columns)])
    return ["| " + " | ".join(line) + " |" for line in lines]


def _counted(cells: Sequence[Cell]) -> str:
    checked = [cell for cell in cells if not cell.empty]
    if not checked:
        return "-"
    right = sum(not cell.faults for cell in checked)
    return f"{right}/{len(checked)}" if right == len(checked) else f"**{right}/{len(checked)}**"
