"""Which columns matter: shuffle one at a time and see what is lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from palio import measure
from palio.core.records import Importance, Metric, Task
from palio.core.seeds import derive
from palio.evaluate.answers import Answers, Array, answer, known_rows
from palio.evaluate.slices import Z95

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

MAX_ROWS = 2_000
MIN_ROWS = 200
MAX_ANSWERS = 400_000
"""Answers asked for at most (rows × columns × repeats): some ten seconds of a large forest."""
MAX_COLUMNS = 500
N_REPEATS = 3
N_RESAMPLES = 200


def permutation_importance(
    bundle: Bundle, frame: pl.DataFrame, *, seed: int = 0, task: Task | None = None
) -> tuple[Importance, ...]:
    """Measure how much the primary metric loses when the cells of a column are shuffled, for every feature.

    Works on at most 2,000 rows, through the bundle's own graph. Columns that say the same share their importance: each
    seems to matter little while the other one stays.

    Args:
        bundle: The model.
        frame: Labelled rows that were not trained on, so that memorised noise does not count.
        seed: Of the choice of rows and the shuffles.
        task: Whose metric; the bundle's own if None.

    Returns:
        One entry per feature, largest loss first; positive: the metric gets worse. The interval covers the chance of
        rows and of shuffles. Empty if the metric is not defined on these rows.

    Raises:
        InputError: no row has a known answer.

    Source: Breiman 2001, Machine Learning 45(1); model-agnostic form: Fisher et al. 2019, JMLR 20(177).
    """
    task = task or bundle.manifest.task
    primary = measure.default_metric(task)
    frame, truth = _chosen(*known_rows(frame, task), n_columns=len(bundle.manifest.schema.features), seed=seed)
    names = [c.name for c in bundle.manifest.schema.features][:MAX_COLUMNS]
    before = answer(bundle, frame, task=task)
    value = _value(task, truth, before, primary)
    if value is None:
        return ()
    sign = 1 if measure.higher_is_better(primary) else -1
    found = []
    for name in names:
        losses, error = [], 0.0
        for repeat in range(N_REPEATS):
            order = np.random.default_rng(derive(seed, "shuffle", name, repeat)).permutation(frame.height)
            after = answer(bundle, frame.with_columns(frame.get_column(name).gather(order)), task=task)
            losses.append(sign * (value - (_value(task, truth, after, primary) or 0.0)))
            if repeat == 0:
                gain, _ = measure.paired(
                    task, truth, after, before, seed=seed, n_resamples=N_RESAMPLES, names=(primary,)
                )[primary]
                error = (gain.high - gain.low) / (2 * Z95)
        found.append(Importance(column=name, loss=_summary(losses, error, len(truth))))
    return tuple(sorted(found, key=lambda i: (-i.loss.value, i.column)))


def _value(task: Task, truth: Array, answers: Answers, primary: str) -> float | None:
    return measure.score(task, truth, answers.prediction, answers.probabilities, names=[primary]).get(primary)


def _chosen(frame: pl.DataFrame, truth: Array, *, n_columns: int, seed: int) -> tuple[pl.DataFrame, Array]:
    n_rows = min(MAX_ROWS, max(MIN_ROWS, MAX_ANSWERS // max(1, min(n_columns, MAX_COLUMNS) * N_REPEATS)))
    if frame.height <= n_rows:
        return frame, truth
    rows = np.sort(np.random.default_rng(derive(seed, "rows")).choice(frame.height, n_rows, replace=False))
    return frame[rows], truth[rows]


def _summary(losses: list[float], row_error: float, n_rows: int) -> Metric:
    mean = float(np.mean(losses))
    half = Z95 * math.sqrt(row_error**2 + float(np.var(losses, ddof=1)) / len(losses))
    return Metric(value=mean, low=mean - half, high=mean + half, n_rows=n_rows)
