"""Carry out orders in worker processes of this machine, with limits on time, threads and memory."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from palio.train.engine import waiting
from palio.train.engine.base import Engine, Listen, deaf
from palio.train.engine.memory import free_memory, resident
from palio.train.family import Family, n_threads
from palio.train.orders import Order, Outcome, Word
from palio.train.work import line_of

MAX_STILLBORN = 3
"""Workers that ended before they were ready, after which no other is started."""
LOOK_S = 0.2
"""Seconds between two looks at the memory and the clock."""
START_S = 60.0
"""A worker that is not ready by then is given up."""


@dataclass(eq=False)
class _Worker:
    """One process, and what it is at."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    errors: Any
    is_ready: bool = False
    order: Order | None = None
    began: float = field(default_factory=time.monotonic)
    """Moment at which it was started, or was given its order."""
    kill_after_s: float | None = None
    knows: set[str] = field(default_factory=set)


class LocalEngine:
    """Workers of this machine. Each has its share of the cores; one that dies is replaced.

    Args:
        folder: Holds a written lesson.
        families: Name → family. They must survive `pickle`.
        spare: Who takes over where no worker can be started.
        n_workers: How many at a time; None: as the cores allow, at most four.
        memory: Bytes that each may take; None: its share of most of what is free.

    Raises:
        pickle.PicklingError, TypeError, AttributeError: a family cannot be sent to another process.
        OSError: no process can be started.
    """

    def __init__(
        self,
        folder: Path,
        families: Mapping[str, Family],
        *,
        spare: Engine,
        n_workers: int | None = None,
        memory: int | None = None,
    ) -> None:
        self._families = {name: _packed(family) for name, family in families.items()}
        self._is_ours = {name: type(one).__module__.startswith("palio.") for name, one in families.items()}
        cores = n_threads()
        self.n_workers = n_workers or waiting.n_workers()
        self.threads = max(1, cores // self.n_workers)
        self.fault = ""
        self.listen: Listen = deaf
        self._folder = folder
        self._spare = spare
        self._memory = 0
        self._n_stillborn = 0
        self._workers: list[_Worker] = []
        try:
            while len(self._workers) < self.n_workers:
                self._workers.append(self._start())
        except BaseException:
            self.close()
            raise
        held = sum(resident(worker.process.pid) for worker in self._workers)  # no longer free, and theirs
        self._memory = memory or int(waiting.MEMORY_SHARE * (free_memory() + held) / self.n_workers)

    @property
    def n_free(self) -> int:
        """How many workers have nothing to do."""
        if self.fault:
            return self._spare.n_free
        return sum(worker.order is None for worker in self._workers)

    @property
    def n_running(self) -> int:
        """How many orders are under way."""
        if self.fault:
            return self._spare.n_running
        return sum(worker.order is not None for worker in self._workers)

    def submit(self, order: Order, *, kill_after_s: float | None = None) -> None:
        """Give an order to a free worker."""
        if self.fault:
            self._spare.submit(order, kill_after_s=kill_after_s)
            return
        free = [worker for worker in self._workers if worker.order is None]
        worker = max(free, key=lambda worker: worker.is_ready)  # one that has loaded its libraries, if there is one
        worker.order, worker.kill_after_s = order, kill_after_s
        if worker.is_ready:
            self._send(worker)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Return what is done; what takes too long or too much is ended, and its outcome says so."""
        end = time.monotonic() + timeout_s
        while not self.fault:
            done = self._collect(max(0.0, min(LOOK_S, end - time.monotonic())))
            done += [outcome for worker in list(self._workers) if (outcome := self._judged(worker)) is not None]
            if done or time.monotonic() >= end:
                return done
        return self._spare.wait(max(0.0, end - time.monotonic()))

    def drop(self) -> None:
        """End what runs: its workers are replaced."""
        self._spare.drop()
        for worker in list(self._workers):
            if worker.order is not None and worker.is_ready:
                self._replaced(worker, "")
            worker.order = None

    def close(self) -> None:
        """End all workers."""
        self._spare.drop()
        for worker in self._workers:
            _end(worker)
        self._workers = []

    def _start(self) -> _Worker:
        blank = waiting.take()
        worker = _Worker(blank.process, blank.pipe, blank.errors)
        with contextlib.suppress(OSError):  # it is gone already: the next look says so
            worker.pipe.send(str(self._folder))
        return worker

    def _send(self, worker: _Worker) -> None:
        order = worker.order
        if order is None:
            return
        worker.began = time.monotonic()
        family = None if order.family in worker.knows else self._families[order.family]
        worker.knows.add(order.family)
        with contextlib.suppress(OSError):  # it is gone: the next look says so
            worker.pipe.send((order, family, self._is_ours[order.family]))

    def _collect(self, timeout_s: float) -> list[Outcome]:
        done = []
        ready = wait([worker.pipe for worker in self._workers], timeout_s)
        for worker in list(self._workers):
            if worker.pipe not in ready or worker not in self._workers:  # all may have been given up meanwhile
                continue
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                done += self._replaced(worker, _death(worker))
                continue
            except Exception as error:  # noqa: BLE001 - e.g. an outcome that cannot be read here
                done += self._replaced(worker, f"what its worker said could not be read ({type(error).__name__})")
                continue
            if isinstance(said, Outcome):
                worker.order = None
                done.append(said)
            elif isinstance(said, Word):
                self.listen(said)
            else:
                worker.is_ready = True
                self._send(worker)
        return done

    def _judged(self, worker: _Worker) -> Outcome | None:
        """End a worker that takes too long or too much; None if it does not."""
        if worker not in self._workers:
            return None
        took = time.monotonic() - worker.began
        if not worker.is_ready and took > START_S:
            return next(iter(self._replaced(worker, f"it was not ready after {took:.3g} s")), None)
        if worker.order is None or not worker.is_ready:
            return None
        reason = ""
        if worker.kill_after_s is not None and took > worker.kill_after_s:
            reason = f"it was still at it after {took:.3g} s and was ended"
        elif (size := resident(worker.process.pid)) > self._memory:
            reason = f"it took {size / 1e6:,.0f} MB of the {self._memory / 1e6:,.0f} MB that a worker may take"
        return next(iter(self._replaced(worker, reason)), None) if reason else None

    def _replaced(self, worker: _Worker, reason: str) -> list[Outcome]:
        """Put a new worker in the place of one, and say what became of its order."""
        self._n_stillborn = 0 if worker.is_ready else self._n_stillborn + 1
        _end(worker)
        place, order = self._workers.index(worker), worker.order
        del self._workers[place]
        try:
            fresh = self._start() if self._n_stillborn < MAX_STILLBORN else None
        except OSError as error:
            fresh, reason = None, line_of(error)
        if fresh is not None:
            self._workers.insert(place, fresh)
            if order is not None and not worker.is_ready:  # it was not begun
                fresh.order, fresh.kill_after_s, order = order, worker.kill_after_s, None
        elif not any(one.is_ready for one in self._workers):
            self._give_up(reason, [] if order is None else [order])
            return []
        else:
            self.n_workers = len(self._workers)
        return [] if order is None else [Outcome(number=order.number, status="killed", reason=reason)]

    def _give_up(self, reason: str, orders: list[Order]) -> None:
        """Leave everything to the spare engine."""
        self.fault = f"no worker process can be started ({reason}), so fits run one after the other and cannot be ended"
        orders += [worker.order for worker in self._workers if worker.order is not None]
        self.close()
        self.n_workers, self.threads, self._spare.listen = self._spare.n_workers, self._spare.threads, self.listen
        for order in orders:
            self._spare.submit(order)


def _packed(family: Family) -> bytes:
    """Return a family as it is sent to a worker."""
    if type(family).__module__ == "__main__":
        raise pickle.PicklingError(f"{family.name} is defined in a script: another process cannot load it")
    return pickle.dumps(family)


def _death(worker: _Worker) -> str:
    """Say how a worker ended."""
    code = worker.process.wait()
    if code < 0:
        name = {9: "killed, perhaps for want of memory", 11: "a crash in a library", 6: "a crash in a library"}
        return f"its worker ended with signal {-code} ({name.get(-code, 'from outside')})"
    worker.errors.seek(0)
    said = [line for line in worker.errors.read().decode(errors="replace").splitlines() if line.strip()]
    return f"its worker ended with code {code}" + (f" ({said[-1].strip()[:200]})" if said else "")


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.wait()
    worker.pipe.close()
    worker.errors.close()
