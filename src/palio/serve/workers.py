"""Several processes behind one port: start them, replace one that dies, stop them together.

The parent imports nothing that serves and answers nothing itself: it reserves the port, and each worker opens a
listener of its own on it (SO_REUSEPORT), so the kernel spreads connections and no lock is shared. A worker is a fresh
interpreter, never a fork: threads and ONNX Runtime do not survive one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from palio.core.errors import UnavailableError
from palio.serve.listener import DRAIN_S, NOTICE_S, ConnectionLimits, bind, url_of

log = logging.getLogger("palio.serve")

MOST_WORKERS = 256
FIRST_TRIES = 3
"""So often a worker may die before it answers, until the start is given up."""
_BACKOFF_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_S = 10.0
"""A worker that has lived so long was not ill from birth: its successor starts at once."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker builds its app: `factory` names `module:function`, called as `function(worker=N, **options)`.

    The function returns a context manager that gives the app and frees what it holds; options are plain data.
    """

    factory: str
    options: dict[str, Any] = {}


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells a worker."""

    order: Order
    worker: int
    host: str
    port: int
    drain_s: float
    limits: ConnectionLimits
    meters: str
    tell: int
    """File descriptor to report on."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells its parent: that it answers, or why it never will."""

    ready: bool
    message: str = ""
    hint: str = ""


def run_workers(
    order: Order,
    n_workers: int,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[str], None] | None = None,
    drain_s: float = DRAIN_S,
    limits: ConnectionLimits | None = None,
) -> None:
    """Serve with `n_workers` processes until SIGTERM or SIGINT, then drain all and return. Prints nothing.

    Args:
        order: How each worker builds its app.
        n_workers: 1 to 256.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        ready: Called once with the real URL, when all workers answer.
        drain_s: How long requests may take to finish after the signal.
        limits: What one connection may take.

    Raises:
        UnavailableError: the port cannot be listened on, or workers die at start.
    """
    if not 1 <= n_workers <= MOST_WORKERS:
        raise UnavailableError(
            f"workers: got {n_workers}, allowed 1 to {MOST_WORKERS}", hint="start as many as there are cores"
        )
    if port:
        bind(host, port).close()  # with SO_REUSEPORT alone another server of ours would share its port unasked
    with (
        bind(host, port, reuse_port=True) as reserved,
        tempfile.TemporaryDirectory(prefix="palio-meters-") as meters,
    ):
        number = reserved.getsockname()[1]
        errands = [
            Errand(
                order=order,
                worker=worker,
                host=host,
                port=number,
                drain_s=drain_s,
                limits=limits or ConnectionLimits(),
                meters=meters,
                tell=-1,
            )
            for worker in range(n_workers)
        ]
        url = url_of(host, reserved)
        _Supervisor(errands, drain_s=drain_s, ready=lambda: ready(url) if ready else None).run()


