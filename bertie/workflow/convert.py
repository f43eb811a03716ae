"""Rows from one format to another.

In:  a file or rows, how to read them, a path to write
Out: a file that has been read again, and what a person should know of it
Knows nothing of the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertie.bundle.folder import TASKS
from bertie.core.files import new_file
from bertie.data.formats import FORMATS, format_of, format_to_write, write_rows
from bertie.data.given_rows import GivenRows
from bertie.data.kinds import columns_of
from bertie.data.readers import read_rows
from bertie.workflow.output import check_output
from bertie.workflow.preparation import kind_for
from bertie.workflow.request import Reading, Say


def run_conversion(
    source: Path | GivenRows,
    target: Path,
    reading: Reading,
    formats: tuple[str | None, str | None],
    say: Say,
    task: str | None = None,
) -> int:
    """Writes the rows of `source` to `target`, and returns how many; `formats`: from, to, None: the ending tells.

    `task` is what the rows are for; without it their columns tell.
    """
    read_as = format_of(formats[0]).read if formats[0] else None
    chosen = format_to_write(target, formats[1])
    check_output(target, source, "OUT", "rows.jsonl")
    rows = read_rows(source, reading.columns, reading.encoding, reading.skip_bad_rows, kind_for(task), read_as)
    for note in rows.notes:
        say(note)
    with new_file(target, 0) as making:
        notes = write_rows(rows, making, chosen)
    for note in notes:
        say(note)
    say(f"{target}: {len(rows)} rows of {rows.kind}, written as {chosen.name}")
    return len(rows)


def known_data() -> dict[str, list[dict[str, Any]]]:
    """Formats and kinds of rows, as plain JSON."""
    tasks: dict[str, list[str]] = {}
    for task in TASKS.classes().values():
        tasks.setdefault(task.kind, []).append(task.name)
    formats = [
        {"name": one.name, "endings": list(one.endings), "written": one.write is not None, "about": one.about}
        for one in FORMATS.values()
    ]
    kinds = [{"name": name, **columns, "tasks": tasks.get(name, [])} for name, columns in columns_of().items()]
    return {"formats": formats, "kinds": kinds}


def readable_data(found: dict[str, list[dict[str, Any]]]) -> str:
    """The same as lines for a person."""
    lines = ["formats"]
    for one in found["formats"]:
        use = "read, written" if one["written"] else "read"
        lines.append(f"  {one['name']:<13} {use:<14} {' '.join(one['endings']):<18} {one['about']}")
    lines.append("kinds of rows, each with the columns that show it")
    for kind in found["kinds"]:
        lines.append(f"  {kind['name']} ({', '.join(kind['tasks']) or 'no task yet'})")
        lines += [f"    {','.join(columns)}" for columns in kind["columns"]]
        lines += [f"    may have {', '.join(kind['may_have'])}"] if kind["may_have"] else []
        lines += [
            f"    {name} is also read from {', '.join(others)}" for name, others in kind["names"].items() if others
        ]
    return "\n".join(lines)
