"""Move bytes in and out: caps, request bodies, compression, replies, errors as JSON."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from palio.core.errors import PalioError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"
BINARY = b"application/octet-stream"
_WINDOW_BITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_BARE_DEFLATE = -15
_MOST_MEMBERS = 10_000
"""More gzip members than this are taken for an attack: each costs microseconds, and may be empty."""
_PIECE_BYTES = 64 * 1024
COMPRESS_FROM_BYTES = 1024
"""A shorter answer is not worth the time."""
INFLATE_INLINE_BYTES = 4096
"""A compressed body no longer than this is unpacked on the event loop; others in a thread."""
FREE_INFLATION_BYTES = 2**20
"""What a body may always grow to, whatever its ratio."""
FREE_LISTS = 500_000
LEAST_LIST_BYTES = 32
"""A body may begin so many lists and objects, and one more for each of these bytes. Each takes 3 bytes in JSON and 72
in memory, and while they are made the interpreter does nothing else: 20 million took 7 seconds."""
_JSON_BEGINS = (b"[", b"{", b" ", b"\t", b"\r", b"\n")
"""Where JSON begins otherwise, it is no list and no object, and read no farther."""
LARGE_BYTES = 64 * 1024
"""A body above this counts as held, in however many pieces it came."""

Array = np.ndarray[Any, np.dtype[Any]]


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """How much one request may take."""

    max_body_bytes: int = 64 * 2**20
    """Of a body, before and after decompression."""
    max_ratio: int = 50
    """How many times its compressed size a body may have, beyond the first megabyte. JSON reaches 10 to 30."""
    max_rows: int = 10_000
    read_timeout_s: float = 30.0
    """How long a client may take to send its body."""
    absent_columns: Literal["refuse", "answer"] = "refuse"
    """What is done with a row that leaves out a column that training always had; answers tell it."""


class WireError(Exception):
    """A request that gets an error answer: status, one sentence, and the names of the fields it is about."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hint: str = "",
        fields: tuple[str, ...] = (),
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status
        self.message = message
        self.fields = fields
        self.headers = headers
        self.reason = message
        """What the log keeps: the message, unless that says back a name that the caller made up."""

    @classmethod
    def of(cls, error: PalioError, *, status: int | None = None) -> WireError:
        """Turn an error of Palio into an answer; of its facts only the names of columns go out."""
        violations = error.facts.get("violations") or ()
        fields = tuple(dict.fromkeys(str(violation["column"]) for violation in violations))
        refusal = cls(status or error.http_status, error.message, hint=error.hint, fields=fields)
        if any(violation.get("rule") == "surplus" for violation in violations):
            refusal.reason = "a record holds an unknown field"
        return refusal


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Request(msgspec.Struct, frozen=True, gc=False):
    """What a handler of an inference route gets to see."""

    body: bytes
    header_length: int | None
    """`Inference-Header-Content-Length`: bytes of JSON in front of binary tensors."""
    encoding: bytes = b""
    """How a long answer is to be compressed: `gzip`, `deflate` or not at all."""
    content_type: bytes = b""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request that was read and held to the signature: what the graph is to be fed, and how to answer."""

    feeds: dict[str, Array]
    n_rows: int
    flags: Sequence[str]
    """All flags that were raised, in no order."""
    write: Callable[[Mapping[str, Array], str], Reply]
    """Makes the reply of the outputs of the graph and the identity of the request."""
    keys: Sequence[str] | None = None
    """Per row, the value of the id column, if the caller gave it."""
    row_flags: Sequence[Sequence[str]] | None = None
    """`flags`, per row; None if there are none, or it is not known which row they belong to."""
    threshold: float | None = None
    """How sure what is told must be at least; None: as the model says."""


_encode = msgspec.json.Encoder().encode


def refuse(refusal: WireError) -> Reply:
    """Answer with `{"error": "..."}`, the form that the Open Inference Protocol wants."""
    body: dict[str, Any] = {"error": refusal.message}
    if refusal.hint:
        body["hint"] = refusal.hint
    if refusal.fields:
        body["fields"] = refusal.fields
    return Reply(refusal.status, _encode(body), JSON, refusal.headers)


def accepted_encoding(accepts: bytes) -> bytes:
    """Choose how to compress for a client: `gzip` before `deflate`, neither if it takes none of them.

    Example:
        >>> accepted_encoding(b"deflate, gzip;q=0.5, br"), accepted_encoding(b"gzip;q=0"), accepted_encoding(b"br")
        (b'gzip', b'', b'')
    """
    taken = set()
    for part in accepts.lower().split(b","):
        name, _, weight = part.partition(b";")
        if weight.replace(b" ", b"").rstrip(b"0.") != b"q=":
            taken.add(name.strip())
    return b"gzip" if b"gzip" in taken else b"deflate" if b"deflate" in taken else b""


def compressed(reply: Reply, encoding: bytes) -> Reply:
    """Compress the body of an answer if its client takes that and it is long enough to be worth it."""
    if not encoding or len(reply.body) < COMPRESS_FROM_BYTES:
        return reply
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS[encoding])
    body = packer.compress(reply.body) + packer.flush()
    headers = (*reply.headers, (b"content-encoding", encoding), (b"vary", b"accept-encoding"))
    return Reply(reply.status, body, reply.content_type, headers)


async def send_reply(send: Send, reply: Reply, *, close: bool) -> None:
    """Write one answer; `close` tells the client that this connection ends with it."""
    headers = [(b"content-type", reply.content_type), (b"content-length", b"%d" % len(reply.body)), *reply.headers]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


class DisconnectError(Exception):
    """The client went away before its body was complete."""


async def read_request(
    headers: Mapping[bytes, bytes], receive: Receive, caps: Caps, hold: Callable[[int], None] | None = None
) -> Request:
    """Read a whole body within the caps.

    Args:
        headers: Of the request, names in lower case.
        receive: Gives the body, piece by piece.
        caps: How much it may be.
        hold: Told how much memory a large body takes as it comes, and unpacked; may refuse it.

    Raises:
        WireError: 413 too large, or too many lists, 408 too slow, 415 an unknown content encoding, 400 a damaged one.
        DisconnectError: nobody is left to answer.
    """
    declared = headers.get(b"content-length")
    if declared is not None and int(declared) > caps.max_body_bytes:
        raise _too_large(caps)
    message = await receive()  # whoever sends nothing at all is found by the connection: a timer costs 12 µs
    if message["type"] == "http.disconnect":
        raise DisconnectError
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        try:
            async with asyncio.timeout(caps.read_timeout_s):
                body = await _read_rest(body, receive, caps, hold)
        except TimeoutError:
            raise WireError(408, "the body did not arrive in time") from None
    elif len(body) > caps.max_body_bytes:  # in chunks, so that its length was not declared
        raise _too_large(caps)
    elif hold is not None and len(body) > LARGE_BYTES:
        hold(len(body))
    encoding = headers.get(b"content-encoding")
    if encoding is not None:
        encoding = encoding.strip().lower()
        if len(body) <= INFLATE_INLINE_BYTES:
            body = _decompress(body, encoding, caps)
        else:
            body = await asyncio.to_thread(_decompress, body, encoding, caps)
        if hold is not None and len(body) > LARGE_BYTES:
            hold(len(body))
    return request_of(headers, body)


def request_of(headers: Mapping[bytes, bytes], body: bytes) -> Request:
    """Put together what a handler gets to see of a request whose body is here and unpacked.

    Raises:
        WireError: 400, a header cannot be true.
    """
    length = headers.get(b"inference-header-content-length")
    cut = None if length is None else _header_length(length, body)
    if len(body) > FREE_LISTS and body[:1] in _JSON_BEGINS:  # to look through a large picture takes milliseconds
        _refuse_lists(body, len(body) if cut is None else cut)
    accepts = headers.get(b"accept-encoding")
    return Request(
        body,
        cut,
        b"" if accepts is None else accepted_encoding(accepts),
        headers.get(b"content-type", b""),
    )


async def _read_rest(first: bytes, receive: Receive, caps: Caps, hold: Callable[[int], None] | None) -> bytes:
    """Read the body whose first piece is known not to be the last."""
    parts, size = [first], len(first)
    if hold is not None:
        hold(size)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > caps.max_body_bytes:
            raise _too_large(caps)
        if hold is not None:
            hold(len(parts[-1]))
        more = message.get("more_body", False)
    return b"".join(parts)


def _refuse_lists(body: bytes, end: int) -> None:
    """Refuse JSON that would become far more in memory than it is, before it is read: a millisecond for a megabyte."""
    most = FREE_LISTS + end // LEAST_LIST_BYTES
    if body.count(b"[", 0, end) + body.count(b"{", 0, end) > most:
        raise WireError(413, f"the body begins more than {most} lists and objects", hint="send flat or binary tensors")


def _too_large(caps: Caps) -> WireError:
    return WireError(413, f"the body is larger than the {caps.max_body_bytes} bytes that are allowed")


def _decompress(body: bytes, encoding: bytes, caps: Caps) -> bytes:
    if encoding in (b"", b"identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise WireError(415, "unknown content encoding; send gzip, deflate or none", headers=_ACCEPTED)
    limit = min(caps.max_body_bytes, max(FREE_INFLATION_BYTES, caps.max_ratio * len(body)))
    try:
        plain = _inflate(body, _WINDOW_BITS[encoding], limit)
    except zlib.error:
        if encoding != b"deflate":
            raise WireError(400, "the compressed body is damaged") from None
        try:
            plain = _inflate(body, _BARE_DEFLATE, limit)  # as many clients send it, though HTTP wants zlib's frame
        except zlib.error:
            raise WireError(400, "the compressed body is damaged") from None
    if len(plain) > caps.max_body_bytes:
        raise _too_large(caps)
    if len(plain) > limit:
        raise WireError(413, f"the compressed body unpacks to more than {caps.max_ratio} times its size")
    return plain


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes:
    """Unpack a body, at most one byte more than `limit`. gzip may have several members, one after the other (RFC 1952).

    Raises:
        zlib.error: it is damaged, cut off, or followed by something else.
    """
    stream = zlib.decompressobj(window_bits)
    first = stream.decompress(body, limit + 1)
    if len(first) > limit:
        return first
    if not stream.eof:
        raise zlib.error("cut off")
    if not stream.unused_data:
        return first
    if window_bits != _WINDOW_BITS[b"gzip"]:
        raise zlib.error("something follows")
    return first + b"".join(_members(stream.unused_data, limit + 1 - len(first)))


def _members(body: bytes, most_bytes: int) -> Iterator[bytes]:
    """Unpack further members of a gzip, at most so many bytes."""
    at = n_members = 0
    view = memoryview(body)
    while at < len(view):
        n_members += 1
        if n_members > _MOST_MEMBERS:
            raise zlib.error("too many members")
        stream = zlib.decompressobj(_WINDOW_BITS[b"gzip"])
        while not stream.eof:
            piece = view[at : at + _PIECE_BYTES]  # what is behind the end of a member is copied: it must be short
            if not piece:
                raise zlib.error("cut off")
            plain = stream.decompress(piece, most_bytes)
            yield plain
            most_bytes -= len(plain)
            if most_bytes <= 0:
                return
            at += len(piece) - len(stream.unused_data)


_ACCEPTED = ((b"accept-encoding", b"gzip, deflate"),)


def _header_length(text: bytes, body: bytes) -> int:
    if not text.isdigit() or len(text) > 12 or int(text) > len(body):
        raise WireError(400, "Inference-Header-Content-Length must be a whole number no larger than the body")
    return int(text)
