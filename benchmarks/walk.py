"""One set on its way through the real commands, each in its own process; `bertie serve` is asked over HTTP.

In:  a folder with a set, a folder to work in, the words of a command, rows to ask for
Out: what a command printed, the server's answers; the commands as they were run, and their seconds
     sys.exit with the command and the end of its messages where one fails
Knows nothing of what the answers mean.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from measurement import CLI

ROWS_PER_REQUEST = 100
START_SECONDS = 120.0
"""In which the server must be ready: it checks its bundle first."""
STOP_SECONDS = 30.0
STOPPED = 128 + signal.SIGTERM
"""How the server ends when it is told to."""
T = TypeVar("T")


@dataclass
class Walk:
    """One set, the bundle that is made of it, and every command that was run on the way."""

    folder: Path
    columns: tuple[str, ...]
    """What the server is asked with."""
    work: Path
    data: Path
    commands: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def bundle(self) -> Path:
        """Where training leaves the model."""
        return self.work / f"{self.folder.name}-bundle"

    def bertie(self, *words: str) -> str:
        """One command to its end: what it wrote to stdout."""
        began = time.monotonic()
        done = subprocess.run(self._noted(*words), check=False, capture_output=True, encoding="utf-8")
        self.seconds[words[0]] = round(time.monotonic() - began, 1)
        if done.returncode:
            sys.exit(f"error: {self.commands[-1]}: exit {done.returncode}\n{done.stderr[-3000:]}")
        return done.stdout

    def ask(self, rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """The answers of a server that is started for it and stopped afterwards."""
        answers: list[dict[str, Any]] = []
        with self.served() as client:
            began = time.monotonic()
            for start in range(0, len(rows), ROWS_PER_REQUEST):
                response = client.post("/v1/predict", json={"rows": rows[start : start + ROWS_PER_REQUEST]})
                answers += self._content(response)["answers"]
            self.seconds["answering"] = round(time.monotonic() - began, 1)
        return answers

    @contextmanager
    def served(self) -> Iterator[httpx.Client]:
        """A client of the server once that is live and ready; afterwards it must end as a server that was stopped."""
        log, began = self.work / f"{self.folder.name}-serve.log", time.monotonic()
        with log.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(self._noted("serve", str(self.bundle), "--port", "0"), stderr=stream)
        try:
            address = until(lambda: _address(log), process, log)
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                self._content(client.get("/live"))
                until(lambda: client.get("/ready").is_success, process, log)
                self.seconds["ready"] = round(time.monotonic() - began, 1)
                yield client
        finally:
            code = stop(process)
        if code != STOPPED:
            sys.exit(f"error: {self.commands[-1]}: ended with {code}, expected {STOPPED}\n{_end(log)}")

    def _noted(self, *words: str) -> list[str]:
        """A command as it is run; kept without the folders of this machine."""
        self.commands.append(shlex.join(["bertie", *map(self._shown, words)]))
        print(self.commands[-1], file=sys.stderr)
        return [*CLI, *words]

    def _shown(self, word: str) -> str:
        path = Path(word)
        for name, folder in (("WORK", self.work), ("DIR", self.data)):
            if path.is_relative_to(folder):
                return str(name / path.relative_to(folder))
        return path.name if path.is_absolute() else word

    def _content(self, response: httpx.Response) -> dict[str, Any]:
        if not response.is_success:
            sys.exit(f"error: {response.request.url.path}: status {response.status_code}\n{response.text[:3000]}")
        content: dict[str, Any] = response.json()
        return content


def until(found: Callable[[], T | None], process: subprocess.Popen[bytes], log: Path) -> T:
    """Asks again and again until there is an answer; sys.exit where the server ends, or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if value := found():
            return value
        time.sleep(0.05)
    state = "is not ready in time" if process.poll() is None else f"ended with {process.returncode}"
    sys.exit(f"error: bertie serve {state}\n{_end(log)}")


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, and how the process ended; killed where it does not end by that."""
    process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _address(log: Path) -> str | None:
    """From the line in which the server says where it is; None before that line is whole."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return next((line.split()[-1] for line in lines if line.startswith("serving ") and line.endswith("\n")), None)


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-3000:]
