"""What is answered on the short way is answered to the byte as by the application."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from palio import serve
from palio.core.serving import ApiKey, Plan, Policy, Rule
from palio.serve.express import Express
from palio.serve.journal_columns import Entry
from tests.serve.conftest import Switch
from tests.serve.small_model import GOOD, small_bundle
from tests.serve.test_connection import plain

KEY = b"x-api-key: of-ann\r\n"
INFER = b"/v2/models/bank/infer"
TENSORS = {
    "inputs": [
        {"name": name, "shape": [1, 1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in (GOOD | {"married": "true"}).items()
    ]
}


def body(change: dict[str, Any] | None = None) -> bytes:
    return json.dumps(TENSORS | (change or {})).encode()


def request(path: bytes, text: bytes, more: bytes = KEY, method: bytes = b"POST", version: bytes = b"1.1") -> bytes:
    head = b"%b %b HTTP/%b\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"
    return head % (method, path, version, len(text), more) + text


def chunked(path: bytes, pieces: list[bytes]) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n%b\r\n" % (path, KEY)
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def doubles(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def binary() -> tuple[bytes, bytes]:
    values = {name: doubles([float(GOOD[name])]) for name in ("age", "balance")}  # type: ignore[arg-type]
    inputs = [
        {key: value for key, value in tensor.items() if key != "data"} | {"parameters": {"binary_data_size": 8}}
        if tensor["name"] in values
        else tensor
        for tensor in TENSORS["inputs"]
    ]
    head = body({"inputs": inputs, "parameters": {"binary_data_output": True}})
    return head + b"".join(values.values()), b"Inference-Header-Content-Length: %d\r\n" % len(head) + KEY


RECORD = json.dumps(GOOD).encode()
FRAME = json.dumps({"dataframe_records": [GOOD]}).encode()
MANY = json.dumps({"records": [GOOD] * 80}).encode()
REQUESTS = {
    "tensors": request(INFER, body()),
    "an id and one output": request(INFER, body({"id": "mine", "outputs": [{"name": "prediction"}]})),
    "binary tensors": request(INFER, *binary()),
    "a version": request(b"/v2/models/bank/versions/1/infer", body()),
    "a slash at the end": request(INFER + b"/", body()),
    "an escaped path": request(b"/v2/models/b%61nk/infer", body()),
    "a record": request(b"/predict", RECORD),
    "a record, explained": request(b"/predict?explain=1", RECORD),
    "many records, packed": request(b"/predict", MANY, KEY + b"Accept-Encoding: gzip\r\n"),
    "a packed body": request(b"/predict", gzip.compress(RECORD, mtime=0), KEY + b"Content-Encoding: gzip\r\n"),
    "a frame": request(b"/invocations", FRAME, KEY + b"Content-Type: application/json\r\n"),
    "chunks": chunked(INFER, [body()[:10], body()[10:]]),
    "no JSON": request(INFER, b"nonsense"),
    "no JSON for MLflow": request(b"/invocations", b"nonsense", KEY + b"Content-Type: application/json\r\n"),
    "no body": request(INFER, b""),
    "a value that breaks the contract": request(b"/predict", json.dumps(GOOD | {"age": 3}).encode()),
    "an input twice": request(INFER, body({"inputs": TENSORS["inputs"][:1] * 2})),
    "an unknown output": request(INFER, body({"outputs": [{"name": "x"}]})),
    "a header that lies": request(INFER, body(), KEY + b"Inference-Header-Content-Length: 99999\r\n"),
    "an unknown model": request(b"/v2/models/other/infer", body()),
    "an unknown version": request(b"/v2/models/bank/versions/9/infer", body()),
    "no key": request(INFER, body(), b""),
    "an unknown key": request(INFER, body(), b"Authorization: Bearer nobody\r\n"),
    "a denied purpose": request(INFER, body(), KEY + b"x-palio-purpose: marketing\r\n"),
    "more rows than the quota": request(b"/predict", json.dumps({"records": [GOOD] * 401}).encode()),
    "another method": request(INFER, body(), method=b"PUT"),
    "the last of its connection": request(INFER, body(), KEY + b"Connection: close\r\n"),
    "HTTP/1.0": request(INFER, body(), version=b"1.0"),
    "too large a body": request(INFER, body() + b" " * 60_000),
    "a body larger than what is read at once": request(b"/predict", json.dumps({"records": [GOOD] * 5000}).encode()),
}


class Guarded(Switch):
    """A champion, one key, and rules."""

    def current(self) -> Plan:
        rules = (
            Rule(allow=False, purpose="marketing", reason="no consent"),
            Rule(role="caller", quota=400, per="second"),
        )
        key = ApiKey(
            caller="ann", hash=hashlib.sha256(b"of-ann").hexdigest(), created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        )
        return Plan(champion=self.deployment(1), policy=Policy(rules=rules, keys=(key,)))


class Kept(serve.Journal):
    """A log that is kept in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "bank")
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)


