"""Make records and finalists of candidates."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from palio.core import ids
from palio.core.records import Run
from palio.core.words import counted
from palio.train.choice import resampled_error
from palio.train.examples import Array
from palio.train.explaining import criteria_of
from palio.train.field import Field, Finalist
from palio.train.last_fits import params_of
from palio.train.race import Candidate
from palio.train.sureness import score_error
from palio.train.trial import UNDEFINED
from palio.train.work import score_numbers


def run_of(field: Field, one: Candidate, folds: Sequence[int] | None = None) -> Run:
    """Say as a record what is known of a candidate, on all folds that it was scored on or on some of them."""
    terms, family = field.terms, field.families[one.family]
    folds = sorted(one.scores) if folds is None else folds
    scores = [score for fold in folds for score in one.scores[fold] if not np.isnan(score)]
    ties = [tie for fold in folds for tie in one.ties[fold]]
    error = None
    if scores and one.is_whole and all(fold in one.answers for fold in folds):
        rows = np.concatenate([field.lesson.rows[f"score {fold}"] for fold in folds])
        error = score_error(field, scores, rows=rows, answers=np.concatenate([one.answers[fold] for fold in folds]))
    elif np.isfinite(spread := resampled_error(scores, n_folds=field.n_folds, holdout=field.holdout)):
        error = spread
    status, reason = "done", ""
    if one.failed or not scores:
        status, reason = "failed", one.reason or UNDEFINED
    elif not one.is_whole:
        status = "pruned"
        reason = one.reason or f"others promised more after {counted(len(one.scores), 'fold')}"
    run = Run(
        id=ids.digest_of({"inputs": terms.inputs, "family": one.family, "trial": one.number, "params": one.asked}),
        parts=terms.parts,
        family=one.family,
        trial=one.number,
        params=params_of(family, one),
        seed=one.seed,
        metric=terms.metric,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)) if scores else None,
        cv_error=error,
        tie_break=float(np.mean(ties)) if ties and np.isfinite(ties).all() else None,
        n_parameters=one.n_parameters if scores else None,
        fit_s=round(one.seconds, 3),
        train=one.seen,
        course=one.course,
        cost=None if one.cost is None else msgspec.structs.replace(one.cost, fit_s=round(one.fit_s, 3)),
    )
    return msgspec.structs.replace(run, criteria=criteria_of(run, round(field.n_rows / field.growth)))


def single(field: Field, one: Candidate, folds: Sequence[int]) -> Finalist:
    """Make a finalist of one candidate, scored on some folds."""
    rows = np.concatenate([field.lesson.rows[f"score {fold}"] for fold in folds])
    answers = np.concatenate([one.answers[fold] for fold in folds]).astype(np.float64)
    run = msgspec.structs.replace(
        run_of(field, one, folds), validation=validation(field, rows, answers), status="done", reason=""
    )
    return Finalist(run, {one.number: 1.0}, answers, rows, tuple(folds))


def validation(field: Field, rows: Array, answers: Array, said: Array | None = None) -> dict[str, float]:
    """Score answers on the rows of the validation part; the fits that gave them had not seen those."""
    here = rows >= field.n_train
    if not here.any():
        return {}
    said = None if said is None else said[here]
    return score_numbers(field.terms.task, field.lesson.examples.target[rows[here]], answers[here], said=said)
