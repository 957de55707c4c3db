"""Say what an engine must be able to do: take orders, and give outcomes as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from palio.train.orders import Order, Outcome, Word

Listen = Callable[[Word], None]


def deaf(word: Word) -> None:
    """Listen to nobody."""


class Engine(Protocol):
    """Carries out orders, several at a time; what comes of an order does not depend on which others run."""

    @property
    def n_workers(self) -> int:
        """How many orders it is at, at most."""

    @property
    def threads(self) -> int:
        """How many threads an order may use while all workers have one."""

    @property
    def n_free(self) -> int:
        """How many orders it would begin at once."""

    @property
    def n_running(self) -> int:
        """How many it is at."""

    @property
    def fault(self) -> str:
        """Why it is not what was asked for; empty if it is."""

    @property
    def listen(self) -> Listen:
        """Who is told how far the networks of its orders are."""

    @listen.setter
    def listen(self, listen: Listen) -> None: ...

    def submit(self, order: Order, *, kill_after_s: float | None = None) -> None:
        """Begin an order; one that is not done after `kill_after_s` seconds is ended, whatever it does."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Return what is done, or nothing when the time is over and nothing is."""

    def drop(self) -> None:
        """End what runs; nothing is heard of it."""

    def close(self) -> None:
        """End whatever still runs, for good."""
