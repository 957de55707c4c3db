"""What the workers of the tests serve."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palio import serve
from palio.core.errors import NotFoundError
from palio.serve.app import App
from tests.serve.small_model import small_bundle


@contextmanager
def build(worker: int, notes: str = "", fault: str = "") -> Iterator[App]:
    """Serve the small model; `notes` is a folder where each worker leaves its process id."""
    if fault == "no champion":
        raise NotFoundError("model `bank` has no champion yet", hint="run palio run first")
    if fault == "dies":
        os._exit(3)
    if fault == "dies when replaced" and (Path(notes) / f"{worker}").exists():
        os._exit(3)
    if notes:
        (Path(notes) / f"{worker}").write_text(str(os.getpid()))
    yield serve.create_app(serve.fixed(small_bundle(), model="bank"))
