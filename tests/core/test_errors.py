"""Messages and exit codes."""

from __future__ import annotations

import signal

from bertie.core.errors import BertieError, DataError, Stopped


def test_the_first_ten_problems_and_a_count() -> None:
    error = DataError([f"a.csv:{line}: wrong" for line in range(2, 27)])
    lines = str(error).splitlines()
    assert len(lines) == 11
    assert lines[0] == "a.csv:2: wrong"
    assert lines[-1] == "... and 15 more (25 problems in all)"
    assert len(error.problems) == 25
    assert error.exit_code == 2


def test_a_stop_ends_with_the_signal_number() -> None:
    assert Stopped("stopped", signal.SIGINT).exit_code == 130
    assert Stopped("stopped", signal.SIGTERM).exit_code == 143
    assert BertieError("failed").exit_code == 1
