"""A worker process: reads a lesson, carries out orders from a pipe, and ends when the pipe does.

Started by `palio.train.engine.local` as `python -m palio.train.engine.worker FD`; what goes through the pipe is made by
that process and by nobody else.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from palio.train.family import Family, calm_threads
from palio.train.lessons import read_lesson
from palio.train.orders import Order, Outcome
from palio.train.pace import Pace
from palio.train.work import carry_out, line_of


def main() -> None:
    """Serve one engine until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine decides when to end
    _die_with_parent()
    calm_threads()
    pipe = Connection(int(sys.argv[1]))
    try:
        folder = pipe.recv()
        families: dict[str, Family] = {}
        lesson = read_lesson(Path(folder))
        pace = Pace()
        pipe.send("ready")
        while True:
            order, family = pipe.recv()
            if family is not None:
                families[order.family] = family
            os.environ["OMP_NUM_THREADS"] = str(order.threads)
            pipe.send(_carried_out(order, families[order.family], lesson, pace))
    except (EOFError, OSError):
        os._exit(0)


def _carried_out(order: Order, family: Family, lesson: object, pace: Pace) -> Outcome:
    try:
        return carry_out(order, family, lesson, pace)  # type: ignore[arg-type]
    except MemoryError as error:
        return Outcome(number=order.number, status="failed", reason=f"there was not enough memory ({line_of(error)})")


def _die_with_parent() -> None:
    """End with the process that started this one, however that ends."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
