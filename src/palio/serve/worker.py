"""Be one of several processes behind one port; `workers` starts it as `python -m palio.serve.worker`."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from importlib import import_module
from pathlib import Path

import msgspec

from palio.core.errors import PalioError
from palio.serve.process import run
from palio.serve.workers import Errand, Report


def main() -> None:
    """Be a worker: read the errand from stdin, serve, and end when the parent does."""
    errand = msgspec.json.decode(_first_line(), type=Errand)
    threading.Thread(target=_end_with_parent, name="palio-parent", daemon=True).start()
    os.set_inheritable(errand.tell, False)
    module, _, name = errand.order.factory.partition(":")
    try:
        with getattr(import_module(module), name)(worker=errand.worker, **errand.order.options) as app:
            app.meters.share(Path(errand.meters), errand.worker)
            try:
                run(
                    app,
                    host=errand.host,
                    port=errand.port,
                    ready=lambda _: _tell(errand, Report(ready=True)),
                    drain_s=errand.drain_s,
                    limits=errand.limits,
                    reuse_port=True,
                )
            finally:
                app.meters.close()
    except PalioError as error:
        _tell(errand, Report(ready=False, message=error.message, hint=error.hint))
        raise SystemExit(1) from None


def _tell(errand: Errand, report: Report) -> None:
    with contextlib.suppress(OSError):  # the parent is gone; stdin tells that too
        os.write(errand.tell, msgspec.json.encode(report) + b"\n")


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65_536)
        if not part:
            raise SystemExit(1)
        line += part
    return line


def _end_with_parent() -> None:
    while os.read(0, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
