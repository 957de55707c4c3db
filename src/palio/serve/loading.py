"""Load a model in a thread of its own, so that whoever swaps it in can look after other things meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from palio.serve.ending import let_end

T = TypeVar("T")


class Loading(Generic[T]):
    """One load that is under way, or over. A load that never ends does not keep the process alive for long."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._over = threading.Event()
        self._made: list[T] = []
        self._error: BaseException | None = None
        let_end(threading.Thread(target=self._run, name="palio-load", daemon=True)).start()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until it is over; False if it is not after `timeout_s`."""
        return self._over.wait(timeout_s)

    def result(self) -> T:
        """Return what was loaded, or raise what the load raised; only when it is over."""
        if self._error is not None:
            raise self._error
        return self._made[0]

    def _run(self) -> None:
        try:
            self._made.append(self._load())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error
        finally:
            self._over.set()
