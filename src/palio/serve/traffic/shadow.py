"""Let a challenger answer what the champion has answered, out of everybody's way; only the log sees its answers."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from palio.serve.ending import let_end

if TYPE_CHECKING:
    from palio.serve.served import Served

log = logging.getLogger("palio.serve")

MAX_WAITING = 1_000
"""Requests that wait for the challenger; more are not shadowed, and counted. They hold their inputs in memory."""


MAX_WAITING_BYTES = 128 * 2**20
"""Of their bodies: pictures are large."""


class Shadowed(msgspec.Struct, frozen=True, gc=False):
    """What a shadow is given: one answered request, as arrays."""

    request_id: str
    at_ns: int
    caller: str
    route: str
    n_rows: int
    keys: Sequence[str] | None
    feeds: Mapping[str, Any]
    n_bytes: int = 0
    """Of its body: what it holds in memory, about."""


Answered = Callable[["Served", Shadowed, Any, float, str], None]
"""Takes the challenger, what it was given, its outputs (None if it failed), seconds, and the reason of a failure."""


class Shadow:
    """One thread and a bounded queue.

    Args:
        answered: Called on the thread with each answer of the challenger.
    """

    def __init__(self, answered: Answered, *, max_waiting: int = MAX_WAITING) -> None:
        self.n_dropped = 0
        self._answered = answered
        self._waiting: queue.Queue[tuple[Served, Shadowed] | None] = queue.Queue(max_waiting)
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._taken_bytes = self._done_bytes = 0  # written by the thread that offers, and by ours

    def offer(self, challenger: Served, given: Shadowed) -> None:
        """Let `challenger` answer too, later; never waits."""
        if self._thread is None:
            self._is_over = False
            self._thread = let_end(threading.Thread(target=self._work, name="palio-shadow", daemon=True))
            self._thread.start()
        try:
            if self._taken_bytes - self._done_bytes + given.n_bytes > MAX_WAITING_BYTES:
                raise queue.Full
            self._waiting.put_nowait((challenger, given))
            self._taken_bytes += given.n_bytes
        except queue.Full:
            self.n_dropped += 1

    def close(self, timeout_s: float = 5.0) -> None:
        """Answer what waits, then stop; what is not answered in time is left."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._waiting.put(None, timeout=timeout_s)
            thread.join(timeout_s)
        except queue.Full:
            pass
        self._is_over = True

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None and not self._is_over:
            challenger, given = item
            begin = time.perf_counter()
            outputs, reason = None, ""
            try:
                outputs = challenger.run(given.feeds)
            except Exception as error:  # noqa: BLE001 - the edge of a thread; a failing challenger is what shadows are for
                reason = f"the challenger failed: {type(error).__name__}"
            try:
                self._answered(challenger, given, outputs, time.perf_counter() - begin, reason)
            except Exception:
                log.exception("a shadow's answer could not be noted")
            self._done_bytes += given.n_bytes
