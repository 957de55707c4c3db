"""A corpus of hostile input against a server in its own process: each is refused or dropped, and nothing stays."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from palio import serve
from palio.serve.protocols.wire import read_request
from tests.serve import foreign_models as models
from tests.serve.conftest import Wire

MODEL = "identity"
INFER = f"/v2/models/{MODEL}/infer"
GOOD = {"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
MAX_GROWTH_MB = 160
"""The largest body that is allowed is 64 MB; it may be in memory twice for a moment."""


@dataclass
class Victim:
    url: str
    pid: int
    stderr: Path

    def peak_mb(self) -> float:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0]) / 1024

    def raw(self, data: bytes, *, wait_s: float = 10) -> bytes:
        """Send bytes on a connection of their own, and return the first that come back; empty if it was dropped."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=wait_s) as connection:
            try:
                connection.sendall(data)
                return connection.recv(65536)
            except (ConnectionError, TimeoutError):
                return b""


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("hostile")
    path = models.write(folder, MODEL, models.identity("FP32"))
    command = [sys.executable, "-m", "palio", "serve", "--onnx", str(path), "--port", "0", "--json"]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=os.environ)
        assert process.stdout is not None
        try:
            yield Victim(json.loads(process.stdout.readline())["url"], process.pid, folder / "stderr")
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


@pytest.fixture(autouse=True)
def unharmed(victim: Victim) -> Iterator[None]:
    """After each attack the server answers as before, and no trace of a defect is in its log."""
    yield
    wire = Wire(victim.url)
    status, answer = wire.json("POST", INFER, GOOD)
    wire.connection.close()
    assert (status, answer["outputs"][0]["data"]) == (200, [1.0, 2.0])
    assert "Traceback" not in victim.stderr.read_text()


@pytest.fixture
def attack(victim: Victim) -> Iterator[Wire]:
    wire = Wire(victim.url)
    yield wire
    wire.connection.close()


def tensor(**changes: Any) -> dict[str, Any]:
    return {"inputs": [GOOD["inputs"][0] | changes]}


def spelled(data: str) -> bytes:
    return b'{"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","data":%s}]}' % data.encode()


