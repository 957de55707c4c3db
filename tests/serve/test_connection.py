"""Clients that send slowly, send too much, come in crowds or never read: each is bounded, the others are served."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from palio import serve
from palio.serve.listener import ConnectionLimits
from tests.serve.conftest import Wire
from tests.serve.small_model import small_bundle
from tests.serve.test_process import BODY, INFER, wait_for

LIMITS = ConnectionLimits(
    max_connections=16, head_timeout_s=1.0, body_timeout_s=1.0, idle_timeout_s=3.0, write_timeout_s=1.0
)


@contextmanager
def limited(limits: ConnectionLimits = LIMITS) -> Iterator[str]:
    app = serve.create_app(serve.fixed(small_bundle(), model="bank"))
    with serve.background(app, limits=limits) as url:
        yield url


@contextmanager
def plain(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """Read until the server ends the connection."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def ended(url: str, reason: str) -> bool:
    wire = Wire(url)
    with contextlib.closing(wire.connection):
        status, _, body = wire("GET", "/metrics")
    return status == 200 and f'palio_connections_ended_total{{reason="{reason}"}} 0.0' not in body.decode()


@pytest.mark.parametrize("begin", [b"POST / HTTP/1.1\r\nHost: a\r\nx-a: ", b"GET /"])
def test_a_head_that_comes_drop_by_drop_is_cut_off(begin: bytes) -> None:
    with limited() as url, plain(url) as connection:
        started = time.monotonic()
        connection.sendall(begin)
        connection.settimeout(0.2)
        while time.monotonic() - started < 60:
            try:
                if not connection.recv(100):
                    break
            except TimeoutError:
                with contextlib.suppress(OSError):
                    connection.sendall(b"a")
            except ConnectionError:
                break
        assert 0.9 < time.monotonic() - started < 30  # it would have gone on for a minute
        assert ended(url, "head_timeout")


def test_a_second_request_that_never_comes_whole_is_cut_off_too() -> None:
    request = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (INFER.encode(), len(BODY), BODY)
    with limited() as url, plain(url) as connection:
        connection.sendall(request + b"POST / HT")
        assert received(connection).startswith(b"HTTP/1.1 200")
        assert ended(url, "head_timeout")


def test_a_body_that_comes_drop_by_drop_is_told_and_cut_off() -> None:
    with limited() as url, plain(url) as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{" % INFER.encode())
        assert received(connection).startswith(b"HTTP/1.1 408")
        assert ended(url, "body_timeout")


@pytest.mark.parametrize("piece", [b"x-a: " + b"a" * 1000 + b"\r\n", b"a:b\r\n", b"a" * 1000])
def test_endless_headers_are_refused(piece: bytes) -> None:
    with limited() as url, plain(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nx-b: c\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(400):
                connection.sendall(piece)
                time.sleep(0.0005)
        told = received(connection)
        assert told == b"" or b" 431 " in told.splitlines()[0]
        assert ended(url, "head_size")


@pytest.mark.parametrize("surplus", [b"x-a: " + b"a" * 70_000 + b"\r\n", b"a: b\r\n" * 300])
@pytest.mark.parametrize("line", [b"POST %b HTTP/1.1" % INFER.encode(), b"GET /health HTTP/1.1"])
def test_headers_that_come_in_one_piece_are_held_to_the_same_limits(surplus: bytes, line: bytes) -> None:
    with limited() as url, plain(url) as connection:
        connection.sendall(line + b"\r\nHost: a\r\n" + surplus + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
        told = received(connection)
        assert told == b"" or b" 431 " in told.splitlines()[0]
        assert ended(url, "head_size")


def test_endless_trailers_of_a_chunked_body_are_cut_off() -> None:
    with limited() as url, plain(url) as connection:
        head = b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" % INFER.encode()
        connection.sendall(head)
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                connection.sendall(b"a: b\r\n")
        received(connection)
        assert ended(url, "message_size")


def test_what_is_not_http_gets_an_error_of_ours() -> None:
    with limited() as url, plain(url) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        head, _, body = received(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400")
        assert body == b'{"error":"this is not a request of HTTP/1.1"}'


def test_a_connection_without_a_request_ends_after_a_while() -> None:
    with limited() as url, plain(url) as connection:
        assert received(connection) == b""
        assert ended(url, "idle")


def test_more_connections_than_allowed_are_told_to_come_back() -> None:
    with limited() as url, contextlib.ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(plain(url))
        time.sleep(0.2)
        wire = Wire(url)
        status, headers, body = wire("GET", "/v2/health/live")
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert body == b'{"error":"too many connections; ask again later"}'
        wire.connection.close()
        stack.close()
        wait_for(lambda: ended(url, "connections"))


def test_a_client_that_never_reads_its_answers_is_cut_off() -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    # Their answers (35 MB) fit into no buffer; all of them together are smaller than a head may be, so that the server
    # does not end the connection for that, however far ahead of the answers it reads.
    requests = request * 1000
    assert len(requests) < LIMITS.max_head_bytes
    with limited() as url, plain(url) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(requests)
        wait_for(lambda: ended(url, "write_timeout"), 30)
