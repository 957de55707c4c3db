"""Starting, stopping, swapping: what happens to requests that are under way."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from palio import serve
from palio.core.errors import IntegrityError, UnavailableError
from palio.serve.listener import DRAIN_S
from tests.serve.conftest import Switch, Wire
from tests.serve.protocols.test_tensors import INFER, tensors
from tests.serve.small_model import SmallBundle, small_bundle

BODY = msgspec.json.encode({"inputs": tensors()})


class Load:
    """Clients that ask without pause, each on a keep-alive connection, and open a new one when the server ends it."""

    def __init__(self, url: str, n_clients: int = 4) -> None:
        self.parts = urlsplit(url)
        self.failures: list[str] = []
        self.failures_of_new: list[str] = []
        """Those of them on connections that had not answered anything yet."""
        self.versions: set[str] = set()
        self.n_answers = 0
        self.stop = threading.Event()
        self.gone = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(n_clients)]

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(self.parts.hostname or "", self.parts.port, timeout=10)
        is_new = True
        while not self.stop.is_set():
            try:
                if connection.sock is None:
                    is_new = True
                    try:
                        connection.connect()
                    except ConnectionRefusedError:
                        self.gone.set()  # nobody listens any more: not a failed request
                        return
                connection.request("POST", INFER, BODY)
                response = connection.getresponse()
                answer = response.read()
                if response.status != 200:
                    self.failures.append(f"status {response.status}")
                self.versions.add(msgspec.json.decode(answer)["model_version"])
                self.n_answers += 1
                is_new = False
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                if is_new:
                    self.failures_of_new.append(repr(error))
                connection.close()
        connection.close()


@contextmanager
def under_load(url: str, n_clients: int = 4) -> Iterator[Load]:
    load = Load(url, n_clients)
    for thread in load.threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in load.threads:
            thread.join(20)


def wait_for(question: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def test_fifty_swaps_under_load_fail_no_request() -> None:
    switch = Switch({version: small_bundle(version / 10) for version in range(1, 52)})
    app = serve.create_app(switch, poll_s=0.01)
    with serve.background(app) as url, under_load(url) as load:
        for version in range(1, 52):
            switch.version = version
            wait_for(lambda v=version: str(v) in load.versions)
    assert load.failures == []
    assert load.versions == {str(version) for version in range(1, 52)}


def test_a_new_champion_answers_within_a_second(connect: Any) -> None:
    switch = Switch({1: small_bundle(), 2: small_bundle(1.0)})
    with serve.background(serve.create_app(switch)) as url:
        wire = connect(url)
        before = wire.json("POST", INFER, BODY)[1]
        switch.version = 2
        time.sleep(1.0)
        after = wire.json("POST", INFER, BODY)[1]
    assert (before["model_version"], after["model_version"]) == ("1", "2")
    assert before["outputs"][1]["data"] != after["outputs"][1]["data"]


@pytest.mark.parametrize("fault", ["damaged", "another identity", "unreadable", "wrong answers"])
def test_a_bad_bundle_is_refused_and_the_old_one_keeps_serving(connect: Any, fault: str) -> None:
    bad = small_bundle(1.0)
    if fault == "damaged":
        bad.trouble = IntegrityError("model.onnx: its bytes are not those of the manifest")
    elif fault == "another identity":
        bad.promoted_id = "0" * 64
    elif fault == "unreadable":
        bad.trouble = OSError("disk")
    else:
        bad.golden = small_bundle(2.0).golden  # type: ignore[method-assign]
    switch = Switch({1: small_bundle(), 2: bad})
    app = serve.create_app(switch, poll_s=0.01)
    with serve.background(app) as url:
        wire = connect(url)
        switch.version = 2
        wait_for(lambda: app.registry.state.trouble)
        assert wire.json("POST", INFER, BODY)[1]["model_version"] == "1"
        status, ready = wire.json("GET", "/v2/health/ready")
        assert (status, ready["version"]) == (200, "1")
        assert ready["detail"].startswith("version 2 is refused: ")
        wait_for(lambda: "palio_champion_refused 1.0" in wire("GET", "/metrics")[2].decode())
        switch.version = 1
        wait_for(lambda: not app.registry.state.trouble)


def test_before_the_first_champion_the_server_lives_but_is_not_ready(connect: Any) -> None:
    switch = Switch({1: small_bundle()}, version=None)
    app = serve.create_app(switch, poll_s=0.01)
    with serve.background(app) as url:
        wire = connect(url)
        assert wire("GET", "/v2/health/live")[0] == 200
        assert wire.json("GET", "/v2/health/ready") == (
            503,
            {"ready": False, "detail": "there is no champion in the ledger"},
        )
        status, headers, _ = wire("POST", INFER, BODY)
        assert (status, headers["retry-after"]) == (503, "1")
        assert wire("GET", "/openapi.json")[0] == 503
        assert wire("GET", "/")[0] == 200
        switch.version = 1
        wait_for(lambda: app.registry.state.served)
        assert wire("POST", INFER, BODY)[0] == 200


def test_large_requests_are_answered_beside_small_ones(bundle: SmallBundle, connect: Any) -> None:
    with serve.background(serve.create_app(serve.fixed(bundle, model="bank"))) as url:
        many = [one | {"shape": [5000], "data": one["data"] * 5000} for one in tensors()]
        status, answer = connect(url).json("POST", INFER, {"inputs": many})
    assert status == 200
    assert answer["outputs"][0]["shape"] == [5000]


def test_a_taken_port_is_a_clear_error(url: str, bundle: SmallBundle) -> None:
    app = serve.create_app(serve.fixed(bundle))
    with pytest.raises(UnavailableError, match="cannot listen"):
        serve.run(app, port=urlsplit(url).port or 0)
    with pytest.raises(UnavailableError, match="cannot listen"):
        serve.run(app, port=99_999)


SERVER = """
import sys
from palio import serve
from tests.serve.small_model import small_bundle
app = serve.create_app(serve.fixed(small_bundle(), model="bank"))
serve.run(app, port=0, ready=lambda url: print(url, flush=True))
print("returned", flush=True)
"""


@contextmanager
def server_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_sigterm_under_load_fails_no_request_and_returns() -> None:
    with server_process() as (process, url):
        with under_load(url, n_clients=8) as load:
            wait_for(lambda: load.n_answers > 200)
            process.send_signal(signal.SIGTERM)
            wait_for(load.gone.is_set)
            assert process.wait(30) == 0
        assert load.failures == []
        out, err = process.communicate()
        assert (out, err) == ("returned\n", "")


def test_sigterm_waits_for_the_request_that_is_under_way() -> None:
    with server_process() as (process, url):
        wire = Wire(url)
        wire.connection.putrequest("POST", INFER)
        wire.connection.putheader("content-length", str(len(BODY)))
        wire.connection.endheaders(BODY[:20])
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        wire.connection.send(BODY[20:])
        response = wire.connection.getresponse()
        response.read()
        assert (response.status, response.getheader("connection")) == (200, "close")
        assert process.wait(30) == 0
        wire.connection.close()


def test_an_idle_server_stops_at_once() -> None:
    with server_process() as (process, _):
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert time.monotonic() - begin < DRAIN_S  # what draining may take
