"""Let `palio` count its budget in CPU seconds of two quiet cores, however busy the machine is.

    PYTHONPATH=benchmarks/automl/quiet:src QUIET_CORES=2 OMP_NUM_THREADS=2 palio run --budget 10

Python loads this module before anything else. In `palio` and its workers it puts clocks in the place of
`time.monotonic` and `time.perf_counter`. A worker's counts its own CPU. That of the process that started them goes on
by what any one of them took, or by what all took over the number of cores, whichever is more: as on a machine that does
nothing else. Use it to compare qualities at short budgets; what it says of seconds leaves out disks and sleep.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

LOOK_S, TICK_S = 0.2, 0.3


class Reckoner:
    """A clock over this process and those that it started; its own cost is left out."""

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._lock = threading.Lock()
        self._real, self._own_time, self._looked = time.monotonic, time.process_time, 0.0
        self._before: dict[int, float] = {}
        self._own, self._now, self.cost = 0.0, 0.0, 0.0
        self.started: list[int] = []

    def __call__(self) -> float:
        """Return the moment."""
        begun = time.thread_time()
        with self._lock:
            own = self._own_time() - self.cost
            if self._real() - self._looked < LOOK_S:
                found = self._now + max(0.0, own - self._own)
            else:
                self._looked = self._real()
                others = {pid: seconds for pid in self.started if (seconds := _cpu_of(pid)) is not None}
                took = [max(0.0, own - self._own)]
                took += [max(0.0, seconds - self._before.get(pid, 0.0)) for pid, seconds in others.items()]
                self._now += max(*took, sum(took) / self._cores) if len(took) > 1 else took[0]
                self._own, self._before, found = own, others, self._now
            self.cost += time.thread_time() - begun
            return found


def _words_of(process: str) -> list[str]:
    """Return what the system says of a process; words 11 and 12 are its CPU, 19 is when it began."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _cpu_of(pid: int) -> float | None:
    try:
        words = _words_of(str(pid))
    except OSError:
        return None
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _count() -> None:
    """Put the clocks in place."""
    if any("palio.train.engine.worker" in word for word in sys.orig_argv):
        time.monotonic = time.perf_counter = time.process_time
        return
    clock = Reckoner(float(os.environ["QUIET_CORES"]))
    real_init, real_gettime = subprocess.Popen.__init__, time.clock_gettime
    ticks = os.sysconf("SC_CLK_TCK")

    def started(self: Any, *words: Any, **how: Any) -> None:
        real_init(self, *words, **how)
        clock.started.append(self.pid)

    def gettime(which: int) -> float:
        if which != time.CLOCK_BOOTTIME:
            return real_gettime(which)
        return int(_words_of("self")[19]) / ticks + clock()  # so that this process began at 0

    def tick() -> None:
        while not threading.Event().wait(TICK_S):
            clock()

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]
    time.monotonic, time.perf_counter, time.clock_gettime = clock, time.process_time, gettime
    threading.Thread(target=tick, daemon=True).start()
    atexit.register(lambda: print(f"as on quiet cores: {clock():.2f} s", file=sys.stderr))


if os.environ.get("QUIET_CORES") and any("palio" in word for word in sys.orig_argv):
    _count()
