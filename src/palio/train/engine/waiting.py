"""Start worker processes before there is anything to do, so that they have loaded their libraries when there is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from palio.train.engine.memory import free_memory
from palio.train.family import n_threads

MEMORY_SHARE, LEAST_MEMORY = 0.8, 500_000_000
"""Share of the free memory that all workers together may take; and the bytes that each is to have: its libraries alone
take half of that."""
MAX_WORKERS = 4
"""More would each see less of what the others found: a step knows what was found four steps before."""


@dataclass(frozen=True, eq=False)
class Blank:
    """A process that waits to be told what to learn from."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    errors: Any

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        self.errors.close()


_blanks: list[Blank] = []


def n_workers() -> int:
    """Return how many workers there are: as many as cores, at most four, and fewer where memory is short."""
    return max(1, min(MAX_WORKERS, n_threads(), _n_in_memory()))


@lru_cache(1)
def _n_in_memory() -> int:
    """Return how many workers the memory has room for, as it was at first: those that were started take some."""
    return int(MEMORY_SHARE * free_memory() / LEAST_MEMORY)


def prepare() -> None:
    """Start as many workers as a search will want; nothing happens where they cannot be started."""
    with contextlib.suppress(OSError):
        while len(_blanks) < n_workers():
            _blanks.append(start())


def prepare_another() -> None:
    """Start one more than a search wants, where memory has room for it: it takes the place of the next that is ended.

    A worker that was just started has its libraries to load before it can make the last fit.
    """
    with contextlib.suppress(OSError):
        if not _blanks and _n_in_memory() > n_workers():
            _blanks.append(start())


def take() -> Blank:
    """Return a worker that waits, or a new one.

    Raises:
        OSError: no process can be started.
    """
    while _blanks:
        blank = _blanks.pop()
        if blank.process.poll() is None:
            return blank
        blank.end()
    return start()


def let_go() -> None:
    """End the workers that nobody took."""
    while _blanks:
        _blanks.pop().end()


def start() -> Blank:
    """Start one worker.

    Raises:
        OSError: no process can be started.
    """
    ours, theirs = Pipe()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    command = [sys.executable, "-m", "palio.train.engine.worker", str(theirs.fileno())]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    threads = str(max(1, n_threads() // n_workers()))
    env |= {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    try:
        process = subprocess.Popen(
            command, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    except OSError:
        ours.close()
        errors.close()
        raise
    finally:
        theirs.close()
    return Blank(process, ours, errors)
