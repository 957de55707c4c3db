"""What waits for a challenger is bounded, in requests and in bytes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from palio.serve.traffic import shadow
from palio.serve.traffic.shadow import Shadow, Shadowed


class Slow:
    """A challenger that answers when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def run(self, feeds: Any) -> Any:
        self.go.wait(10)
        return feeds


def given(number: int, n_bytes: int) -> Shadowed:
    return Shadowed(f"r-{number}", 0, "ann", "predict", 1, None, {}, n_bytes)


def test_large_requests_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "MAX_WAITING_BYTES", 1_000)
    answered: list[str] = []
    told = threading.Event()

    def note(challenger: Any, one: Shadowed, *_: Any) -> None:
        answered.append(one.request_id)
        told.set()

    slow, made = Slow(), Shadow(note)
    for number in range(5):
        made.offer(slow, given(number, 400))  # type: ignore[arg-type]
    assert made.n_dropped == 3
    slow.go.set()
    assert told.wait(10)
    made.close()
    assert answered == ["r-0", "r-1"]
    made.offer(slow, given(9, 900))  # type: ignore[arg-type]
    made.close()
    assert answered[-1] == "r-9", "what was answered no longer counts"
