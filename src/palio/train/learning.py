"""Draw the learning curve of the chosen candidate: would more rows help?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import numpy as np

from palio import measure, split
from palio.core import seeds
from palio.core.errors import InputError
from palio.core.records import LearningCurve, LearningPoint, Parts, Run
from palio.core.words import counted
from palio.train.choice import resampled_error
from palio.train.family import Array, Examples, Family, OutOfTime
from palio.train.trial import Fold, Terms, try_out

QUARTERS = 4
CLEAR = 2.0
"""Standard errors that a gain must have to be no chance."""
TRIFLE = 0.005
"""A gain that is a smaller share than this of all that the candidate gains over the constant answer is a trifle."""
MATERIAL = 0.05
"""Where a gain of this share of it is not ruled out, it is unclear whether more rows would help."""
LEAST_ROWS = 100
"""A quarter of fewer rows than this says nothing of the whole."""


def draw(
    family: Family, run: Run, folds: Sequence[Fold], *, terms: Terms, dummy: Run | None, deadline: float | None
) -> LearningCurve | None:
    """Fit a run's settings on a quarter and on half of the rows of each fold, and score them on the rows as before.

    Costs about as much as the trial itself. Quarters are cut as the parts were: stratified, groups whole; by time rows
    are taken from the whole stretch.

    Args:
        family: Of the run.
        run: A finished one: its fold scores are the last point.
        folds: What it was scored on.
        terms: Of the search.
        dummy: The constant answer on the same folds.
        deadline: Moment on `time.monotonic` by which it must be done; nothing is begun that would break it.

    Returns:
        The curve; None if there is no time, too few rows or groups, or nothing to learn (the dummy).

    Source: Cortes, Jackel, Solla, Vapnik and Denker 1993, NeurIPS 6 (learning curves follow a power law).
    """
    if run.family == "dummy" or len(run.fold_scores) < 2:
        return None
    if deadline is not None and time.monotonic() + run.fit_s >= deadline:
        return None
    try:
        cuts = [_nested(fold) for fold in folds]
        found = [
            try_out(family, run.params, some, terms=terms, trial=run.trial, deadline=deadline)
            for some in zip(*cuts, strict=True)
        ]
    except (InputError, OutOfTime):
        return None
    if any(len(one.fold_scores) != len(run.fold_scores) or one.cv_score is None for one in found):
        return None
    sizes = [np.mean([len(cut[k].train.target) for cut in cuts]) for k in range(len(found))]
    sizes.append(np.mean([len(fold.train.target) for fold in folds]))
    if sizes[0] < LEAST_ROWS:
        return None
    points = tuple(
        LearningPoint(n_rows=round(float(size)), score=float(one.cv_score or 0.0), error=one.cv_error)
        for size, one in zip(sizes, [*found, run], strict=True)
    )
    simplest = run.cv_score if dummy is None or dummy.cv_score is None else dummy.cv_score
    lead = abs((run.cv_score or 0.0) - (simplest or 0.0))
    scores = [terms.sign * np.asarray(one.fold_scores) for one in (*found, run)]
    return _judged(points, scores, lead=lead, holdout=folds[0].n_blocks > 1)


def sentence(curve: LearningCurve, metric: str) -> str:
    """Say whether more rows would help."""
    _, half, whole = curve.points
    step = (
        f"from {half.n_rows:,} to {counted(whole.n_rows, 'row')} {metric} went from {measure.figure(half.score)} "
        f"to {measure.figure(whole.score)}"
    )
    if curve.verdict == "unclear":
        return f"It is unclear whether more rows would help: {step}, within chance."
    if curve.verdict == "flat":
        return f"More rows would hardly help: {step}."
    return f"More rows would help: {step}; twice as many may bring about {measure.figure(curve.next_gain)} more."


def _judged(points: tuple[LearningPoint, ...], scores: Sequence[Array], *, lead: float, holdout: bool) -> LearningCurve:
    quarter, half, whole = scores
    gain, before = float((whole - half).mean()), float((half - quarter).mean())
    error = resampled_error((whole - half).tolist(), holdout=holdout)
    rises = gain > CLEAR * error and gain > TRIFLE * lead
    is_open = gain + CLEAR * error > MATERIAL * lead
    # By a power law each doubling brings a fixed share of what the one before it brought.
    share = min(1.0, gain / before) if before > 0 else 1.0
    return LearningCurve(
        points=points,
        gain=gain,
        error=error,
        verdict="rises" if rises else "unclear" if is_open else "flat",
        next_gain=gain * share if rises else 0.0,
    )


def _nested(fold: Fold) -> tuple[Fold, Fold]:
    """Return the fold with a quarter, and with half of the rows to learn from; the quarter is in the half."""
    if fold.parts is None:
        raise InputError("learning curve: it is not known how the rows were cut")
    first, second = _quarters(fold.train, fold.parts)
    half = np.sort(np.concatenate([first, second]))
    return _with(fold, first), _with(fold, half)


def _with(fold: Fold, rows: Array) -> Fold:
    return Fold(fold.train.take(rows), fold.valid, fold.n_blocks, fold.parts)


def _quarters(examples: Examples, parts: Parts) -> tuple[Array, Array]:
    """Return the positions of two quarters of the rows, disjoint.

    Raises:
        InputError: there are too few rows or groups.
    """
    if parts.method == "time":
        rows = np.arange(len(examples.target))
        return rows[::QUARTERS], rows[QUARTERS // 2 :: QUARTERS]
    terms = msgspec.structs.replace(parts, n_folds=QUARTERS, seed=seeds.derive(parts.seed, "learning"))
    cuts = split.folds(examples.frame, terms, examples.task, schema=examples.schema)
    if len(cuts) < QUARTERS:
        raise InputError("learning curve: too few groups for quarters", hint="bring more groups")
    return cuts[0][1], cuts[1][1]
