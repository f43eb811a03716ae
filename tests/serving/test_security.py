"""Pages of other sites and rebound names stay outside; only this machine is served."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from bertie.core.errors import UsageError
from bertie.serving.contract import Limits
from bertie.serving.run import listen
from bertie.serving.security import Guard
from tests.serving.running import Running, running

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/live", "/ready", "/v1/predict", "/openapi.json", "/nowhere"])
def test_foreign_hosts_and_origins_on_every_method(server: Running, method: str, path: str) -> None:
    assert server.client.request(method, path, headers={"host": "evil.example"}).status_code == 421
    assert server.client.request(method, path, headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1.evil.example", "localhost.evil.example", "evil.example:80", "0.0.0.0", "", "[::"]
)
def test_hosts_that_look_like_ours(server: Running, host: str) -> None:
    assert server.raw(f"GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).startswith(b"HTTP/1.1 421")


def test_no_host_at_all(server: Running) -> None:
    assert server.raw(b"GET /live HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421")


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1", "http://localhost:1", "https://127.0.0.1:{port}", ""])
def test_origins_that_look_like_ours(server: Running, origin: str) -> None:
    headers = {"origin": origin.format(port=server.port)}
    assert server.client.get("/live", headers=headers).status_code == 403


def test_our_own_page_may(server: Running) -> None:
    for name in ("127.0.0.1", "localhost"):
        headers = {"host": f"{name}:{server.port}", "origin": f"http://{name}:{server.port}"}
        assert server.client.get("/live", headers=headers).status_code == 200


def test_websockets_are_guarded() -> None:
    sent: list[Any] = []
    reached: list[Any] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    guard = Guard(inside, Limits())
    foreign = {"type": "websocket", "headers": [(b"host", b"localhost:1"), (b"origin", b"http://evil.example")]}
    asyncio.run(guard(foreign, receive, send))
    assert (sent, reached) == ([{"type": "websocket.close", "code": 1008}], [])
    own = {"type": "websocket", "headers": [(b"host", b"localhost:1"), (b"origin", b"http://localhost:1")]}
    asyncio.run(guard(own, receive, send))
    assert reached == [own]


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.0.1", "example.com"])
def test_only_this_machine(host: str) -> None:
    with pytest.raises(UsageError, match="only this machine"):
        listen(host, 0)


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="--port"):
        listen("127.0.0.1", taken.getsockname()[1])
