"""A really running `palio serve`, load on it, and a really running `palio watch`."""

from __future__ import annotations

import contextlib
import csv
import http.client
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PALIO = str(Path(sys.executable).with_name("palio"))
REACH_S = 2.0
"""Within so many seconds every worker must know what stands in the ledger."""
HIDDEN = frozenset({"y", "duration"})
NUMBERS = frozenset({"age", "balance", "day", "campaign", "pdays", "previous"})


def palio(folder: Path, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Any:
    """Run a verb, and return what `--json` printed; for `palio watch` the last line of it."""
    command = [PALIO, *arguments, "--json", "--dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ) | dict(env or {}))
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return json.loads(done.stdout)


def labelled(folder: Path) -> list[tuple[dict[str, Any], str]]:
    """Read the rows of the project as a client would send them, each with its truth."""
    with (folder / "bank.csv").open(newline="", encoding="utf-8") as file:
        separator = csv.Sniffer().sniff(file.readline()).delimiter
        file.seek(0)
        found = [
            (
                {name: int(text) if name in NUMBERS else text for name, text in row.items() if name not in HIDDEN},
                row["y"],
            )
            for row in csv.DictReader(file, delimiter=separator)
        ]
    random.Random(0).shuffle(found)  # the file is in order of time
    return found


def records(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of the project as a client would send them."""
    return [record for record, _ in labelled(folder)]


class Served:
    """A server that runs."""

    def __init__(self, process: Popen[bytes], url: str, folder: Path) -> None:
        self.process = process
        self.url = url
        self.folder = folder

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in path.read_text().split()]


@contextlib.contextmanager
def serving(folder: Path, *options: str, workers: int = 2, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Run `palio serve` until the block ends; it must end well."""
    command = [PALIO, "serve", "--dir", str(folder), "--port", "0", "--workers", str(workers), *options]
    told = folder / "server.log"
    told.write_text("")
    with told.open("w") as log, Popen(command, stderr=log, env=dict(os.environ) | dict(env or {})) as process:
        try:
            wait_until(lambda: "\n" in told.read_text() or process.poll() is not None)
            found = re.match(r"serving on (\S+) ", told.read_text())
            assert found, told.read_text()
            yield Served(process, found[1], folder)
        finally:
            process.terminate()
            try:
                code = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert code == 0, told.read_text()


class Wire:
    """One connection, kept."""

    def __init__(self, url: str, **headers: str) -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return status, headers and body."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, data, self.headers | more)
        response = self.connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def predict(self, record: Mapping[str, Any], **headers: str) -> tuple[int, Any]:
        """Ask for one row."""
        status, _, body = self("POST", "/predict", {"records": [record]}, **headers)
        return status, json.loads(body)

    def version(self, record: Mapping[str, Any], **headers: str) -> int:
        """Ask for one row; return which version answered, or the status that said no, negative."""
        status, told = self.predict(record, **headers)
        return int(told["predictions"][0]["version"]) if status == 200 else -status

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


@contextlib.contextmanager
def wires(url: str, number: int, **headers: str) -> Iterator[list[Wire]]:
    """Open connections; the kernel spreads them over the workers."""
    opened = [Wire(url, **headers) for _ in range(number)]
    try:
        yield opened
    finally:
        for wire in opened:
            wire.close()


def all_say(url: str, question: Callable[[Wire], bool], *, within_s: float = REACH_S, **headers: str) -> float:
    """Ask every worker, on fresh connections, until all answer yes twice over.

    Returns:
        Seconds until the last question was asked that got a no: who asks later gets a yes. How long a busy machine
        takes to answer is not counted.
    """
    began = time.monotonic()
    n_good, last_no = 0, began
    while n_good < 2:
        with wires(url, 12, **headers) as opened:
            no = _asked_in_vain(opened, question)
        n_good, last_no = (n_good + 1, last_no) if no is None else (0, no)
        assert last_no - began < within_s, f"not everywhere after {within_s} s"
    return last_no - began


def _asked_in_vain(opened: Sequence[Wire], question: Callable[[Wire], bool]) -> float | None:
    """Ask over one connection after the other; return when the question was asked that got a no."""
    for wire in opened:
        at = time.monotonic()
        if not question(wire):
            return at
    return None


class Answer(NamedTuple):
    """One answered request."""

    at: float
    row: int
    key: str
    id: str
    version: int
    prediction: str
    status: int
    error: str = ""


class Load:
    """Clients that ask all the time; each keeps a connection for a while, then opens another."""

    def __init__(
        self,
        url: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        clients: int = 4,
        per_s: float = 150.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.answers: list[Answer] = []
        self._url = url
        self._rows = rows
        self._pause_s = 1 / per_s
        self._headers = dict(headers or {})
        self._stop = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def failed(self) -> list[Answer]:
        """What was not answered as asked."""
        return [answer for answer in self.answers if answer.status != 200]

    def _run(self) -> None:
        wire = Wire(self._url, **self._headers)
        for turn in itertools.count():
            if self._stop.is_set():
                break
            if turn % 40 == 39:
                wire.close()
            begin = time.monotonic()
            number = next(self._numbers)
            answer = self._ask(wire, number % len(self._rows), f"client-{number % 400}")
            self.answers.append(answer)
            if answer.error:
                wire.close()
            self._stop.wait(max(0.0, self._pause_s - (time.monotonic() - begin)))
        wire.close()

    def _ask(self, wire: Wire, row: int, key: str) -> Answer:
        try:
            status, told = wire.predict(self._rows[row], x_palio_key=key)
        except (OSError, http.client.HTTPException) as error:
            return Answer(time.monotonic(), row, key, "", -1, "", 0, repr(error))
        if status != 200:
            return Answer(time.monotonic(), row, key, "", -1, "", status, str(told))
        found = told["predictions"][0]
        return Answer(time.monotonic(), row, key, found["id"], found["version"], found["prediction"], status)


@contextlib.contextmanager
def watching(folder: Path, *, interval_s: float = 0.3) -> Iterator[Popen[str]]:
    """Run `palio watch` until the block ends."""
    command = [PALIO, "watch", "--dir", str(folder), "--interval", str(interval_s)]
    with (
        (folder / "watch.log").open("a") as log,
        Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)


def wait_until(question: Callable[[], Any], *, within_s: float = 300.0, every_s: float = 0.1) -> Any:
    """Wait until a question is answered with something, and return that."""
    end = time.monotonic() + within_s
    while not (found := question()):
        assert time.monotonic() < end, f"waited {within_s} s in vain"
        time.sleep(every_s)
    return found
