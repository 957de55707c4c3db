"""Tell a person what is going on, without the rooms knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a room may tell while it works. Implementations must be cheap: they are called often."""

    def say(self, text: str) -> None:
        """Print one finished sentence (a decision and its reason)."""

    def step(self, name: str, done: float, total: float | None = None) -> None:
        """Report that `done` of `total` (unknown: None) of the work called `name` is finished."""


class Silent:
    """A listener that hears nothing: the default everywhere."""

    def say(self, text: str) -> None:
        """Ignore the sentence."""

    def step(self, name: str, done: float, total: float | None = None) -> None:
        """Ignore the step."""


SILENT = Silent()
