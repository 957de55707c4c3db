"""One client's connection: uvicorn's, with limits for those who send slowly, too much, or never read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from palio.serve.listener import ConnectionLimits

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable
    from uvicorn._types import Scope as AnyScope

    from palio.serve.express import Express
    from palio.serve.protocols.wire import Reply
    from palio.serve.ways import Way


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
    _heads: _Heads

    _received = 0
    _at_most = 0
    """Bytes that the head can have, if all that arrived is head."""
    _is_head_too_large = False
    _suspect: tuple[object, float] = (None, 0.0)
    _express: Express | None = None
    _is_draining: Callable[[], bool]
    _n_begun = 0
    _in_head = False

    @classmethod
    def limited(cls, limits: ConnectionLimits, *, n_allowed: int) -> type[Connection]:
        """Make the class of one server's connections."""
        own = {"limits": limits, "n_allowed": n_allowed, "tally": Tally(), "_heads": _Heads()}
        return type("Connection", (cls,), own)

    @classmethod
    def let_pass(cls, express: Express, is_draining: Callable[[], bool]) -> None:
        """Answer requests that come in one piece by `express`, not by the ASGI application."""
        cls._express = express
        cls._is_draining = staticmethod(is_draining)

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
        self._at_most = self._received + len(data)
        super().data_received(data)
        if self._in_head or (self.cycle is not None and self.cycle.more_body):
            self._received += len(data)
            self._check_size(in_head=self._in_head)
            if isinstance(self.cycle, Call) and self.cycle.more_body:
                cast("Express", self._express).wait_for(self.cycle)
        else:
            self._received = 0

    # ── what the parser has found ───────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Begin with a head; its scope is made when it is needed."""
        self._n_begun += 1
        self._in_head = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Choose between the express and the application."""
        limits = self.limits
        if len(self.headers) > limits.max_headers or (
            self._at_most > limits.max_head_bytes and self._head_bytes() > limits.max_head_bytes
        ):
            self._is_head_too_large = True
            raise ValueError  # ends the parser: what follows in the same piece is not looked at
        self._in_head = False
        express, before = self._express, self.cycle
        if express is not None and (before is None or before.response_complete) and not self.expect_100_continue:
            way, parser = express.find(self.url), self.parser
            if (
                way is not None
                and parser.get_method() == b"POST"
                and parser.get_http_version() == "1.1"
                and not parser.should_upgrade()
                and not self.flow.write_paused
                and self.app is self.config.loaded_app
            ):
                self.cycle = cast("Any", Call(self, way, self.headers, parser.should_keep_alive()))
                return
        self._begin_cycle()

    def _begin_cycle(self) -> None:
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        call = self.cycle
        if not isinstance(call, Call):
            super().on_body(body)
        elif not call.body:
            call.body = body
        else:  # many small chunks must not be copied again and again
            call.pieces = call.pieces or bytearray(call.body)
            call.pieces += body

    def on_message_complete(self) -> None:
        """Pass a whole request on."""
        call = self.cycle
        if isinstance(call, Call):
            call.more_body = False
            if call.pieces:
                call.body = bytes(call.pieces)
            cast("Express", self._express).take(call)
        else:
            super().on_message_complete()

    def leave_to_application(self, call: Call) -> None:
        """Let the application read a body that comes slowly, or is large."""
        self.cycle = None  # type: ignore[assignment]
        self._begin_cycle()
        if not call.keep_alive:
            self.cycle.keep_alive = False
        if call.body:
            super().on_body(bytes(call.pieces or call.body))

    def on_response_complete(self) -> None:
        """Go on with the next request. Idle connections are found by `sweep`: a timer for each answer costs more."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def send(self, call: Call, reply: Reply | None) -> None:
        """Write the answer to a call in one piece."""
        if reply is None or call.disconnected:
            call.response_complete = True
            return
        call.response_started = True
        is_last = not call.keep_alive or self._is_draining()
        self.transport.write(self._head(reply, is_last=is_last) + reply.body)
        call.response_complete = True
        if is_last:
            self.transport.close()
        self.on_response_complete()

    def _head(self, reply: Reply, *, is_last: bool) -> bytes:
        """Write the head of an answer, most of it from memory; the date of all changes once a second."""
        heads, defaults = self._heads, self.server_state.default_headers
        if heads.defaults is not defaults:
            heads.clear()
            heads.defaults = defaults
        begin = heads.get((reply.status, reply.content_type))
        if begin is None:
            begin = _lines((*defaults, (b"content-type", reply.content_type))).replace(b"%", b"%%")
            begin = heads[reply.status, reply.content_type] = (
                STATUS_LINE[reply.status] + begin + b"content-length: %d\r\n"
            )
        head = begin % len(reply.body)
        if reply.headers:
            head += _lines(reply.headers)
        return head + (b"connection: close\r\n\r\n" if is_last else b"\r\n")

    def _check_size(self, *, in_head: bool) -> None:
        limits = self.limits
        if self.transport.is_closing():
            return
        n_headers = len(self.headers or ())
        if in_head and (self._received > limits.max_head_bytes or n_headers > limits.max_headers):
            self._refuse_head()
        elif self._received > limits.max_message_bytes or n_headers > limits.max_headers:
            self.tally["message_size"] += 1
            self.transport.abort()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_head(self) -> None:
        self.tally["head_size"] += 1
        self.transport.write(_HEAD_TOO_LARGE)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not in our form
        """Answer what cannot be parsed, and close."""
        if self._is_head_too_large:
            self._refuse_head()
            return
        self.transport.write(_NOT_HTTP)
        self.transport.close()

    def is_between_requests(self) -> bool:
        """Tell whether nothing is owed: no request is under way, not even a part of its head."""
        return not self._in_head and (self._n_begun == 0 if self.cycle is None else self.cycle.response_complete)

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
            elif reason == "idle":
                self.transport.close()
            else:
                self.transport.abort()

    def _state(self) -> tuple[object, str, float]:
        limits = self.limits
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            return (self._n_begun, waiting), "write_timeout", limits.write_timeout_s
        if self.transport.is_closing():
            return "closing", "write_timeout", limits.write_timeout_s
        if self._in_head:
            return self._n_begun, "head_timeout", limits.head_timeout_s
        if self.cycle is None or self.cycle.response_complete:
            return -self._n_begun, "idle", limits.idle_timeout_s
        if self.cycle.more_body:
            return self._n_begun, "body_timeout", limits.body_timeout_s
        return None, "", 0.0


