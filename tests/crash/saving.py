"""A bundle that is saved again and again, each time killed one change of the file system later.

In:  command line: a model's folder, a folder to work in
Out: exit code 0 where after every kill the next save left a whole bundle and nothing else
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from bertie.bundle import checksums
from bertie.bundle import folder as bundle
from bertie.bundle.folder import Model
from tests.bundle.interrupting import at_change
from tests.bundle.making import ROWS, SEVERAL, tiny_model_of


def killed(number: int, model: Model, folder: Path) -> bool:
    """Saves in a child of this process, which is killed at the given change; False where it ended before."""
    pid = os.fork()
    if pid == 0:
        with at_change(number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            bundle.save(model, folder, {})
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def main(model: Path, work: Path) -> None:
    """Ends with an error at the first kill that leaves something behind."""
    old, new = tiny_model_of(SEVERAL, model), tiny_model_of(ROWS, model)
    number, goes_on = 0, True
    while goes_on:
        number += 1
        folder = work / str(number)
        bundle.save(old, folder, {"notes.txt": "only the old bundle has this file"})
        goes_on = killed(number, new, folder)
        bundle.free(folder, overwrite=True)
        bundle.save(new, folder, {})
        checksums.verify(folder)
        left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
        assert not left, f"killed at {number}: {left}"
    assert number > 20


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
