"""Rows with answers, made from seeds, for tests of estimates, outcomes and business figures."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from palio.core.monitoring import Window
from palio.core.records import Task
from palio.measure import questions, score

Rows = dict[str, Any]
TWO = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))
NUMBER = Task(kind="regression", target="y")


def window(n_rows: int = 1000) -> Window:
    since = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    return Window(model="m", bundle="b", version=1, since=since, until=since + dt.timedelta(days=1), n_rows=n_rows)


def two_classes(rng: np.random.Generator, n_rows: int, *, shift: float = 0.0, turned: bool = False) -> Rows:
    """Forecasts that are too sure; `turned` turns the concept round for half of the rows."""
    x = rng.normal(shift, 1, (n_rows, 2))
    logit = 1.2 * x[:, 0] + 0.6 * x[:, 1]
    came = rng.random(n_rows) < 1 / (1 + np.exp(-logit))
    if turned:
        came = came ^ (rng.random(n_rows) < 0.4)
    p = 1 / (1 + np.exp(-(1.8 * x[:, 0] + 0.3)))
    answers = {"prediction": texts(p > 0.5, TWO), "probability_yes": p, "probability_no": 1 - p}
    return {**answers, "truth": texts(came, TWO), "input.x0": x[:, 0], "input.x1": x[:, 1]}


def three_classes(rng: np.random.Generator, n_rows: int) -> Rows:
    x = rng.normal(size=(n_rows, 3))
    q, p = (np.exp(factor * x) / np.exp(factor * x).sum(1, keepdims=True) for factor in (1.5, 2.5))
    truth = (rng.random((n_rows, 1)) > q.cumsum(1)).sum(1)
    rows = {"prediction": texts(p.argmax(1), THREE), "truth": texts(truth, THREE)}
    return rows | {f"probability_{label}": p[:, i] for i, label in enumerate(THREE.classes)}


def numbers(rng: np.random.Generator, n_rows: int, *, shift: float = 0.0) -> Rows:
    """Errors grow with the second input."""
    x = rng.normal(shift, 1, (n_rows, 2))
    truth = 2 * x[:, 0] + (0.5 + np.abs(x[:, 1])) * rng.normal(size=n_rows)
    return {"prediction": 2 * x[:, 0], "truth": truth, "input.x0": x[:, 0], "input.x1": x[:, 1]}


def texts(index: Any, task: Task) -> Any:
    return np.array(task.classes, object)[np.asarray(index, int)]


def real(task: Task, rows: Rows) -> dict[str, float]:
    question = questions.of(task)
    return score(task, question.truth_in(rows), question.answers(rows))


def without_inputs(rows: Rows) -> Rows:
    return {name: values for name, values in rows.items() if not name.startswith("input.")}


def part(rows: Rows, chosen: Any) -> Rows:
    return {name: values[chosen] for name, values in rows.items()}
