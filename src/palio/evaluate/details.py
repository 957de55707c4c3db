"""The parts of an evaluation below the headline: classes, confusions, curves, worst rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palio import measure, split
from palio.core.records import ClassScore, Curve, Metric, Schema, Task, WorstRow
from palio.evaluate.answers import Answers, Array

if TYPE_CHECKING:
    import polars as pl

N_WORST = 20
N_POINTS = 200
MAX_VALUES = 40
"""Columns shown of a worst row."""
MAX_LETTERS = 80
"""Letters shown of a cell."""


def confusion_table(task: Task, truth: Array, answers: Answers) -> tuple[tuple[int, ...], ...]:
    """Count rows by true class (rows) and answered class (columns)."""
    counts = measure.confusion(truth, answers.prediction, len(task.classes))
    return tuple(tuple(int(n) for n in row) for row in counts)


def class_scores(task: Task, truth: Array, answers: Answers) -> tuple[ClassScore, ...]:
    """Score each class: recall with Wilson's interval, precision, F1. A class without rows knows nothing: 0 to 1."""
    counts = measure.confusion(truth, answers.prediction, len(task.classes))
    actual, called, hits = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    out = []
    for i, label in enumerate(task.classes):
        n, hit = int(actual[i]), int(hits[i])
        low, high = measure.wilson(hit, n)
        out.append(
            ClassScore(
                label=label,
                n_rows=n,
                accuracy=Metric(value=hit / n if n else 0.0, low=low, high=high, n_rows=n),
                precision=hit / int(called[i]) if called[i] else 0.0,
                f1=2 * hit / int(actual[i] + called[i]) if actual[i] + called[i] else 0.0,
            )
        )
    return tuple(out)


def regression_curves(truth: Array, prediction: Array) -> tuple[Curve, ...]:
    """Pick rows evenly by rank of the prediction, and set truth and what is left over against it."""
    order = np.argsort(prediction, kind="stable")
    picked = order[np.unique(np.linspace(0, len(order) - 1, min(N_POINTS, len(order))).astype(np.int64))]
    x, y = prediction[picked], truth[picked]
    return curve("predicted_actual", x, y), curve("residuals", x, y - x)


def curve(name: str, x: Array, y: Array) -> Curve:
    """Round a curve to six digits, which is more than any screen shows."""
    return Curve(name=name, x=tuple(float(f"{v:.6g}") for v in x), y=tuple(float(f"{v:.6g}") for v in y))


def worst_rows(
    frame: pl.DataFrame, truth: Array, answers: Answers, *, task: Task, schema: Schema
) -> tuple[WorstRow, ...]:
    """Show the rows with the largest loss, the worst first; long cells are cut."""
    losses = measure.row_losses(task, truth, answers.prediction, answers.probabilities)
    rows = np.argsort(-losses, kind="stable")[:N_WORST]
    rows = rows[losses[rows] > 0]
    part = frame[rows]
    held = frozenset(frame.columns)
    names = [c.name for c in schema.features if c.name in held][:MAX_VALUES]
    ids = split.row_ids(part, schema) if len(rows) else []
    out = []
    for place, (row, values) in enumerate(zip(rows.tolist(), part[names].iter_rows(), strict=True)):
        shown = {n: _cell(v) for n, v in zip(names, values, strict=True)}
        out.append(
            WorstRow(
                row_id=ids[place],
                truth=_said(task, truth[row]),
                prediction=_said(task, answers.prediction[row]),
                loss=float(losses[row]),
                values=shown,
            )
        )
    return tuple(out)


def _said(task: Task, value: float) -> str:
    return task.classes[int(value)] if task.kind == "classification" else f"{float(value):.6g}"


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"
