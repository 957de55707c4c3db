"""End runs that take too long: a loop in a graph may go on for ever, or as often as a request asks."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any


class Watchdog:
    """Sets `terminate` of a run's options once its time is up. One thread looks after all runs of a process.

    The runtime looks at the flag between two operators and between two turns of a loop, so that a single operator is
    always computed to its end. Begin and end cost 1 µs together.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._runs: dict[int, tuple[float, Any]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._looks_at = float("inf")

    def begin(self, options: Any, limit_s: float) -> int:
        """Watch the run that has these `RunOptions`; the number that comes back ends it."""
        ends_at = time.monotonic() + limit_s
        with self._turn:
            number = next(self._numbers)
            self._runs[number] = ends_at, options
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="palio-watchdog", daemon=True)
                self._thread.start()
            elif ends_at < self._looks_at:
                self._turn.notify()
        return number

    def end(self, number: int) -> None:
        """Forget a run; it is over."""
        with self._turn:
            self._runs.pop(number, None)

    def end_all(self) -> None:
        """Let every run that is watched end now: the process stops, and nobody waits for them any more."""
        with self._turn:
            for _, options in self._runs.values():
                options.terminate = True
            self._runs.clear()

    def _watch(self) -> None:
        with self._turn:
            while True:
                now = time.monotonic()
                late = [number for number, (ends_at, _) in self._runs.items() if ends_at <= now]
                for number in late:
                    self._runs.pop(number)[1].terminate = True
                self._looks_at = min((ends_at for ends_at, _ in self._runs.values()), default=float("inf"))
                self._turn.wait(None if self._looks_at == float("inf") else self._looks_at - now)


watchdog = Watchdog()
"""Of this process."""


def end_watched_runs() -> None:
    """End the runs of graphs that loop, in the whole process: it stops."""
    watchdog.end_all()
