"""A worker process: reads a lesson, carries out orders from a pipe, and ends when the pipe does.

Started by `palio.train.engine.local` as `python -m palio.train.engine.worker FD`; what goes through the pipe is made by
that process and by nobody else, so that it may be unpickled.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import shutil
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from palio import model
from palio.train.engine import lean
from palio.train.family import Family, calm_threads
from palio.train.lessons import read_lesson
from palio.train.orders import Outcome
from palio.train.pace import Pace
from palio.train.work import carry_out, line_of

LOOK_S = 1.0
"""Seconds between two looks at whether the parent still is."""


LIBRARIES = (
    "polars",
    "onnx",
    "palio.measure.scores",
    "palio.model.graph.builder",
    "palio.train.features",
)
"""Loaded before a worker knows what to do."""
FIRST = "lightgbm"
"""The family whose library is loaded before a worker knows what to do: it comes soon."""


def main() -> None:
    """Serve one engine until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine decides when to end
    parent = os.getppid()
    calm_threads()
    pipe = Connection(int(sys.argv[1]))
    folder: Path | None = None
    is_lean = True
    try:
        _load()
        folder = Path(pipe.recv())
        _end_with(parent, folder)
        families: dict[str, Family] = {}
        lesson = read_lesson(folder)
        pace = Pace()
        pipe.send("ready")
        while True:
            order, sent, is_ours = pipe.recv()
            os.environ["OMP_NUM_THREADS"] = str(order.threads)
            if is_lean and not is_ours:
                lean.let_go()
            is_lean = is_lean and is_ours
            if is_lean:
                lean.load(order.family)
            try:
                if sent is not None:
                    families[order.family] = pickle.loads(sent)  # noqa: S301 - made by the engine, see above
                family = families[order.family]
            except Exception as error:  # noqa: BLE001 - foreign code
                reason = f"it could not be loaded in a worker ({line_of(error)})"
                pipe.send(Outcome(number=order.number, status="failed", reason=reason))
            else:
                pipe.send(carry_out(order, family, lesson, pace, tell=pipe.send))
    except (EOFError, OSError):
        if folder is not None and os.getppid() != parent:  # it was killed, and cannot clean up any more
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


def _load() -> None:
    """Load what most families need, while there is nothing else to do."""
    for name in LIBRARIES:
        with contextlib.suppress(Exception):  # who needs it will say so
            importlib.import_module(name)
    model.onnx_runtime()
    lean.load(FIRST)


def _end_with(parent: int, folder: Path) -> None:
    """End with the process that started this one, however that ends; what it left behind is taken away."""

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(LOOK_S)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
