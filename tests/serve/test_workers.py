"""Several processes behind one port: what dies is replaced, what is counted adds up, stopping loses nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from palio.core.errors import UnavailableError
from palio.serve.workers import Order, run_workers
from tests.serve.protocols.test_tensors import INFER
from tests.serve.test_process import BODY, under_load, wait_for

PATIENCE_S = 60.0
"""A worker that takes the place of another is a new interpreter: on a busy machine that alone may take 20 s."""
SERVER = """
import json, sys
from palio.core.errors import PalioError
from palio.serve.workers import Order, run_workers
order = Order(factory="tests.serve.worker_app:build", options=json.loads(sys.argv[2]))
try:
    run_workers(order, int(sys.argv[1]), port=0, ready=lambda url: print(url, flush=True))
    print("returned", flush=True)
except PalioError as error:
    print("error:", error.message, flush=True)
"""


@contextmanager
def supervised(n_workers: int, **options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    }
    command = [sys.executable, "-c", SERVER, str(n_workers), json.dumps(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def ask(url: str, path: str = INFER, body: bytes | None = BODY) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("POST" if body else "GET", path, body)
    response = connection.getresponse()
    told = response.status, response.read()
    connection.close()
    return told


def n_counted(url: str) -> int:
    text = ask(url, "/metrics", None)[1].decode()
    found = re.findall(r'palio_requests_total\{route="infer",status="200"\} ([\d.]+)', text)
    return int(float(found[0])) if found else 0


def pids(notes: Path) -> list[int]:
    return [int(text) for path in sorted(notes.iterdir()) if (text := path.read_text())]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_ready_is_told_once_when_all_answer_and_each_has_a_listener_of_its_own(tmp_path: Path) -> None:
    with supervised(2, notes=str(tmp_path)) as (process, url):
        assert len(set(pids(tmp_path))) == 2
        with under_load(url, n_clients=12):
            port = f":{urlsplit(url).port:04X}"
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            assert sum(row[1].endswith(port) and row[3] == "0A" for row in rows) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.communicate() == ("returned\n", "")


def test_a_worker_that_is_killed_under_load_is_replaced_and_the_others_go_on(tmp_path: Path) -> None:
    with supervised(2, notes=str(tmp_path)) as (_, url):
        with under_load(url, n_clients=8) as load:
            wait_for(lambda: load.n_answers > 200, PATIENCE_S)
            victim, other = pids(tmp_path)
            os.kill(victim, signal.SIGKILL)
            after = load.n_answers
            wait_for(lambda: load.n_answers > after + 200, PATIENCE_S)
            wait_for(lambda: victim not in pids(tmp_path), PATIENCE_S)
            wait_for(lambda: load.n_answers > after + 400, PATIENCE_S)
        assert other in pids(tmp_path)
        # What the dead one had taken in is lost: at most one request on each of the eight connections. A client that
        # comes back faster than the kernel closes the listener of the dead one is turned away once more.
        assert len(load.failures) - len(load.failures_of_new) <= 8
        assert len(load.failures_of_new) <= 8
        assert [one for one in load.failures if one.startswith("status")] == []


def test_any_worker_tells_the_sum_of_all_and_no_counter_goes_down_when_one_is_replaced(tmp_path: Path) -> None:
    with supervised(2, notes=str(tmp_path)) as (_, url):
        for _ in range(60):
            assert ask(url)[0] == 200
        wait_for(lambda: n_counted(url) == 60, PATIENCE_S)  # the other worker publishes once a second
        assert {n_counted(url) for _ in range(20)} == {60}
        victim = pids(tmp_path)[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: victim not in pids(tmp_path), PATIENCE_S)
        told = []
        for _ in range(40):
            try:
                told.append(n_counted(url))
            except OSError:
                continue  # the kernel may still send connections to the dead one
        assert set(told) == {60}
        for _ in range(10):
            assert ask(url)[0] == 200
        wait_for(lambda: n_counted(url) == 70, PATIENCE_S)


def test_sigterm_under_load_fails_no_request_with_workers() -> None:
    with supervised(2) as (process, url):
        with under_load(url, n_clients=8) as load:
            wait_for(lambda: load.n_answers > 200, PATIENCE_S)
            process.send_signal(signal.SIGTERM)
            wait_for(load.gone.is_set, PATIENCE_S)
            assert process.wait(15) == 0
        assert load.failures == []
        assert process.communicate() == ("returned\n", "")


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with supervised(2, notes=str(tmp_path)) as (process, _):
        orphans = pids(tmp_path)
        process.kill()
        wait_for(lambda: not any(is_alive(pid) for pid in orphans), PATIENCE_S)


def test_what_keeps_a_worker_from_starting_is_told_by_the_parent() -> None:
    with supervised(2, fault="no champion") as (process, line):
        assert line == "error: model `bank` has no champion yet"
        assert process.wait(20) == 0


def test_a_worker_that_dies_at_start_again_and_again_ends_the_server() -> None:
    with supervised(1, fault="dies") as (process, line):
        assert line == "error: workers die at start again and again, the last with exit code 3"
        assert process.wait(20) == 0


def test_a_successor_that_cannot_start_does_not_stop_the_others(tmp_path: Path) -> None:
    with supervised(2, notes=str(tmp_path), fault="dies when replaced") as (process, url):
        os.kill(pids(tmp_path)[0], signal.SIGKILL)
        time.sleep(2.5)  # three tries and more
        assert process.poll() is None
        assert ask(url)[0] == 200


def test_a_taken_port_and_a_senseless_number_are_clear_errors() -> None:
    order = Order(factory="tests.serve.worker_app:build")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # even of one who would share it
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UnavailableError, match="cannot listen"):
            run_workers(order, 2, port=taken.getsockname()[1])
    for number in (0, 257):
        with pytest.raises(UnavailableError, match="workers: got"):
            run_workers(order, number, port=0)


def test_two_interrupts_do_not_wait(tmp_path: Path) -> None:
    with supervised(2, notes=str(tmp_path)) as (process, url):
        parts = urlsplit(url)
        waiting: Any = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        waiting.putrequest("POST", INFER)
        waiting.putheader("content-length", "100")
        waiting.endheaders(b"only a part")
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - begin < 5.0
        waiting.close()
