"""Tell whether one candidate leads another by more than the luck of a few rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio.train.calibration import log_losses
from palio.train.examples import Array
from palio.train.field import Field
from palio.train.race import Candidate

STEADY = ("lightgbm", "xgboost", "catboost")
"""Who is to be preferred where rows do not tell: on most tables these come out ahead."""


def leads_by(field: Field, one: Candidate, other: Candidate, folds: Sequence[int]) -> float | None:
    """Return by how many standard errors the losses of `one` are smaller, row for row; None where rows have none.

    Args:
        field: What all know.
        one: Answered the rows of `folds`.
        other: Answered them, too.
        folds: At least one.
    """
    rows = np.concatenate([field.lesson.rows[f"score {fold}"] for fold in folds])
    truth = field.lesson.examples.target[rows]
    losses = [_losses(field, truth, np.concatenate([each.answers[fold] for fold in folds])) for each in (one, other)]
    if losses[0] is None or losses[1] is None or len(rows) < 2:
        return None
    less = losses[1] - losses[0]
    error = float(less.std(ddof=1)) / np.sqrt(len(less))
    return float(less.mean()) / error if error > 0 else 0.0


def _losses(field: Field, truth: Array, answers: Array) -> Array | None:
    """Return the loss of each row, where the metric is a mean of such losses."""
    metric = field.terms.metric
    if metric == "log_loss":
        return log_losses(answers, truth.astype(np.int64))
    if metric == "brier":
        said = answers[np.arange(len(truth)), truth.astype(np.int64)]
        return np.asarray((answers**2).sum(axis=1) - 2 * said)
    if metric == "mae":
        return np.asarray(np.abs(answers[:, 0] - truth))
    if metric in ("rmse", "r2"):
        return np.asarray((answers[:, 0] - truth) ** 2)
    return None
