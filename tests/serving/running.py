"""A server with a small stand-in for a model, for tests of the HTTP mechanics; the real model is tested elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from bertie.core.errors import DataError
from bertie.serving.app import create_app
from bertie.serving.contract import Answerer, Limits
from bertie.serving.run import listen, settings


@dataclass(frozen=True)
class Columns:
    """A task, as far as the server looks."""

    columns: tuple[str, ...] = ("text",)

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if not set(self.columns) <= set(row):
            raise DataError(f"the model needs {', '.join(self.columns)}")
        return {column: row[column] for column in self.columns}

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        return list(row.values())


@dataclass
class Echo:
    """Answers with the length of the text; `gate` keeps it at work, "bad" and "crash" make it fail."""

    name: str = "echo"
    task: Columns = field(default_factory=Columns)
    gate: threading.Event | None = None
    broken: bool = False

    def predict(self, rows: Sequence[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
        values = [self._text(row, number) for number, row in enumerate(rows, start=1) if isinstance(row, Mapping)]
        if self.broken or "crash" in values:
            raise RuntimeError("secret detail")
        if "bad" in values:
            raise DataError("row 1: cannot be read")
        if self.gate and "warm-up" not in values:
            assert self.gate.wait(20)
        return [{"label": str(len(value)), "score": 1.0} for value in values]

    def _text(self, row: Mapping[str, Any], number: int) -> str:
        """As a task of texts does: other values it refuses."""
        wrong = [column for column, value in row.items() if not isinstance(value, str)]
        if wrong:
            raise DataError(f"row {number}: column {wrong[0]!r} is missing or no text")
        return " ".join(row.values())


@dataclass(frozen=True)
class Running:
    """A server at work."""

    client: httpx.Client
    port: int

    def raw(self, data: bytes) -> bytes:
        """Sends bytes as they are, and returns what comes back until the server closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(data)
            received = b""
            try:
                while part := connection.recv(65536):
                    received += part
                    if b"}" in received:
                        break
            except TimeoutError:
                pass
            return received


@contextmanager
def running(*models: Answerer, limits: Limits | None = None, ready: bool = True) -> Iterator[Running]:
    """A real uvicorn on a free port."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = uvicorn.Server(settings(create_app(models or [Echo()], limits)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
        wait_until(lambda: client.get("/ready").status_code == 200 if ready else client.get("/live").is_success)
        try:
            yield Running(client, port)
        finally:
            server.should_exit = True
            thread.join(20)
            listener.close()


def wait_until(condition: Any, seconds: float = 20) -> None:
    """Asks again and again until it holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError("did not happen in time")
