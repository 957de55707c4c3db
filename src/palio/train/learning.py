"""Draw the learning curve of the chosen candidate: would more rows help?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from palio import measure, split
from palio.core import seeds
from palio.core.errors import InputError
from palio.core.records import LearningCurve, LearningPoint, Parts
from palio.core.words import counted
from palio.train.choice import FEWEST_SCORES, resampled_error
from palio.train.examples import Array, Examples
from palio.train.field import Field
from palio.train.finals import Final
from palio.train.orders import Order, Outcome
from palio.train.race import Candidate

PARTS = ("quarter", "half", "learn")
SHARE_OF_A_TRIAL = 0.75
"""What the two shorter fits cost beside the whole one."""
QUARTERS = 4
CLEAR = 2.0
"""Standard errors that a gain must have to be no chance."""
TRIFLE = 0.005
"""A gain that is a smaller share than this of all that the candidate gains over the constant answer is a trifle."""
MATERIAL = 0.05
"""Where a gain of this share of it is not ruled out, it is unclear whether more rows would help."""
LEAST_ROWS = 100
"""A quarter of fewer rows than this says nothing of the whole."""


def draw(field: Field, candidates: Mapping[int, Candidate], final: Final) -> LearningCurve | None:
    """Fit a candidate's settings on a quarter and on half of the rows of each fold, and score them on the same rows.

    Of a mix the heaviest member stands for all. Costs about as much as the candidate itself; nothing is begun that
    would break the budget.

    Returns:
        The curve; None if there is no time, too few rows, folds or groups, or nothing to learn (the dummy).

    Source: Cortes, Jackel, Solla, Vapnik and Denker 1993, NeurIPS 6 (learning curves follow a power law).
    """
    one = candidates[max(final.members, key=lambda number: (final.members[number], -number))]
    wanted = range(min(field.n_folds, field.in_use))
    folds = tuple(fold for fold in wanted if f"quarter {fold}" in field.lesson.rows and fold in one.scores)
    if one.family == "dummy" or not one.is_whole or len(folds) < len(wanted):
        return None
    sizes = [np.mean([len(field.lesson.rows[f"{part} {fold}"]) for fold in folds]) for part in PARTS]
    if sizes[0] < LEAST_ROWS or len(folds) * field.n_blocks < FEWEST_SCORES:
        return None  # two scores tell no error of what was gained
    expected = one.fit_s * len(folds) * SHARE_OF_A_TRIAL
    if field.clock is not None and time.monotonic() + expected > field.clock.end:
        return None
    found = _fitted_on_parts(field, one, folds)
    if found is None:
        return None
    scores = [*found, tuple(score for fold in folds for score in one.scores[fold])]
    if any(not np.isfinite(row).all() for row in scores):
        return None
    points = tuple(
        LearningPoint(n_rows=round(float(size)), score=float(np.mean(row)), error=_finite(row, field))
        for size, row in zip(sizes, scores, strict=True)
    )
    dummy = next((each for each in candidates.values() if each.family == "dummy" and each.scores), None)
    simplest = points[-1].score if dummy is None else float(dummy.mean() or 0.0)
    signed = [field.terms.sign * np.asarray(row) for row in scores]
    return _judged(points, signed, lead=abs(points[-1].score - simplest), holdout=field.holdout)


def _fitted_on_parts(field: Field, one: Candidate, folds: tuple[int, ...]) -> list[tuple[float, ...]] | None:
    """Return the scores of the folds, learned from a quarter and from half of their rows; None if there is no time."""
    family = field.families[one.family]
    left = None if field.clock is None else field.clock.end - time.monotonic()
    waiting = [
        Order(
            number=number,
            family=one.family,
            params=family.grow(one.params | ({family.rounds: one.rounds} if one.rounds else {}), share),
            seed=one.seed,
            folds=folds,
            rows=part,
            metrics=field.terms.metrics,
            n_blocks=field.n_blocks,
        )
        for number, (part, share) in enumerate((("quarter", 0.25), ("half", 0.5)))
    ]
    n_wanted = len(waiting)
    found: dict[int, Outcome] = {}
    while len(found) < n_wanted:
        while waiting and field.engine.n_free:
            field.engine.submit(waiting.pop(0), kill_after_s=left)
        for outcome in field.engine.wait(1.0):
            if outcome.status != "done":
                return None
            found[outcome.number] = outcome
    return [found[number].scores for number in range(n_wanted)]


def _finite(scores: Sequence[float], field: Field) -> float | None:
    error = resampled_error(scores, n_folds=field.n_folds, holdout=field.holdout)
    return error if np.isfinite(error) else None


def nested(examples: Examples, learned: Array, parts: Parts) -> tuple[Array, Array] | None:
    """Return the positions of a quarter, and of half of the rows that a fold learns from; the quarter is in the half.

    Cut as the parts were: stratified, groups whole; by time rows are taken from the whole stretch. None if there are
    too few rows or groups.
    """
    if len(learned) < QUARTERS * LEAST_ROWS:
        return None
    try:
        first, second = _quarters(examples.take(learned), parts)
    except InputError:
        return None
    return learned[first], learned[np.sort(np.concatenate([first, second]))]


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
