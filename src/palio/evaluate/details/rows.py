"""The rows that were answered worst."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palio import measure, split
from palio.core.records import Schema, Task, WorstRow
from palio.evaluate.answers import Array
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

N_WORST = 20
MAX_VALUES = 40
"""Columns shown of a worst row."""
MAX_LETTERS = 80
"""Letters shown of a cell; the identity of a picture is shorter."""


def worst_rows(
    frame: pl.DataFrame, truth: Array, answers: Answers, *, task: Task, schema: Schema
) -> tuple[WorstRow, ...]:
    """Show the rows with the largest loss, the worst first; long cells are cut."""
    question = measure.questions.of(task)
    losses = question.losses(truth, answers)
    rows = np.argsort(-losses, kind="stable")[:N_WORST]
    rows = rows[losses[rows] > 0]
    part = frame[rows]
    held = frozenset(frame.columns)
    names = [c.name for c in (*schema.features, *schema.describing) if c.name in held][:MAX_VALUES]
    ids = split.row_ids(part, schema) if len(rows) else []
    out = []
    for place, (row, values) in enumerate(zip(rows.tolist(), part[names].iter_rows(), strict=True)):
        shown = {n: _cell(v) for n, v in zip(names, values, strict=True)}
        out.append(
            WorstRow(
                row_id=ids[place],
                truth=question.shown(truth[row]),
                prediction=question.shown(answers.prediction[row]),
                loss=float(losses[row]),
                values=shown,
            )
        )
    return tuple(out)


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"
