"""The guard in front of the server: who may speak to it, and how much.

In:  ASGI messages of one request, the limits
Out: the same request with its body complete, or a refusal before anything has been parsed
Knows nothing of models or of what a request says.

A server on the loopback is reachable from every web page that the person opens. Two checks keep pages out, on every
method and on websockets: a foreign `Host` is a name that was rebound to this machine, a foreign `Origin` is a page of
another site.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertie.serving.contract import Limits, Refusal

DRAIN_SECONDS = 1.0
DRAIN_BYTES = 64_000_000
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Guard:
    """ASGI middleware; stands outside everything else."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Checks one request and hands it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            check_sender(scope)
            if scope["type"] == "http":
                receive = await self._complete(scope, receive)
        except Refusal as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        except asyncio.IncompleteReadError:
            return  # the client went away, nobody is left to answer
        await self.app(scope, receive, send)

    async def _complete(self, scope: Scope, receive: Receive) -> Receive:
        """The whole body, read within its limits; what follows it (the disconnect) comes from the client as before."""
        declared = _header(scope, "content-length")
        if any(not length.isdigit() or int(length) > self.limits.body_bytes for length in declared):
            raise self._too_large()
        try:
            body = await asyncio.wait_for(self._read(receive), self.limits.body_seconds)
        except TimeoutError:
            raise Refusal(408, "timeout", f"no complete body within {self.limits.body_seconds:g} seconds") from None
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        return replay

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise asyncio.IncompleteReadError(bytes(body), None)
            body += message.get("body", b"")
            if len(body) > self.limits.body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> Refusal:
        return Refusal(
            413, "too_large", f"the body is larger than {self.limits.body_bytes} bytes; send several requests"
        )


def check_sender(scope: MutableMapping[str, Any]) -> None:
    """Refusal where the request was not meant for this machine, or comes from another site's page."""
    hosts = _header(scope, "host")
    if len(hosts) != 1 or _name(f"//{hosts[0]}") not in LOOPBACK:
        raise Refusal(
            421, "foreign_host", "this server answers only to 127.0.0.1 and localhost; address it by one of these"
        )
    # A page of this server has the server's own address as its origin; programs send none.
    own = {f"{scheme}://{hosts[0]}" for scheme in ("http", "ws")}
    if any(origin not in own for origin in _header(scope, "origin")):
        raise Refusal(403, "foreign_origin", "pages of other sites may not use this server")


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _header(scope: MutableMapping[str, Any], name: str) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key == name.encode()]


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    # A connection that is closed while the client still sends is reset, and the client never sees why. So: answer, read
    # on for a moment, close.
    response = JSONResponse(refusal.content(), refusal.status, headers={"connection": "close", **refusal.headers})
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with suppress(TimeoutError):
        await asyncio.wait_for(_drain(receive), DRAIN_SECONDS)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    """Reads what the client still sends, and forgets it."""
    left = DRAIN_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return
