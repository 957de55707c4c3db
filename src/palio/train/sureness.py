"""Say how sure scores, and their differences, are: by the spread of folds, and where these are few by that of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from palio import measure
from palio.train.choice import FEW_SCORES, resampled_error
from palio.train.examples import Array
from palio.train.field import Field, Finalist
from palio.train.work import answers_as_scored

MAX_ROWS, N_RESAMPLES = 2_000, 200
"""Rows, and resamples of them, that tell it: some milliseconds."""
MAX_ROWS_OF_TWO, FEWEST_ROWS = 20_000, 60
"""The same of a difference, which depends on the few rows that are answered otherwise; fewer rows tell none."""


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


def difference_error(field: Field, first: Finalist, second: Finalist) -> float:
    """Return the standard error of the difference of two finalists' scores, by the rows that both answered.

    Widened as that of folds is: their fits share most of the rows that they learn from.

    Returns:
        A number ≥ 0; infinite where rows cannot tell, and for boxes, which are scored in blocks of one holdout.

    Source: Nadeau and Bengio 2003, Machine Learning 52(3), equation 9.
    """
    task, metric = field.terms.task, field.terms.metric
    rows, places = np.unique(first.rows, return_index=True)
    if not np.array_equal(first.rows, second.rows) or len(rows) < FEWEST_ROWS or task.kind == "detection":
        return math.inf
    truth = field.lesson.examples.target[rows]
    both = [_as_said(field, one, truth, places) for one in (first, second)]
    found = measure.paired(task, truth, *both, n_resamples=N_RESAMPLES, names=(metric,), max_rows=MAX_ROWS_OF_TWO).get(
        metric
    )
    if found is None:
        return math.inf
    half = (found[0].high - found[0].low) / 2 / measure.Z95
    n_folds = max(2, field.n_folds)
    shared = 0.0 if field.holdout else min(len(first.folds), n_folds) / (n_folds - 1)
    return half * math.sqrt(1.0 + shared) if math.isfinite(half) else math.inf


def _as_said(field: Field, one: Finalist, truth: Array, places: Array) -> measure.Answers:
    answers, at = one.answers[places], one.threshold
    said = None if at is None else (answers[:, 1] >= at).astype(np.int64)
    return answers_as_scored(field.terms.task, truth, answers, names=(field.terms.metric,), said=said)
