"""Carry calls from the loop of gRPC to an ASGI application on another, and say refusals in the words of gRPC."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import grpc
import msgspec

from palio.serve.protocols.wire import Message, Receive, Reply, Scope, Send, WireError

Headers = tuple[tuple[bytes, bytes], ...]

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class Application(Protocol):
    """What is asked: an ASGI callable that knows its callers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

    def is_stranger(self, headers: dict[bytes, bytes]) -> bool:
        """Tell whether a request with these headers is refused whatever it asks for; from any thread."""


_HELD_BACK = frozenset((b"host", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"te"))
"""Headers of a transport: what HTTP says with them, gRPC says in its own frames."""
_PASSED_ON = (b"retry-after", b"x-palio-")


class Bridge:
    """Send requests to an ASGI application that lives on another loop."""

    def __init__(self, application: Application, loop: asyncio.AbstractEventLoop) -> None:
        self._application = application
        self._loop = loop

    def is_stranger(self, headers: Headers) -> bool:
        """Tell whether no call of whoever sends these headers will be answered."""
        return self._application.is_stranger(dict(headers))

    async def __call__(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> Reply:
        """Return the reply, whatever its status.

        Raises:
            WireError: 503, the application is gone.
        """
        request = self._run(method, path, headers, body)
        try:
            there = asyncio.run_coroutine_threadsafe(request, self._loop)
        except RuntimeError:  # its loop is closed
            request.close()
            raise stopping() from None
        # a caller that gives up does not tear an answer out of the application: it ends there, unread
        return await asyncio.shield(asyncio.wrap_future(there))

    async def _run(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        answer: list[Message] = []

        async def receive() -> Message:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(part: Message) -> None:
            answer.append(part)

        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "2",
            "method": method,
            "scheme": "grpc",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
            "client": None,
            "server": None,
        }
        await self._application(scope, receive, send)
        start, *parts = answer
        fields = tuple((bytes(name), bytes(value)) for name, value in start["headers"])
        return Reply(start["status"], b"".join(part.get("body", b"") for part in parts), headers=fields)


def stopping() -> WireError:
    """Say that the application is gone, or about to go."""
    return WireError(503, "the server is stopping")


def headers_of(context: Any) -> Headers:
    """Read the metadata of a call as headers: `authorization`, `x-api-key`, and what else a caller says."""
    found = []
    for name, value in context.invocation_metadata() or ():
        if name.endswith("-bin") or isinstance(value, bytes):
            continue
        key = name.encode()
        if key not in _HELD_BACK and not key.startswith((b"grpc-", b"inference-header", b":")):
            found.append((key, value.encode()))
    return tuple(found)


def trailing_of(reply: Reply) -> tuple[tuple[str, str], ...]:
    """Pick the headers of a reply that its caller wants to know."""
    return tuple((name.decode(), value.decode()) for name, value in reply.headers if name.startswith(_PASSED_ON))


def refused(reply: Reply) -> WireError:
    """Turn a reply that is a refusal back into it."""
    try:
        text = str(msgspec.json.decode(reply.body)["error"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        text = "the request was refused"
    kept = tuple(header for header in reply.headers if header[0].startswith(_PASSED_ON))
    return WireError(reply.status, text, headers=kept)


def end(context: Any, refusal: WireError) -> None:
    """Let a call end with the status of a refusal when its method returns.

    Never `context.abort`: what it raises keeps the frames of the method, and its message, for ever (grpc 1.85).
    """
    code = CODES.get(refusal.status, grpc.StatusCode.INTERNAL)
    context.set_code(code)
    context.set_details(refusal.message)
    context.set_trailing_metadata(tuple((n.decode(), v.decode()) for n, v in refusal.headers))
