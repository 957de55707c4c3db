from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from palio.core.errors import ConfigError
from palio.monitor import Webhook, render
from palio.monitor.alerts.webhook import read_url
from tests.monitor.alert_worlds import message
from tests.monitor.conftest import Authority, Talker, read_request

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
Talk = Callable[..., Talker]
PAYLOAD = render(message())


def hook(port: int, *, scheme: str = "http", host: str = "127.0.0.1", path: str = "/hook", **facts: Any) -> Webhook:
    facts = {"allow_private": True, "wait": lambda _: None, "limit_s": 5.0} | facts
    return Webhook(f"{scheme}://{host}:{port}{path}", **facts)


def here(host: str, port: int) -> Sequence[str]:
    """A resolver that finds every name on this machine."""
    return ["127.0.0.1"]


def test_an_alert_is_posted_as_json(talk: Talk) -> None:
    server = talk(OK)
    assert hook(server.port, path="/a%20b/c?d=e").send(PAYLOAD) == (True, 1, "answered 204")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /a%20b/c?d=e HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers["Host"] == f"127.0.0.1:{server.port}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "m1"
    assert "Authorization" not in headers
    assert json.loads(body)["schema"] == "palio.alert/1"


def test_a_server_of_the_standard_library_understands_it() -> None:
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert hook(server.server_port).send(PAYLOAD).ok
        server.shutdown()
        thread.join()
    assert got[0]["id"] == "m1"