class Server:
    """Answers the same request on both ways."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.journal = Kept(folder)
        caps = serve.Caps(max_body_bytes=50_000)
        self.app = serve.create_app(Guarded({1: small_bundle()}), caps=caps, journal=self.journal)
        self.url = ""
        self.n_taken = 0
        self._patch = monkeypatch
        take = Express.take

        def counted(express: Express, whole: Any) -> None:
            self.n_taken += 1
            take(express, whole)

        monkeypatch.setattr(Express, "take", counted)

    def ask(self, text: bytes, *, cut: int = 0) -> bytes:
        """Send, perhaps in two pieces, and read all that comes."""
        with plain(self.url) as connection:
            for piece in (text[:cut], text[cut:]) if cut else (text,):
                connection.sendall(piece)
                time.sleep(0.1 if cut else 0)
            return answer_on(connection)

    @contextmanager
    def long_way(self) -> Iterator[None]:
        with self._patch.context() as patch:
            patch.setattr(Express, "find", lambda *_: None)
            yield


def answer_on(connection: socket.socket) -> bytes:
    told = b""
    while part := connection.recv(65_536):
        told += part
        head, found, rest = told.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if found and length and len(rest) >= int(length[1]) and b"connection: close" not in head:
            break
    return told


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path, monkeypatch)
    with serve.background(server.app) as url:
        server.url = url
        yield server


def unnamed(answer: bytes) -> bytes:
    """Take out what differs between two answers: the time, and the identity of the request."""
    head, end, text = answer.partition(b"\r\n\r\n")
    if b"content-encoding: gzip" in head:
        head, text = re.sub(rb"content-length: \d+", b"content-length", head), gzip.decompress(text)
    whole = re.sub(rb"date: [^\r]+", b"date", head) + end + text
    return re.sub(rb"[0-9a-f]{16}-[0-9a-f]+", b"ID", whole)


def facts(entry: Entry) -> tuple[Any, ...]:
    feeds = {name: array.tolist() for name, array in (entry.feeds or {}).items()}
    outputs = {name: array.tolist() for name, array in (entry.outputs or {}).items()}
    named = (entry.origin, entry.caller, entry.route, entry.role, entry.status, entry.decision, entry.reason)
    rows = (entry.n_rows, str(feeds), str(outputs), entry.keys, entry.flags, entry.size_bytes)
    return (*named, *rows)


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_answer_to_the_byte_alike_and_log_alike(server: Server, name: str) -> None:
    text = REQUESTS[name]
    here = server.ask(text)
    n_taken = server.n_taken
    with server.long_way():
        there = server.ask(text)
    assert server.n_taken == n_taken
    assert unnamed(here) == unnamed(there)
    assert here.startswith(b"HTTP/1.1 ")
    mine, reference = server.journal.entries
    assert facts(mine) == facts(reference)


def test_the_usual_requests_take_the_short_way(server: Server) -> None:
    for n, name in enumerate(("tensors", "a version", "a record", "a frame", "chunks", "no JSON", "no key"), 1):
        server.ask(REQUESTS[name])
        assert server.n_taken == n, name


def test_a_body_that_follows_its_head_at_once_takes_the_short_way(server: Server) -> None:
    text = request(INFER, body())
    with plain(server.url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cut = text.index(b"{")
        for _ in range(20):
            connection.sendall(text[:cut])
            connection.sendall(text[cut:])
            assert answer_on(connection).startswith(b"HTTP/1.1 200")
    assert server.n_taken > 0


@pytest.mark.parametrize("cut", [-400, -1])
@pytest.mark.parametrize("name", ["tensors", "a frame", "no JSON for MLflow", "chunks"])
def test_a_body_that_comes_late_is_answered_alike(server: Server, name: str, cut: int) -> None:
    text = REQUESTS[name]
    head = text.index(b"\r\n\r\n") + 4
    assert unnamed(server.ask(text, cut=max(head, len(text) + cut))) == unnamed(server.ask(text))


def test_who_shows_no_key_is_told_before_the_body_comes(server: Server) -> None:
    with plain(server.url) as connection:
        connection.sendall(request(INFER, body(), b"")[:-100])
        assert answer_on(connection).startswith(b"HTTP/1.1 401")


def test_a_client_that_goes_away_before_its_body_is_logged(server: Server) -> None:
    with plain(server.url) as connection:
        connection.sendall(request(INFER, body())[:-100])
    deadline = time.monotonic() + 5
    while not server.journal.entries and time.monotonic() < deadline:
        time.sleep(0.01)
    (entry,) = server.journal.entries
    assert (entry.status, entry.reason) == (499, "the client went away")


def test_answers_of_pipelined_requests_come_in_their_order(server: Server) -> None:
    calls = [request(INFER, body({"id": f"call {n}"})) for n in range(12)]
    calls[4] = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    calls[7] = request(b"/v2/models/b%61nk/infer", body({"id": "call 7"}))
    calls.append(request(INFER, body({"id": "last"}), KEY + b"Connection: close\r\n"))
    with plain(server.url) as connection:
        connection.sendall(b"".join(calls))
        told = b""
        while part := connection.recv(65_536):
            told += part
    assert told.count(b"HTTP/1.1 200") == len(calls)
    marks = re.findall(rb'"(call \d+|last|live)"', told)
    assert marks == [b"live" if n == 4 else b"call %d" % n for n in range(12)] + [b"last"]


def test_requests_of_many_clients_are_computed_together_and_each_gets_its_own_answer(server: Server) -> None:
    def one(age: int) -> bytes:
        return request(b"/predict", json.dumps(GOOD | {"age": age}).encode())

    alone = {age: json.loads(server.ask(one(age)).partition(b"\r\n\r\n")[2]) for age in range(20, 60)}
    together: dict[int, Any] = {}
    barrier = threading.Barrier(len(alone))

    def ask(age: int) -> None:
        with plain(server.url) as connection:
            barrier.wait()
            connection.sendall(one(age))
            together[age] = json.loads(answer_on(connection).partition(b"\r\n\r\n")[2])

    threads = [threading.Thread(target=ask, args=(age,)) for age in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for age, answers in alone.items():
        (mine,), (reference,) = together[age]["predictions"], answers["predictions"]
        assert mine["prediction"] == reference["prediction"]
        assert mine["probabilities"] == pytest.approx(reference["probabilities"], abs=1e-12)


def test_paths_that_strangers_invent_are_not_kept_for_ever(server: Server) -> None:
    loop = asyncio.new_event_loop()
    express = Express(server.app.pipeline, loop, lambda _: None)
    for n in range(3000):
        assert express.find(b"/v2/models/%d/infer" % n) is not None
    assert express.find(b"/v2/models/" + b"a" * 1000 + b"/infer") is None
    assert len(express._ways) <= 1024
    assert max(map(len, express._ways)) < 1000
    loop.close()


def test_a_model_that_is_too_slow_for_the_loop_gets_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.serve.batch_plan.INLINE_LATENCY_S", 0.0)
    server = Server(tmp_path, monkeypatch)
    with serve.background(server.app) as server.url:
        assert server.ask(request(INFER, body())).startswith(b"HTTP/1.1 200")
        assert server.ask(request(INFER, b"nonsense")).startswith(b"HTTP/1.1 400")
        assert server.n_taken == 2


def test_an_answer_that_cannot_be_made_is_one_of_500_and_spoils_no_other(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = request(INFER, body())
    assert server.ask(good).startswith(b"HTTP/1.1 200")

    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError

    served = server.app.registry.state.served
    assert served is not None
    monkeypatch.setattr(type(served.writer), "write", broken)
    told = server.ask(good)
    assert told.startswith(b"HTTP/1.1 500")
    assert told.endswith(b'{"error":"the server could not answer; its log says why"}')
    monkeypatch.undo()
    assert server.ask(good).startswith(b"HTTP/1.1 200")
    assert server.app._admission.in_flight == 0
