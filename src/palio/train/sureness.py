"""Say how sure the score of a candidate is: by the spread of its folds, and where these are few by that of the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from palio import measure
from palio.train.choice import FEW_SCORES, resampled_error
from palio.train.examples import Array
from palio.train.field import Field
from palio.train.work import answers_as_scored

MAX_ROWS, N_RESAMPLES = 2_000, 200
"""Rows, and resamples of them, that tell it: some milliseconds."""


def score_error(
    field: Field, scores: Sequence[float], *, rows: Array, answers: Array, said: Array | None = None
) -> float | None:
    """Return the standard error of the mean of scores; None if it cannot be told.

    Args:
        field: What the finalists run on.
        scores: One for each fold, or block of a holdout.
        rows: Positions of the rows that were scored, among all of the lesson, shape (n,); of repeated folds often.
        answers: To these rows, as numbers, shape (n, n_numbers).
        said: Classes that are said, shape (n,); None: the likeliest.
    """
    spread = resampled_error(scores, n_folds=field.n_folds, holdout=field.holdout)
    if len(scores) < FEW_SCORES and len(rows):
        told = _told_by_rows(field, rows, answers, said)
        spread = max(told, spread if math.isfinite(spread) else 0.0) or spread
    return spread if math.isfinite(spread) else None


def _told_by_rows(field: Field, rows: Array, answers: Array, said: Array | None) -> float:
    """Return half of the interval of the metric in standard errors; 0 where it is not defined."""
    task, metric = field.terms.task, field.terms.metric
    rows, first = np.unique(rows, return_index=True)
    truth = field.lesson.examples.target[rows]
    given = answers_as_scored(task, truth, answers[first], names=(metric,), said=None if said is None else said[first])
    found = measure.score_with_intervals(
        task, truth, given, n_resamples=N_RESAMPLES, names=(metric,), max_rows=MAX_ROWS
    ).get(metric)
    half = 0.0 if found is None else (found.high - found.low) / 2 / measure.Z95
    return half if math.isfinite(half) else 0.0