def test_user_and_password_are_sent_and_never_shown(talk: Talk) -> None:
    server = talk(b"HTTP/1.1 404 No\r\n\r\n")
    channel = hook(server.port, host="ann:s%40cret@127.0.0.1", path="/T0/token")
    sent = channel.send(PAYLOAD)
    assert b"Authorization: Basic " + base64.b64encode(b"ann:s@cret") in server.requests[0]
    assert b"Host: 127.0.0.1" in server.requests[0]
    for said in (channel.shown, sent.reason, repr(sent)):
        assert not any(secret in said for secret in ("ann", "cret", "token"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://ann:secret@host/x", "http://", "https:///secret", "secret", "http://host:0/secret",
        "http://host:99999/secret", "http://ho st/secret", "http://host/secret\r\nX: y", "http://host\\@evil/secret",
        "http://[::1/secret", "http://hö.st/secret", "http://-host/secret", "http://a..b/secret", "data:secret",
        "http://host%00/secret", "http://fe80::1%25eth0/secret", "http://[fe80::1%25eth0]/secret", "gopher://secret",
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_url(url)
    assert "secret" not in str(caught.value)
    assert "https://host/path" in caught.value.hint


def test_what_is_asked_for_is_what_was_checked() -> None:
    assert read_url("HTTPS://Hooks.Example.COM.:8443/a?b#c")[:4] == ("https", "hooks.example.com", 8443, "/a?b")
    assert read_url("http://[2606:4700::1]/").authority == "[2606:4700::1]"
    assert read_url("https://good.example@evil.example/").host == "evil.example"


# ── which machine ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "0", "[::1]", "[::]"])
def test_this_machine_is_refused_however_it_is_written(talk: Talk, host: str) -> None:
    server = talk(OK)
    sent = hook(server.port, host=host, allow_private=False).send(PAYLOAD)
    assert not sent.ok and sent.attempts == 1
    assert "refused" in sent.reason or "not found" in sent.reason
    assert server.requests == []


def test_one_private_address_among_others_is_enough_to_refuse(talk: Talk) -> None:
    server = talk(OK)
    sent = hook(
        server.port, host="mixed.test", allow_private=False, resolver=lambda *_: ["1.1.1.1", "127.0.0.1"]
    ).send(PAYLOAD)  # fmt: skip
    assert sent.reason.startswith("mixed.test: refused, it is on this machine")
    assert 'private_addresses = "allow"' in sent.reason
    assert server.requests == []


class Rebinding:
    """A resolver whose answer is another one each time."""

    def __init__(self, *answers: str) -> None:
        self._answers = answers
        self.n_asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.n_asked += 1
        return [self._answers[min(self.n_asked, len(self._answers)) - 1]]


def test_a_name_that_moves_to_this_machine_after_it_was_checked_gains_nothing(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, connected = talk(OK), []

    class Recording(socket.socket):
        def connect(self, address: Any) -> None:
            connected.append(address)
            if address[0] != "127.0.0.1":
                raise OSError(101, "Network is unreachable")
            super().connect(address)

    monkeypatch.setattr("palio.monitor.alerts.connecting.socket.socket", Recording)
    resolver = Rebinding("1.1.1.1", "127.0.0.1")
    sent = hook(
        server.port, host="rebinding.test", allow_private=False, resolver=resolver, backoff_s=(0.0, 0.0)
    ).send(PAYLOAD)  # fmt: skip
    assert sent == (False, 3, "could not connect: network is unreachable")
    assert connected == [("1.1.1.1", server.port)] * 3
    assert resolver.n_asked == 1 and server.requests == []


def test_the_system_is_asked_for_a_name_once_and_never_again(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, real = [], socket.getaddrinfo

    def spy(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    server = talk(b"HTTP/1.1 503 Busy\r\n\r\n")
    assert hook(server.port, host="localhost", backoff_s=(0.0, 0.0)).send(PAYLOAD).attempts == 3
    assert asked == ["localhost"] and len(server.requests) == 3


def test_a_redirect_to_this_machine_is_not_followed(talk: Talk) -> None:
    inside = talk(OK)
    for status in (301, 302, 303, 307, 308):
        outside = talk(f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{inside.port}/\r\n\r\n".encode())
        assert hook(outside.port).send(PAYLOAD) == (False, 1, f"answered {status}: redirects are not followed")
    assert inside.requests == []


def test_a_proxy_of_the_environment_is_not_used(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    server, proxy = talk(OK), talk(OK)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert hook(server.port).send(PAYLOAD).ok
    assert proxy.requests == []


# ── certificates ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_certificate_is_checked_for_the_name_and_the_name_is_asked_for(talk: Talk, trusted: Authority) -> None:
    server = talk(OK, tls=trusted.context("hooks.test"))
    channel = hook(server.port, scheme="https", host="hooks.test", resolver=here)
    assert channel.send(PAYLOAD) == (True, 1, "answered 204")
    assert server.server_names == ["hooks.test"]
    assert f"Host: hooks.test:{server.port}".encode() in server.requests[0]


def test_a_certificate_for_another_name_is_refused(talk: Talk, trusted: Authority) -> None:
    server = talk(OK, tls=trusted.context("other.test"))
    sent = hook(server.port, scheme="https", host="hooks.test", resolver=here).send(PAYLOAD)
    assert not sent.ok and sent.attempts == 1
    assert sent.reason.startswith("hooks.test: the certificate is not valid")
    assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(talk: Talk, authority: Authority) -> None:
    server = talk(OK, tls=authority.context("hooks.test"))
    sent = hook(server.port, scheme="https", host="hooks.test", resolver=here).send(PAYLOAD)
    assert "the certificate is not valid" in sent.reason and server.requests == []


def test_a_certificate_for_an_address_is_checked_for_that_address(talk: Talk, trusted: Authority) -> None:
    server = talk(OK, tls=trusted.context("127.0.0.1"))
    assert hook(server.port, scheme="https").send(PAYLOAD).ok


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_may_pass_is_tried_again_with_growing_pauses(talk: Talk) -> None:
    pauses: list[float] = []
    server = talk(b"HTTP/1.1 500 Oh\r\n\r\nsecret of the other side")
    assert hook(server.port, wait=pauses.append).send(PAYLOAD) == (False, 3, "answered 500")
    assert pauses == [1.0, 3.0]
    assert len(set(server.requests)) == 1  # the same bytes, the same identity


def test_a_server_that_comes_back_gets_the_alert(talk: Talk) -> None:
    def answer(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(OK if number else b"HTTP/1.1 429 Later\r\n\r\n")

    assert hook(talk(answer).port).send(PAYLOAD) == (True, 2, "answered 204")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_final(talk: Talk, status: int) -> None:
    server = talk(f"HTTP/1.0 {status} No\r\n\r\n".encode())
    assert hook(server.port).send(PAYLOAD) == (False, 1, f"answered {status}")


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-O\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 2000\r\n\r\n", b"\0" * 99]
)
def test_an_answer_that_is_no_http_is_final_and_not_repeated(talk: Talk, answer: bytes) -> None:
    assert hook(talk(answer).port).send(PAYLOAD) == (False, 1, "the answer is not HTTP")


def test_long_headers_are_read_and_endless_ones_are_not(talk: Talk) -> None:
    long = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000 + b"\r\n\r\n"
    assert hook(talk(long).port).send(PAYLOAD).ok

    def endless(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: " + b"a" * 8000 + b"\r\n")

    sent = hook(talk(endless).port).send(PAYLOAD)
    assert sent == (False, 1, "the answer has a head of more than 65,536 bytes")


def test_a_body_however_large_is_not_read(talk: Talk) -> None:
    n_sent = []

    def endless(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(10_000):
            n_sent.append(connection.send(b"<script>" * 8000))

    assert hook(talk(endless).port).send(PAYLOAD) == (True, 1, "answered 200")
    time.sleep(0)
    assert sum(n_sent) < 50_000_000


def test_interim_answers_are_passed_over_and_endless_ones_are_not(talk: Talk) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert hook(talk(interim + b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK).port).send(PAYLOAD).ok
    assert "head of more than" in hook(talk(interim * 10_000).port).send(PAYLOAD).reason


def test_slow_drops_do_not_outlive_the_time_limit(talk: Talk) -> None:
    servers: list[Talker] = []

    def drip(connection: socket.socket, number: int) -> None:
        read_request(connection)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000:
            connection.sendall(bytes([byte]))
            if servers[0].over.wait(0.05):
                return

    servers.append(talk(drip))
    begin = time.monotonic()
    sent = hook(servers[0].port, limit_s=0.4, backoff_s=()).send(PAYLOAD)
    assert sent == (False, 1, "no answer within 0.4 s")
    assert time.monotonic() - begin < 10


def test_a_server_that_does_not_read_does_not_outlive_the_time_limit(talk: Talk) -> None:
    server = talk(lambda connection, number: servers[0].over.wait(60) and None)
    servers = [server]
    large = render(message(reason="x" * 500))
    begin = time.monotonic()
    sent = hook(server.port, limit_s=0.3, path="/" + "a" * 9_000_000, backoff_s=(0.0,)).send(large)
    assert sent == (False, 2, "no answer within 0.3 s")
    assert time.monotonic() - begin < 10


def test_a_handshake_that_never_ends_does_not_outlive_the_time_limit(talk: Talk, trusted: Authority) -> None:
    servers: list[Talker] = []
    servers.append(talk(lambda connection, number: servers[0].over.wait(60) and None))
    sent = hook(servers[0].port, scheme="https", limit_s=0.3, backoff_s=()).send(PAYLOAD)
    assert sent == (False, 1, "no answer within 0.3 s")


def test_a_resolver_that_never_answers_does_not_outlive_the_time_limit() -> None:
    over = threading.Event()

    def slow(host: str, port: int) -> Sequence[str]:
        over.wait(60)
        return ["127.0.0.1"]

    sent = hook(9, host="slow.test", resolver=slow, limit_s=0.2, backoff_s=()).send(PAYLOAD)
    over.set()
    assert sent == (False, 1, "no answer within 0.2 s")


def test_a_name_that_is_not_known_is_asked_for_again() -> None:
    n_asked = []

    def unknown(host: str, port: int) -> Sequence[str]:
        n_asked.append(1)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    assert hook(9, host="gone.test", resolver=unknown).send(PAYLOAD) == (False, 3, "gone.test: the name was not found")
    assert len(n_asked) == 3


def test_a_port_that_nobody_listens_on_is_named(talk: Talk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert hook(port).send(PAYLOAD) == (False, 3, "could not connect: connection refused")


def test_a_connection_that_breaks_is_tried_again(talk: Talk) -> None:
    def hang_up(connection: socket.socket, number: int) -> None:
        read_request(connection)

    sent = hook(talk(hang_up).port).send(PAYLOAD)
    assert sent == (False, 3, "the connection was closed without an answer")


def test_the_next_address_is_tried_if_one_does_not_answer(talk: Talk) -> None:
    server = talk(OK)
    sent = hook(server.port, host="two.test", resolver=lambda *_: ["::1", "127.0.0.1"]).send(PAYLOAD)
    assert sent == (True, 1, "answered 204")