class Call:
    """A request that came in one piece: stands where uvicorn keeps its cycle of request and response."""

    __slots__ = (
        "body",
        "connection",
        "disconnected",
        "headers",
        "keep_alive",
        "more_body",
        "pieces",
        "response_complete",
        "response_started",
        "way",
    )

    def __init__(self, connection: Connection, way: Way, headers: list[tuple[bytes, bytes]], keep_alive: bool) -> None:
        self.connection, self.way, self.keep_alive = connection, way, keep_alive
        self.headers = dict(headers)
        self.body = b""
        self.pieces: bytearray | None = None
        self.more_body = True
        self.disconnected = self.response_started = self.response_complete = False

    @property
    def message_event(self) -> Any:
        """What uvicorn sets when there is news; nobody waits for it here."""
        return _Nobody

    @property
    def n_here(self) -> int:
        """How much of the body has arrived."""
        return len(self.pieces or self.body)

    def leave(self) -> None:
        """Let the application read the rest of the body; nothing else follows here."""
        self.more_body = False
        self.connection.leave_to_application(self)

    def send(self, reply: Reply | None) -> None:
        """Send the reply; None if nobody is left to read it."""
        self.connection.send(self, reply)

    def drop(self) -> None:
        """End the connection: there is no reply."""
        self.connection.transport.abort()


class _Nobody:
    @staticmethod
    def set() -> None:
        pass


class _Heads(dict[tuple[int, bytes], bytes]):
    """How answers of a status and a content type begin, until the default headers change."""

    defaults: Any = None


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


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
