"""Where a file may be written: looked at before any work is done for it.

In:  a path, how a person named it, what is read
Out: nothing, or a UsageError
Knows nothing of what is written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bertie.bundle.checksums import stay_outside
from bertie.core.errors import UsageError
from bertie.core.files import check_place


def check_output(output: Path, source: object, option: str, example: str) -> None:
    """UsageError where no file can be written, or where it is the one that is read.

    `source` is a path or its name, or `-`: stdin; anything else is no file. `option` is how a person named the output,
    `example` a name that would do.
    """
    stay_outside(output)
    check_place(output, option, example)
    if isinstance(source, (str, Path)) and output.is_file() and _is_read(output, source):
        raise UsageError(f"{option} {output}: is the file that is read, which would be lost; name another one")


def _is_read(output: Path, source: str | Path) -> bool:
    try:
        if source == "-":
            return os.path.samestat(os.fstat(sys.stdin.fileno()), output.stat())
        return output.samefile(source)
    except (OSError, ValueError):  # there is no file of that name, or stdin is none
        return False