class _Worker:
    """One place among the workers, and who holds it now."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.process: subprocess.Popen[bytes] | None = None
        self.reports: int | None = None
        self.is_ready = False
        self.n_failures = 0
        self.n_stillborn = 0
        """So often in a row it has ended before it answered."""
        self.started = 0.0
        self.due = 0.0

    def start(self) -> None:
        self.reports, tell = os.pipe()
        os.set_blocking(self.reports, False)
        isolated = "-I" if sys.flags.isolated else "-P"  # a module in the working folder is not ours
        command = [sys.executable, isolated, "-m", "palio.serve.worker"]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=2, pass_fds=[tell], process_group=0
            )  # a group of its own: Ctrl-C reaches the parent alone, which forwards it
        finally:
            os.close(tell)
        self.started = time.monotonic()
        self.is_ready = False
        errand = msgspec.json.encode(msgspec.structs.replace(self.errand, tell=tell))
        with contextlib.suppress(BrokenPipeError):
            os.write(self.process.stdin.fileno(), errand + b"\n")  # type: ignore[union-attr]

    def read(self) -> Report | None:
        """Return its report; None when it has ended."""
        text = os.read(self.reports, 65_536) if self.reports is not None else b""
        return msgspec.json.decode(text.splitlines()[-1], type=Report) if text else None

    def bury(self) -> int:
        """Wait for a worker that has ended, and return its exit code."""
        if self.process is None:
            return 0
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.reports is not None:
            os.close(self.reports)
        self.process = self.reports = None
        self.is_ready = False
        return code

    def send(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class _Supervisor:
    def __init__(self, errands: list[Errand], *, drain_s: float, ready: Callable[[], object]) -> None:
        self._workers = [_Worker(errand) for errand in errands]
        self._drain_s = drain_s
        self._ready: Callable[[], object] | None = ready
        self._selector = selectors.DefaultSelector()
        self._stopping = 0.0

    def run(self) -> None:
        with self._signals() as wake:
            self._selector.register(wake, selectors.EVENT_READ)
            try:
                for worker in self._workers:
                    self._start(worker)
                while any(worker.process is not None or not self._stopping for worker in self._workers):
                    self._turn()
            finally:
                self._end_all()
                self._selector.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """Forward SIGTERM and SIGINT, and give a descriptor that wakes the loop."""
        wake, nudge = os.pipe()
        os.set_blocking(nudge, False)

        def forward(number: int, _frame: Any) -> None:
            self._stopping = self._stopping or time.monotonic()
            for worker in self._workers:
                worker.send(number)
            with contextlib.suppress(BlockingIOError):
                os.write(nudge, b".")

        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield wake
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wake)
            os.close(nudge)

    def _start(self, worker: _Worker) -> None:
        worker.start()
        if worker.reports is not None:
            self._selector.register(worker.reports, selectors.EVENT_READ, worker)
        if self._stopping:  # the signal came while it was started
            worker.send(signal.SIGTERM)

    def _turn(self) -> None:
        """Wait for the next thing to happen, and deal with it."""
        waits = [self._overdue()] if self._stopping else [w.due for w in self._workers if w.process is None]
        for key, _ in self._selector.select(max(0.0, min(waits) - time.monotonic()) if waits else None):
            if key.data is None:
                os.read(key.fd, 4096)
                continue
            report = key.data.read()
            if report is None:
                self._selector.unregister(key.fd)
                self._ended(key.data)
            elif report.ready:
                self._answers(key.data)
            else:
                self._failed(key.data, report)
        if self._stopping:
            if time.monotonic() > self._overdue():
                log.warning("workers did not stop in time and are killed")
                for worker in self._workers:
                    worker.send(signal.SIGKILL)
            return
        for worker in self._workers:
            if worker.process is None and worker.due <= time.monotonic():
                self._start(worker)

    def _overdue(self) -> float:
        return self._stopping + self._drain_s + NOTICE_S + 5.0

    def _answers(self, worker: _Worker) -> None:
        worker.is_ready = True
        if self._ready is not None and all(one.is_ready for one in self._workers):
            ready, self._ready = self._ready, None
            ready()

    def _failed(self, worker: _Worker, report: Report) -> None:
        """A worker says that it cannot start: with others at work it is tried again, else that is the end."""
        if self._ready is not None:
            raise UnavailableError(report.message, hint=report.hint)
        log.warning("worker %d cannot start: %s", worker.errand.worker, report.message)

    def _ended(self, worker: _Worker) -> None:
        was_ready, lived_s = worker.is_ready, time.monotonic() - worker.started
        code = worker.bury()
        if self._stopping:
            return
        what = f"signal {-code}" if code < 0 else f"exit code {code}"
        worker.n_failures = 0 if was_ready and lived_s > _STEADY_S else worker.n_failures + 1
        worker.n_stillborn = 0 if was_ready else worker.n_stillborn + 1
        is_hopeless = worker.n_stillborn >= FIRST_TRIES
        if is_hopeless and (self._ready is not None or not any(one.is_ready for one in self._workers)):
            raise UnavailableError(
                f"workers die at start again and again, the last with {what}",
                hint="start with --workers 1 to see why",
            )
        wait_s = _BACKOFF_S[min(worker.n_failures, len(_BACKOFF_S)) - 1] if worker.n_failures else 0.0
        worker.due = time.monotonic() + wait_s
        log.warning("worker %d ended with %s; the next starts in %.1f s", worker.errand.worker, what, wait_s)

    def _end_all(self) -> None:
        """End what still runs when something went wrong."""
        for worker in self._workers:
            worker.send(signal.SIGTERM)
        end = time.monotonic() + self._drain_s + NOTICE_S
        for worker in self._workers:
            if worker.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, end - time.monotonic()))
                worker.send(signal.SIGKILL)
                worker.bury()
