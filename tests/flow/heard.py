from __future__ import annotations


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, name: str, done: float, total: float | None = None) -> None:
        pass
