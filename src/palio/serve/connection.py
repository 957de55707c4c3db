"""One client's connection: uvicorn's, with limits for those who send slowly, too much, or never read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from palio.serve.listener import ConnectionLimits

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable
    from uvicorn._types import Scope as AnyScope


class Tally(dict[str, int]):
    """Connections that were turned away or cut off, by reason."""

    def __init__(self) -> None:
        reasons = "connections head_timeout body_timeout head_size message_size idle write_timeout"
        super().__init__(dict.fromkeys(reasons.split(), 0))


class Connection(HttpToolsProtocol):
    """Counts what has arrived while a request is incomplete; `sweep` looks at all connections once a second.

    A request that comes in one piece costs two comparisons. Timers for each request would cost more than its answer's
    encoding, so there are none.
    """

    limits = ConnectionLimits()
    n_allowed = 10_000
    tally: Tally

    _received = 0
    _suspect: tuple[object, float] = (None, 0.0)

    @classmethod
    def limited(cls, limits: ConnectionLimits, *, n_allowed: int) -> type[Connection]:
        """Make the class of one server's connections."""
        return type("Connection", (cls,), {"limits": limits, "n_allowed": n_allowed, "tally": Tally()})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, or tell the client to come back later."""
        super().connection_made(transport)
        surplus = len(self.connections) - self.n_allowed
        if surplus > 0:
            self.tally["connections"] += 1
            self.app = cast("ASGI3Application", _busy)
            if surplus > max(32, self.n_allowed // 10):  # too many even to be told
                transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse, and hold what is incomplete to the limits."""
        super().data_received(data)
        scope: Any = self.scope
        if scope is None or "path" not in scope or self.cycle.more_body:
            self._received += len(data)
            self._check_size(in_head=scope is not None and "path" not in scope)
        else:
            self._received = 0

    def _check_size(self, *, in_head: bool) -> None:
        limits = self.limits
        if self.transport.is_closing():
            return
        n_headers = len(self.headers or ())
        if in_head and (self._received > limits.max_head_bytes or n_headers > limits.max_headers):
            self.tally["head_size"] += 1
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()
        elif self._received > limits.max_message_bytes or n_headers > limits.max_headers:
            self.tally["message_size"] += 1
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not in our form
        """Answer what cannot be parsed, and close."""
        self.transport.write(_NOT_HTTP)
        self.transport.close()

    def is_between_requests(self) -> bool:
        """Tell whether nothing is owed: no request is under way, not even a part of its head."""
        if self.cycle is None:
            return self.scope is None
        return self.cycle.response_complete and "path" in self.scope

    def look(self, now: float) -> None:
        """Cut the connection off if it has been in the same unwanted state for too long."""
        state, reason, limit_s = self._state()
        if state is None:
            self._suspect = (None, 0.0)
        elif self._suspect[0] != state:
            self._suspect = (state, now)
        elif now - self._suspect[1] >= limit_s:
            self.tally[reason] += 1
            if reason == "body_timeout" and not self.cycle.response_started:
                self.transport.write(_TOO_SLOW)
                self.transport.close()
            else:
                self.transport.abort()

    def _state(self) -> tuple[object, str, float]:
        limits, scope = self.limits, cast("Any", self.scope)
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            return (id(self.cycle), waiting), "write_timeout", limits.write_timeout_s
        if self.transport.is_closing():
            return "closing", "write_timeout", limits.write_timeout_s
        if scope is None:
            return "fresh", "idle", limits.idle_timeout_s
        if "path" not in scope:
            return id(scope), "head_timeout", limits.head_timeout_s
        if self.cycle.more_body and not self.cycle.response_complete:
            return id(scope), "body_timeout", limits.body_timeout_s
        return None, "", 0.0


def sweep(connections: Iterable[object]) -> None:
    """Look at every connection; costs about a microsecond for each."""
    now = time.monotonic()
    for connection in list(connections):
        if isinstance(connection, Connection) and connection.transport is not None:
            connection.look(now)


def _last_words(status: bytes, text: bytes) -> bytes:
    body = b'{"error":"%b"}' % text
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, len(body)) + body


_HEAD_TOO_LARGE = _last_words(b"431 Request Header Fields Too Large", b"the headers are too large")
_TOO_SLOW = _last_words(b"408 Request Timeout", b"the body did not arrive in time")
_NOT_HTTP = _last_words(b"400 Bad Request", b"this is not a request of HTTP/1.1")
_BUSY = b'{"error":"too many connections; ask again later"}'


async def _busy(scope: AnyScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:  # noqa: ARG001
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(_BUSY)),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": _BUSY, "more_body": False})
