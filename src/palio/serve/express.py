"""Answer requests that lie whole in memory, without a task for each: what one turn of the loop has read, together."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any, Protocol

from palio.serve.pipeline import INLINE_BODY_BYTES
from palio.serve.protocols.wire import Message, Reply, request_of
from palio.serve.traffic.batching import compute_all
from palio.serve.ways import Way, way_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from palio.serve.batch_plan import Outputs
    from palio.serve.pipeline import Pipeline
    from palio.serve.protocols.wire import Asked
    from palio.serve.served import Served
    from palio.serve.ticket import Ticket

log = logging.getLogger("palio.serve")

_PLAIN = re.compile(rb"/[A-Za-z0-9._~/-]*")
"""Paths that are what they look like; others are left to the parser of URLs."""
_MOST_WAYS = 1024
LONGEST_PATH = 512
"""A longer one is not kept in memory: the application answers it."""
MOMENT_S = 0.005
"""So long a body may take to follow its head before the application is asked what it thinks of the head."""


class Whole(Protocol):
    """A request whose head is complete, and soon its body."""

    way: Way
    headers: dict[bytes, bytes]
    body: bytes
    """Known once it is complete."""
    more_body: bool
    disconnected: bool

    @property
    def n_here(self) -> int:
        """How much of the body has arrived."""

    def leave(self) -> None:
        """Let the application read the rest of the body."""

    def send(self, reply: Reply | None) -> None:
        """Send the reply; None if nobody is left to read it."""

    def drop(self) -> None:
        """End the connection: there is no reply."""


class _Job:
    """A request that is being answered."""

    __slots__ = ("asked", "outputs", "reply", "served", "ticket", "whole")

    def __init__(self, whole: Whole, ticket: Ticket) -> None:
        self.whole, self.ticket = whole, ticket
        self.served: Served
        self.asked: Asked
        self.outputs: Outputs | Exception
        self.reply: Reply | None = None


class Express:
    """Takes whole requests from connections, and answers them in the next turn of the loop.

    Each goes through the steps of the pipeline. A request that would have to wait for something (a thread, a disk)
    gets a task of its own and the pipeline's `answer`.

    Args:
        pipeline: Its steps are followed.
        keep: Told of each task that is begun.
    """

    def __init__(
        self, pipeline: Pipeline, loop: asyncio.AbstractEventLoop, keep: Callable[[asyncio.Task[None]], Any]
    ) -> None:
        self._pipeline, self._loop, self._keep = pipeline, loop, keep
        self._waiting: list[Whole] = []
        self._most_bytes = min(INLINE_BODY_BYTES, pipeline.caps.max_body_bytes)
        self._ways: dict[bytes, Way | None] = {}
        self._unfinished: dict[int, Whole] = {}

    def find(self, path: bytes) -> Way | None:
        """Tell where a request can be answered here by its path; None if it cannot."""
        try:
            return self._ways[path]
        except KeyError:
            if len(path) > LONGEST_PATH:
                return None
            way = way_of(path.decode("ascii")) if _PLAIN.fullmatch(path) else None
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()
            self._ways[path] = way
            return way

    def take(self, whole: Whole) -> None:
        """Answer a request, soon."""
        if not self._waiting:
            self._loop.call_soon(self._answer_all)
        self._waiting.append(whole)

    def wait_for(self, call: Whole) -> None:
        """Give the rest of a body a moment to come: most clients send it right after the head."""
        if call.n_here > INLINE_BODY_BYTES or _declared(call.headers) > INLINE_BODY_BYTES:
            call.leave()
        else:
            if not self._unfinished:
                self._loop.call_later(MOMENT_S, self._go_on)
            self._unfinished[id(call)] = call

    def _go_on(self) -> None:
        unfinished, self._unfinished = self._unfinished, {}
        for call in unfinished.values():
            if call.more_body and call.disconnected:
                self._keep(self._loop.create_task(self._answer_slowly(call)))
            elif call.more_body:
                call.leave()

    def _answer_all(self) -> None:
        """Answer all that came in one turn: first all are read, then computed, then written."""
        waiting, self._waiting = self._waiting, []
        at_ns, begin = time.time_ns(), time.perf_counter()
        state = self._pipeline.state
        is_quick = self._pipeline.is_quick(state)
        jobs: list[_Job] = []
        groups: dict[Served, list[_Job]] = {}
        for whole in waiting:
            if not is_quick or not self._is_quick(whole):
                self._keep(self._loop.create_task(self._answer_slowly(whole)))
                continue
            job = _Job(whole, self._pipeline.open(whole.way.route, state, at_ns, begin))
            jobs.append(job)
            if self._read(job):
                groups.setdefault(job.served, []).append(job)
        middle = time.perf_counter()
        for served, group in groups.items():
            _compute(served, group)
        compute_s = (time.perf_counter() - middle) / max(1, len(jobs))
        for job in jobs:
            if job.reply is None and not job.ticket.reason:
                self._write(job, begin, compute_s)
            try:
                job.whole.send(self._pipeline.closed(job.ticket, job.reply, job.whole.headers))
            except Exception:
                log.exception("an answer could not be sent")
                job.whole.drop()

    def _is_quick(self, whole: Whole) -> bool:
        """Tell whether a request can be answered without waiting for anything."""
        is_small = len(whole.body) <= self._most_bytes
        return is_small and not whole.disconnected and b"content-encoding" not in whole.headers

    def _read(self, job: _Job) -> bool:
        """Let a request in and read it; False if it was refused."""
        pipeline, whole, ticket = self._pipeline, job.whole, job.ticket
        admission, way = pipeline.admission, whole.way
        try:
            admission.enter()
            job.served = served = pipeline.admit(ticket, whole.headers, way.model, way.version)
            ticket.n_bytes = len(whole.body)
            request = request_of(whole.headers, whole.body)
            admission.begin()
            try:
                job.asked = ticket.asked = asked = way.read(served, request, pipeline.caps)
                if asked.n_rows > 1:
                    pipeline.charge(ticket, asked.n_rows - 1)
            except BaseException:
                served.tally.failed(int((time.perf_counter() - ticket.began) * 1e9))
                admission.end()
                raise
        except Exception as error:  # noqa: BLE001 - the catch-all of the wire
            job.reply = pipeline.refused(ticket, way, error)
            return False
        return True

    def _write(self, job: _Job, begin: float, compute_s: float) -> None:
        pipeline, ticket, served, outputs = self._pipeline, job.ticket, job.served, job.outputs
        pipeline.admission.end()
        try:
            if isinstance(outputs, Exception):
                raise outputs
            reply = job.asked.write(outputs, ticket.id)
        except Exception as error:  # noqa: BLE001 - the catch-all of the wire
            served.tally.failed(int((time.perf_counter() - begin) * 1e9))
            job.reply = pipeline.refused(ticket, job.whole.way, error)
            return
        try:
            pipeline.answered(ticket, served, job.asked, outputs, time.perf_counter() - begin, compute_s)
            job.reply = reply
        except Exception as error:  # noqa: BLE001 - the catch-all of the wire
            job.reply = pipeline.refused(ticket, job.whole.way, error)

    async def _answer_slowly(self, whole: Whole) -> None:
        async def receive() -> Message:
            if whole.disconnected:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": whole.body, "more_body": False}

        whole.send(await self._pipeline.answer(whole.way, "POST", whole.headers, receive))


def _declared(headers: dict[bytes, bytes]) -> int:
    return int(headers.get(b"content-length", b"0"))


def _compute(served: Served, jobs: list[_Job]) -> None:
    try:
        answers = compute_all(served, [job.asked for job in jobs])
    except Exception as error:  # noqa: BLE001 - whatever it is, each request gets an answer
        answers = [error] * len(jobs)
    for job, outputs in zip(jobs, answers, strict=True):
        job.outputs = outputs
