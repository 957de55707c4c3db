"""Answers of known quality to draw samples from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.core.records import Task

BINARY = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))
NUMBER = Task(kind="regression", target="y")


@dataclass
class Drawn:
    """Rows with truth and answers."""

    task: Task
    truth: Any
    prediction: Any
    probabilities: Any = None

    @property
    def answers(self) -> measure.Answers:
        return measure.Answers(self.prediction, self.probabilities)

    @property
    def all(self) -> tuple[Any, ...]:
        return self.task, self.truth, self.answers


def two_classes(seed: int, n_rows: int, *, noise: float = 1.0, decimals: int = 6) -> Drawn:
    """A quarter of positives, a forecast that is somewhat too sure."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n_rows) < 0.25).astype(np.int64)
    score = 1.6 * truth - 1.2 + noise * rng.normal(size=n_rows)
    p = np.round(1 / (1 + np.exp(-2.0 * score)), decimals)
    return Drawn(BINARY, truth, (p > 0.5).astype(np.int64), np.stack([1 - p, p], axis=1))


def three_classes(seed: int, n_rows: int) -> Drawn:
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n_rows, p=[0.5, 0.3, 0.2])
    z = rng.normal(size=(n_rows, 3)) + 1.3 * np.eye(3)[truth]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Drawn(THREE, truth, p.argmax(axis=1), p)


def numbers(seed: int, n_rows: int) -> Drawn:
    rng = np.random.default_rng(seed)
    truth = rng.normal(10, 2, size=n_rows)
    return Drawn(NUMBER, truth, truth + rng.normal(0.1, 1, size=n_rows))


@pytest.fixture
def draw() -> dict[str, Any]:
    return {"two": two_classes, "three": three_classes, "numbers": numbers}
