"""Say of the chosen candidate what rows say that did not choose it: the best of many is flattered by its own score."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from palio.core import seeds
from palio.core.records import Task
from palio.train.ensemble import Unseen
from palio.train.examples import Array
from palio.train.field import Field, Finalist
from palio.train.race import Candidate
from palio.train.work import score_numbers

MOST_DRAWS, FEWEST_DRAWS = 40, 10
MAX_ANSWERS, MAX_SCORES = 4_000_000, 4_000
"""Answers that are scored in all draws, and how often, at most: half a second."""
MAX_RIVALS = 12
"""Candidates that might as well have won: the best."""
MAX_ROWS = 50_000
"""So many rows tell candidates apart: what chance adds to the best of them is too little to be worth the time."""


def judged(field: Field, candidates: Mapping[int, Candidate], finalist: Finalist) -> Finalist:
    """Return the finalist with a score that the choice did not flatter; `optimism` is what was taken off.

    Where the first fold alone decided who got the others, it is left out. What chance added to the best of those that
    were compared on the folds that remain is estimated and taken off.
    """
    run, folds = finalist.run, finalist.folds
    if run.family == "dummy" or not run.fold_scores or not folds:
        return finalist
    learners = [one for one in candidates.values() if one.scores and one.family != "dummy"]
    n_first = len(candidates[next(iter(finalist.weights))].defined(folds[:1]))
    is_screened = len(folds) > 1 and any(len(one.scores) < len(folds) for one in learners)
    apart = run.fold_scores[n_first:] if is_screened else run.fold_scores
    if not apart:
        return finalist
    kept = folds[1:] if is_screened else folds
    first = len(field.lesson.rows[f"score {folds[0]}"]) if is_screened else 0
    rivals = [
        np.concatenate([one.answers[fold] for fold in kept])
        for one in learners
        if one.number not in finalist.weights and all(fold in one.answers for fold in kept)
    ]
    taken = optimism(
        finalist.answers[first:],
        rivals,
        field.unseen(kept),
        task=field.terms.task,
        metric=run.metric,
        sign=field.terms.sign,
        seed=seeds.derive(field.terms.seed, "optimism"),
    )
    said = float(np.mean(apart)) - field.terms.sign * taken
    error = None if run.cv_error is None else run.cv_error * math.sqrt(len(folds) / len(kept))
    less = field.terms.sign * (float(np.mean(run.fold_scores)) - said)
    return dataclasses.replace(finalist, run=msgspec.structs.replace(run, cv_score=said, cv_error=error, optimism=less))


def optimism(
    chosen: Array, rivals: Sequence[Array], unseen: Unseen, *, task: Task, metric: str, sign: float, seed: int
) -> float:
    """Estimate how much better the best of many looks on the rows that chose it than on others.

    Rows are drawn with replacement; who wins on those drawn is held against the chosen one on the rows that were not.
    Rivals with a better score than the chosen one were passed over for other reasons and do not count.

    Args:
        chosen: Its answers on the rows of `unseen`, shape (n, n_classes) or (n, 1).
        rivals: Those of the others.
        unseen: The rows.
        task: What is predicted.
        metric: By which they were compared.
        sign: 1 if more of it is better, else -1.
        seed: Of the draws.

    Returns:
        A number ≥ 0 in the units of the metric.

    Source: Tsamardinos, Greasidou and Borboudakis 2018, Machine Learning 107 (bootstrap bias-corrected
    cross-validation), on paired differences.
    """
    groups = unseen.groups()
    _, row = np.unique(unseen.rows, return_inverse=True)
    n_rows = int(row.max()) + 1 if len(row) else 0
    if not rivals or not 1 < n_rows <= MAX_ROWS:
        return 0.0

    def score(answers: Array, times: Array) -> float:
        """Score answers to rows that count so many times; the mean of the groups where the metric is defined."""
        found = []
        for places in groups:
            some = np.repeat(places, times[row[places]])
            if len(some) > 1:
                found.append(score_numbers(task, unseen.truth[some], answers[some], names=(metric,)).get(metric))
        known = [one for one in found if one is not None and np.isfinite(one)]
        return sign * float(np.mean(known)) if known else math.nan

    once = np.ones(n_rows, dtype=np.int64)
    own = score(chosen, once)
    scored = sorted(((score(one, once), -place) for place, one in enumerate(rivals)), reverse=True)
    field = [chosen, *(rivals[-place] for value, place in scored if value <= own)][:MAX_RIVALS]
    most = min(MAX_ANSWERS // (len(row) * len(field)), MAX_SCORES // (len(groups) * len(field)))
    n_draws = int(np.clip(most, FEWEST_DRAWS, MOST_DRAWS))
    dice = np.random.default_rng(seed)
    lost = []
    for _ in range(n_draws):
        times = np.bincount(dice.integers(0, n_rows, n_rows), minlength=n_rows)
        drawn = [score(one, times) for one in field]
        winner = int(np.nanargmax(drawn)) if np.isfinite(drawn).any() else 0
        left = (times == 0).astype(np.int64)
        lost.append(score(chosen, left) - score(field[winner], left) if winner else 0.0)
    known = [one for one in lost if np.isfinite(one)]
    return max(0.0, float(np.mean(known))) if known else 0.0