BOMB = b"\0" * (256 * 2**20)
PICKLE = pickle.dumps({"a": 1}, protocol=4)
BODIES: dict[str, tuple[Any, dict[str, str], set[int]]] = {
    "pickle": (PICKLE, {}, {400}),
    "pickle by its content type": (PICKLE, {"content-type": "application/vnd.bentoml+pickle"}, {400}),
    "pickle as raw tensor": (PICKLE[: len(PICKLE) // 4 * 4 - 1], {"inference-header-content-length": "0"}, {400}),
    "deep lists": (b"[" * 2**20, {}, {400, 413}),
    "deep objects": (b'{"a":' * 2**18, {}, {400}),
    "deep data": (spelled("[" * 50_000 + "]" * 50_000), {}, {400}),
    "deep parameters": (b'{"inputs":[],"parameters":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}", {}, {400}),
    "NaN": (spelled("[NaN, 1]"), {}, {400}),
    "infinity": (spelled("[Infinity, 1]"), {}, {400}),
    "beyond all numbers": (spelled("[1e999, 1]"), {}, {400}),
    "beyond its datatype": (spelled("[1e39, 1]"), {}, {400}),
    "a huge whole number": (spelled(f"[{'9' * 100_000}, 1]"), {}, {400}),
    "a huge fraction": (spelled(f"[0.{'9' * 100_000}, 1]"), {}, {200}),
    "half a text": (b'{"inputs":[{"name":"INP', {}, {400}),
    "not UTF-8": (b'{"inputs":[{"name":"\xff\xfe"}]}', {}, {400}),
    "half a character": (b'{"inputs":[{"name":"\\ud800"}]}', {}, {400}),
    "no size": (tensor(shape=[]), {}, {400}),
    "negative": (tensor(shape=[-1, 2]), {}, {400}),
    "negative twice": (tensor(shape=[-1, -2]), {}, {400}),
    "no rows": (tensor(shape=[0, 2], data=[]), {}, {400}),
    "a product beyond 64 bits": (tensor(shape=[2**33, 2**33]), {}, {400}),
    "a size beyond 64 bits": (tensor(shape=[2**80, 2]), {}, {400}),
    "a size of a hundred digits": (tensor(shape=[10**100, 10**100]), {}, {400}),
    "many sizes": (tensor(shape=[1] * 100_000), {}, {400}),
    "a fraction as size": (tensor(shape=[1.5, 2]), {}, {400}),
    "a text as size": (tensor(shape=["1", 2]), {}, {400}),
    "many rows": (tensor(shape=[20_000, 1], data=[0] * 20_000), {}, {413}),
    "too few values": (tensor(data=[1]), {}, {400}),
    "too many values": (tensor(data=[1, 2, 3]), {}, {400}),
    "many inputs": ({"inputs": GOOD["inputs"] * 50_000}, {}, {400}),
    "many outputs": (GOOD | {"outputs": [{"name": "OUTPUT0"}] * 50_000}, {}, {400}),
    "all classes": (GOOD | {"outputs": [{"name": "OUTPUT0", "parameters": {"classification": 2**31}}]}, {}, {200}),
    "negative classes": (GOOD | {"outputs": [{"name": "OUTPUT0", "parameters": {"classification": -1}}]}, {}, {400}),
    "a key twice": (b'{"inputs":[],"inputs":[]}', {}, {400}),
    "a long id": (GOOD | {"id": "x" * 10**6}, {}, {200, 400, 413}),
    "a truncated tensor": (
        b'{"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}\0\0\0',
        {"inference-header-content-length": "98"},
        {400},
    ),
    "a size beyond the body": (tensor(data=None, parameters={"binary_data_size": 2**62}), {}, {400}),
    "a header length beyond the body": (b"{}", {"inference-header-content-length": "99999999999"}, {400}),
    "a negative header length": (b"{}", {"inference-header-content-length": "-1"}, {400}),
    "a header length in other digits": (
        b"{}",
        {"inference-header-content-length": "٣".encode().decode("latin-1")},
        {400},
    ),
    "a gzip bomb": (gzip.compress(BOMB, 9), {"content-encoding": "gzip"}, {413}),
    "a deflate bomb": (zlib.compress(BOMB, 9), {"content-encoding": "deflate"}, {413}),
    "a bomb in a bomb": (gzip.compress(gzip.compress(BOMB, 9), 9), {"content-encoding": "gzip"}, {400}),
    "bombs one after the other": (gzip.compress(b"{}") * 1000, {"content-encoding": "gzip"}, {400}),
    "two encodings": (gzip.compress(b"{}"), {"content-encoding": "gzip, gzip"}, {415}),
    "no gzip": (b"{}" * 5000, {"content-encoding": "gzip"}, {400}),
    "a zip file": (b"PK\x03\x04" + b"\0" * 100, {"content-encoding": "deflate"}, {400}),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", [INFER, "/predict"])
def test_a_hostile_body_gets_a_clear_answer(attack: Wire, path: str, name: str) -> None:
    body, headers, allowed = BODIES[name]
    status, _, answer = attack("POST", path, body, headers)
    if path == INFER:
        assert status in allowed, answer
    else:
        assert 400 <= status < 500, answer
    if status >= 400:
        said = json.loads(answer)
        assert set(said) <= {"error", "hint", "fields"}
        assert len(answer) < 2000
        assert "onnx" not in said["error"].lower()


def test_a_body_that_the_declared_length_makes_too_large_is_refused_unread(victim: Victim) -> None:
    head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n{"
    assert victim.raw(head % (INFER.encode(), 2**40)).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../identity",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%252e%252e%252fetc%252fpasswd",
        "..%5c..%5cetc",
        "identity%00",
        "identity%00.onnx",
        "identity%23",
        "identity%3f",
        "identity%20",
        "identity%0d%0aset-cookie:%20a=b",
        "file:%2f%2f%2fetc%2fpasswd",
        "http:%2f%2f127.0.0.1%2f",
        "%ff%fe",
        "identity" * 1000,
        "${jndi:ldap:%2f%2fx%2fa}",
        "__class__",
    ],
)
def test_a_name_that_looks_like_a_path_is_only_an_unknown_name(victim: Victim, name: str) -> None:
    for verb, path in (("GET", ""), ("GET", "/config"), ("POST", "/infer"), ("GET", "/versions/..%2f1")):
        request = f"{verb} /v2/models/{name}{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}"
        answer = victim.raw(request.encode("latin-1"))
        assert answer.split(b" ")[1] in (b"404", b"400"), answer
        assert b"passwd" not in answer
        assert b"set-cookie" not in answer.lower()


GARBAGE = {
    "no HTTP": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200),
    "no method": b"\r\n\r\n\r\n\r\n",
    "two lengths": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
    "a length and chunks": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length of words": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: two\r\n\r\n{}",
    "a negative length": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: -2\r\n\r\n{}",
    "a chunk of a negative size": b"POST %s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n{}\r\n",
    "an endless chunk size": b"POST %s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 4000,
    "a null in a header": b"POST %s HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n",
    "a header without a name": b"POST %s HTTP/1.1\r\n: x\r\n\r\n",
    "a long line": b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "a long header": b"GET /v2 HTTP/1.1\r\nhost: x\r\na: " + b"b" * 2**20 + b"\r\n\r\n",
    "many headers": b"GET /v2 HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_request_is_refused_or_dropped(victim: Victim, name: str) -> None:
    data = GARBAGE[name]
    answer = victim.raw(data.replace(b"%s", INFER.encode()), wait_s=3)
    assert not answer or 400 <= int(answer.split(b" ")[1]) < 500, answer[:200]


def test_garbage_behind_a_good_request_does_not_reach_the_next_one(victim: Victim) -> None:
    body = json.dumps(GOOD).encode()
    good = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (INFER.encode(), len(body), body)
    parts = urlsplit(victim.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(good + good + b"\0\xff garbage\r\n\r\n" + good)
        answers = b""
        try:
            while piece := connection.recv(65536):
                answers += piece
        except ConnectionError:
            pass
    assert answers.count(b"HTTP/1.1 200") <= 2
    assert answers.count(b"HTTP/1.1 400") == 1
    assert b"HTTP/1.1 5" not in answers


def test_many_slow_clients_do_not_keep_others_waiting(victim: Victim, attack: Wire) -> None:
    parts = urlsplit(victim.url)
    head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{" % INFER.encode()
    slow = [socket.create_connection((parts.hostname, parts.port), timeout=10) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(head)
        assert attack("POST", INFER, GOOD)[0] == 200  # they would have kept it for longer than its patience
    finally:
        for connection in slow:
            connection.close()


def test_a_large_bomb_does_not_keep_others_waiting(victim: Victim, attack: Wire) -> None:
    """It is unpacked in a thread, and no further than it may."""
    parts = urlsplit(victim.url)
    bomb = zlib.compress(os.urandom(2**18) + BOMB, 1)
    head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-encoding: deflate\r\ncontent-length: %d\r\n\r\n"
    sent = [socket.create_connection((parts.hostname, parts.port), timeout=30) for _ in range(4)]
    try:
        for connection in sent:
            connection.sendall(head % (INFER.encode(), len(bomb)) + bomb)
        assert attack("POST", INFER, GOOD)[0] == 200
        for connection in sent:
            assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    finally:
        for connection in sent:
            connection.close()


@pytest.mark.parametrize("path", [INFER, "/predict", "/invocations"])
def test_millions_of_lists_are_refused_before_they_are_made(attack: Wire, path: str) -> None:
    """3 bytes each on the wire, 72 in memory; and while they are made nobody else is answered."""
    body = b'{"inputs":[' + b"[]," * 3_000_000 + b"[]]}"
    status, _, answer = attack("POST", path, body, {"content-type": "application/json"})
    assert status == 413
    assert b"lists and objects" in answer


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_large_body_counts_as_it_lies_in_memory(is_packed: bool) -> None:
    plain = b"[" + b"1.5, 2.5, " * 20_000 + b"0]"
    body = gzip.compress(plain) if is_packed else plain
    held: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = {b"content-encoding": b"gzip"} if is_packed else {}
    caps = serve.Caps(max_ratio=10**6)
    assert asyncio.run(read_request(headers, receive, caps, held.append)).body == plain
    assert held == [len(plain)]


def test_what_the_runtime_says_stays_in_the_server(tmp_path: Path) -> None:
    """A graph that fails on good shapes: the runtime's words may quote values and paths."""
    path = models.write(tmp_path, "lookup", models.lookup())
    with serve.background(serve.create_app(serve.any_onnx(path))) as url:
        wire = Wire(url)
        inputs = [{"name": "INPUT0", "shape": [1, 1], "datatype": "INT64", "data": [777123]}]
        status, answer = wire.json("POST", "/v2/models/lookup/infer", {"inputs": inputs})
        wire.connection.close()
    assert status == 400
    assert answer["error"] == "feeds: the graph cannot take them"
    assert "777123" not in json.dumps(answer)


def test_memory_stays_bounded(victim: Victim, attack: Wire) -> None:
    """After everything above; and many large answers do not pile up."""
    values = np.zeros((1, 2_000_000), np.float32)
    head = tensor(shape=list(values.shape), parameters={"binary_data_size": values.nbytes})
    del head["inputs"][0]["data"]
    text = json.dumps(head | {"parameters": {"binary_data_output": True}}).encode()
    headers = {"inference-header-content-length": str(len(text))}
    before = victim.peak_mb()
    for _ in range(20):
        assert attack("POST", INFER, text + values.tobytes(), headers)[0] == 200
    assert victim.peak_mb() - before < MAX_GROWTH_MB
    assert victim.peak_mb() < 100 + 3 * MAX_GROWTH_MB
    assert struct.calcsize("f") == values.itemsize
