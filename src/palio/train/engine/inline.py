"""Carry out orders one after the other in this process: for what cannot be sent to another one."""

from __future__ import annotations

from collections.abc import Mapping

from palio.train.engine.base import Listen, deaf
from palio.train.family import Family, n_threads
from palio.train.lessons import Lesson
from palio.train.orders import Order, Outcome
from palio.train.pace import Pace
from palio.train.work import carry_out


class InlineEngine:
    """An engine without workers. It cannot end a fit that does not look at its deadline."""

    n_workers = 1

    def __init__(self, lesson: Lesson, families: Mapping[str, Family], *, fault: str = "") -> None:
        self.fault = fault
        self.listen: Listen = deaf
        self.threads = n_threads()
        self._lesson = lesson
        self._families = families
        self._pace = Pace()
        self._waiting: list[Order] = []

    @property
    def n_free(self) -> int:
        """One order at a time."""
        return 0 if self._waiting else 1

    @property
    def n_running(self) -> int:
        """What was submitted and not waited for."""
        return len(self._waiting)

    def submit(self, order: Order, *, kill_after_s: float | None = None) -> None:  # noqa: ARG002
        """Note an order: it is carried out when it is waited for."""
        self._waiting.append(order)

    def wait(self, timeout_s: float) -> list[Outcome]:  # noqa: ARG002
        """Carry out what was submitted."""
        orders, self._waiting = self._waiting, []
        families, lesson, pace = self._families, self._lesson, self._pace
        return [carry_out(order, families[order.family], lesson, pace, tell=self.listen) for order in orders]

    def drop(self) -> None:
        """Forget what was not begun."""
        self._waiting = []

    def close(self) -> None:
        """Forget what was not begun."""
        self._waiting = []
