"""One tree of errors: what was found, where, what was expected, what to do.

In:  nothing
Out: exception classes; each carries the exit code with which the command line ends
Knows nothing of anything else in the package.
"""

from __future__ import annotations

from collections.abc import Sequence


class BertieError(Exception):
    """The work failed for a reason that we understand; the message tells the person what to do."""

    exit_code: int = 1


class UsageError(BertieError):
    """A command, an argument or a setting is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A recipe or a `--set` names an unknown field or gives a value that does not fit."""


class DataError(BertieError):
    """Rows, files or columns that cannot be used.

    `problems` holds every problem found, each as `file:line: what, expected, what to do`; ten are shown, and a count.
    """

    exit_code = 2
    shown = 10

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        lines = self.problems[: self.shown]
        rest = len(self.problems) - len(lines)
        if rest:
            lines = [*lines, f"... and {rest} more ({len(self.problems)} problems in all)"]
        super().__init__("\n".join(lines))


class ModelError(BertieError):
    """A checkpoint cannot be found or does not hold what its config promises."""

    exit_code = 2


class BundleError(BertieError):
    """A bundle is refused: a file changed, or it does not answer its golden examples as it did when it was saved."""

    exit_code = 2


class RunLockedError(BertieError):
    """Another process writes to this run folder."""

    exit_code = 2


class StorageError(BertieError):
    """The disk is full or cannot be written; nothing that was saved before is lost."""


class Stopped(BertieError):
    """A signal asked to stop; the state was saved. `exit_code` is 128 + the signal's number."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
