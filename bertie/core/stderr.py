"""Lines for a person, beside the results.

In:  a line
Out: the line on stderr; nothing where nobody reads it any more
Knows nothing of what is said.
"""

from __future__ import annotations

import sys
from contextlib import suppress


def tell(line: str) -> None:
    """Writes a line. Of `bertie train ... 2>&1 | tee log` Ctrl-C ends `tee` first: that nobody listens must never end
    the work, which is about to save what it has.
    """
    with suppress(OSError, ValueError):  # a closed pipe; a closed file
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
