"""The server process: a socket on the loopback, served until a signal.

In:  predictors, host, port
Out: nothing; ends by `Stopped` after SIGINT or SIGTERM, when the requests at work have been answered
Knows nothing of what is answered.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn

from bertie.core.errors import Stopped, UsageError
from bertie.core.stderr import tell
from bertie.serving.app import create_app
from bertie.serving.contract import Answerer, Limits
from bertie.serving.security import LOOPBACK

GRACE_SECONDS = 10


def serve(
    predictors: Sequence[Answerer], host: str = "127.0.0.1", port: int = 8000, limits: Limits | None = None
) -> None:
    """Serves until SIGINT or SIGTERM; port 0 takes a free one. UsageError where the address cannot be had."""
    app = create_app(predictors, limits)
    listener = listen(host, port)
    server = uvicorn.Server(settings(app))
    address = f"[{host}]" if ":" in host else host
    names = ", ".join(predictor.name for predictor in predictors)
    tell(f"serving {names} at http://{address}:{listener.getsockname()[1]}")
    with listener, signals_as_errors():
        server.run(sockets=[listener])


def settings(app: object) -> uvicorn.Config:
    """uvicorn as we need it: no header of another machine is believed, a stop waits for the requests at work."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on the loopback, and nowhere else."""
    if host not in LOOPBACK:
        raise UsageError(f"--host {host}: only this machine is served; choose one of {', '.join(sorted(LOOPBACK))}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"{host}:{port} cannot be served: {reason}; choose another with --port, 0 takes a free one"
        ) from error


@contextmanager
def signals_as_errors() -> Iterator[None]:
    """uvicorn answers what is at work, then raises the signal again; here it becomes `Stopped` with its exit code."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped("the server was stopped", number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
