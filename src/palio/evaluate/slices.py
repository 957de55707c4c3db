"""Where the model is worse than elsewhere: every slice against the rest, chance accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from palio import measure
from palio.core.progress import SILENT, Progress
from palio.core.records import Metric, Schema, Slice, Task
from palio.core.seeds import derive
from palio.evaluate.answers import Array
from palio.evaluate.segmenting import Segment, segments
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

MAX_ROWS = 100_000
"""Rows that slices are cut from; more are sampled."""
MAX_SLICES = 120
"""Slices kept: first the worse ones, then those that differ most."""
SPREAD_ROWS = 2_000
"""Rows of a slice that its interval is measured on; the value is that of all its rows."""
SPREAD_RESAMPLES = 200
MIN_PER_CLASS = 5
"""Rows of each class that a ranking on a slice needs."""


def find_slices(
    frame: pl.DataFrame,
    truth: Array,
    answers: Answers,
    *,
    task: Task,
    schema: Schema,
    primary: str,
    whole: Metric,
    more: Sequence[Segment] = (),
    progress: Progress = SILENT,
) -> tuple[Slice, ...]:
    """Score every slice on the primary metric and test its difference to all other rows.

    Slices on which the metric is not defined are left out. `worse` holds after Benjamini–Hochberg over all slices.

    Args:
        frame: The rows.
        truth: Shape (n_rows,): class index or number.
        answers: To the same rows.
        task: What was asked.
        schema: Names the features.
        primary: The metric.
        whole: Its value and interval on all rows; the rest of a slice borrows its spread.
        more: Slices of these rows beside those by their columns; left out where rows are sampled.
        progress: Told how many columns are done.
    """
    rows = sampled_rows(frame.height)
    if rows is not None:
        frame, truth, answers, more = frame[rows], truth[rows], answers.take(rows), ()
    found, p = [], []
    for segment in (*segments(frame, schema, progress=progress), *more):
        if not can_rank(truth[segment.rows], task) or not can_rank(truth[~segment.rows], task):
            continue
        inside = _spread(task, truth, answers, segment.rows, primary)
        rest = ~segment.rows
        outside = measure.score(task, truth[rest], answers.take(rest), names=[primary]).get(primary)
        if inside is None or outside is None:
            continue
        rest_error = _error(whole) * np.sqrt(whole.n_rows / (len(truth) - inside.n_rows))
        error = float(np.hypot(_error(inside), rest_error))
        gain = inside.value - outside
        difference = Metric(
            value=gain, low=gain - measure.Z95 * error, high=gain + measure.Z95 * error, n_rows=inside.n_rows
        )
        found.append((segment, inside, difference))
        p.append(measure.two_sided_p(gain, error))
    sign = 1 if measure.higher_is_better(primary) else -1
    alarms = measure.benjamini_hochberg(np.array(p))
    slices = [
        Slice(
            column=segment.column,
            condition=segment.condition,
            n_rows=inside.n_rows,
            metric=primary,
            score=inside,
            difference=difference,
            worse=bool(alarm) and sign * difference.value < 0,
        )
        for (segment, inside, difference), alarm in zip(found, alarms, strict=True)
    ]
    slices.sort(key=lambda s: (not s.worse, sign * s.difference.value if s.worse else -abs(s.difference.value)))
    return tuple(slices[:MAX_SLICES])


def sampled_rows(n_rows: int) -> Array | None:
    """Choose the rows that slices are cut from; None: all of them."""
    if n_rows <= MAX_ROWS:
        return None
    return np.sort(np.random.default_rng(derive(0, "slices")).choice(n_rows, MAX_ROWS, replace=False))


def can_rank(truth: Array, task: Task) -> bool:
    """Tell whether rows hold enough of at least two classes to be told apart (always, for numbers)."""
    return measure.questions.of(task).holds(truth, MIN_PER_CLASS)


def _spread(task: Task, truth: Array, answers: Answers, rows: Array, primary: str) -> Metric | None:
    metrics = measure.score_with_intervals(
        task,
        truth[rows],
        answers.take(rows),
        n_resamples=SPREAD_RESAMPLES,
        names=[primary],
        max_rows=SPREAD_ROWS,
    )
    return metrics.get(primary)


def _error(metric: Metric) -> float:
    return (metric.high - metric.low) / (2 * measure.Z95)
