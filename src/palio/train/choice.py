"""Choose among the finalists: quality first, within what the hardware allows; simplicity where it costs nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from palio import measure
from palio.core.records import Cost, Run
from palio.core.words import counted, listed
from palio.train.ensemble import MIX, PRUNED, STACK

Prefer = Literal["best", "simple"]
ByRows = Callable[[str, str], float]
"""Identities of two runs → the standard error of the difference of their scores."""
FREE = 0.1
"""Standard errors that a simpler candidate may be behind the best and still be taken."""
NOTHING = 0.5
"""Standard errors by which a learner must be ahead of the constant answer. With a whole one, three in ten that knew a
tenth of what differs were given up on 150 rows; pure noise passes half of one in two to three of ten (LOG.md)."""
FEW_SCORES = 5
"""Of fewer scores the spread says little: rows tell how sure a difference is, where they can."""
AS_NEAR = 1.25
"""Candidates that miss the limits by shares that differ by less than this factor come equally near to them."""
FEWEST_SCORES = 3
"""Two scores, or differences, agree to a tenth of how far they usually are apart in one case of twelve: they tell no
error. Three do in one of a hundred."""
SAME_SIZE = 2.0
"""Candidates whose numbers of parameters differ by less than this factor count as equally simple."""


@dataclass(frozen=True)
class Limits:
    """What the target hardware allows; None: anything."""

    latency_ms_p99: float | None = None
    """Milliseconds that 99 of 100 single rows may take; only a time that is clearly over it breaks it."""
    size_mb: float | None = None
    """Megabytes that the graph may have."""
    prefer: Prefer = "best"
    """`simple`: the simplest candidate within one standard error of the best is taken."""

    def facts(self) -> list[Any]:
        """Return what the choice depends on."""
        return [self.latency_ms_p99, self.size_mb, self.prefer]


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Choice:
    """The finalists in the order in which they are to be taken, and why."""

    ranking: tuple[Run, ...]
    reasons: tuple[str, ...]
    """One sentence each."""


def resampled_error(scores: Sequence[float], *, n_folds: int | None = None, holdout: bool = False) -> float:
    """Return the standard error of the mean of fold scores, or of their differences between two candidates.

    Scores of folds are not independent: any two fits share most of their rows. Their variance is corrected by the share
    of test to training rows; blocks of one holdout need no correction, since there is one fit.

    Args:
        scores: One for each fold, shape (n_scores,).
        n_folds: Folds that the rows were cut into; as many as there are scores if None.
        holdout: The scores are of blocks of one holdout.

    Returns:
        A number ≥ 0; infinite for fewer than three scores: two agree by luck.

    Example:
        >>> round(resampled_error([0.7, 0.8, 0.9]), 4), round(resampled_error([0.7, 0.8, 0.9], holdout=True), 4)
        (0.0913, 0.0577)

    Source: Nadeau and Bengio 2003, Machine Learning 52(3), equation 9.
    """
    n = len(scores)
    if n < FEWEST_SCORES:
        return math.inf
    overlap = 0.0 if holdout else 1.0 / (max(2, n_folds or n) - 1)
    return float(np.std(scores, ddof=1) * math.sqrt(1.0 / n + overlap))


def paired_error(
    first: Sequence[float], second: Sequence[float], *, n_folds: int | None = None, holdout: bool = False
) -> float:
    """Return the standard error of the mean difference between two candidates' scores on the same folds.

    Args:
        first: Fold scores, shape (n_folds,).
        second: The other's on the same folds.
        n_folds: Folds of one cross-validation, where it was repeated.
        holdout: The scores are of blocks of one holdout.

    Returns:
        As `resampled_error`.

    Example:
        >>> round(paired_error([0.8, 0.9, 0.7], [0.7, 0.8, 0.6]), 6), paired_error([0.8, 0.9], [0.7, 0.8])
        (0.0, inf)
    """
    n = min(len(first), len(second))
    differences = np.asarray(first[:n]) - np.asarray(second[:n])
    return resampled_error(differences.tolist(), n_folds=n_folds, holdout=holdout)


def choose(
    finalists: Sequence[Run],
    *,
    sign: float,
    limits: Limits = NO_LIMITS,
    n_folds: int | None = None,
    holdout: bool = False,
    absent: Sequence[str] = (),
    by_rows: ByRows | None = None,
) -> Choice:
    """Rank the finalists.

    First come those that meet the limits, by score. A mix must be better than the best single one by more than the
    noise of their difference, a stacked one better than greedy weights, too. A simpler candidate, or a mix of fewer
    members, is taken before the best one if that costs less than a tenth of the standard error of their difference;
    with `prefer = "simple"`, less than one. The constant answer is, if that costs less than half of one; a learner that
    is ahead of it by no more than one is told to be in doubt. If none (but the dummy) meets the limits, those that come
    nearest to them go first, and a sentence warns of it.

    Args:
        finalists: Runs with `cv_score`, `n_parameters` and `cost`; at least one.
        sign: 1 if more of the metric is better, else -1.
        limits: What the hardware allows, and what is preferred.
        n_folds: Folds of one cross-validation, where it was repeated.
        holdout: Scores are of blocks of one holdout.
        absent: Why other families are not among the finalists, one clause each.
        by_rows: Gives the standard error of the difference of two runs' scores by the rows that they answered; asked
            where there are fewer than five scores of each.

    Source: Breiman, Friedman, Olshen and Stone 1984, Classification and Regression Trees, section 3.4.3 (one standard
    error).
    """
    feasible = [run for run in finalists if not breach(run.cost, limits)]
    reasons = [f"{run.family} is out: {breach(run.cost, limits)}." for run in finalists if run not in feasible]
    reasons += [
        f"{run.family} is in: {_at_limit(run.cost, limits)}." for run in feasible if _at_limit(run.cost, limits)
    ]
    if not [run for run in feasible if run.family != "dummy"]:
        real = [run for run in finalists if run.family != "dummy"]
        if real:
            nearest = _nearest(real, limits, sign=sign)
            reasons.append(
                f"Warning: no model meets the limits; {nearest[0].family} comes nearest and is taken nevertheless. "
                f"{_remedy(nearest[0].cost, limits)}"
            )
            rest = [run for run in finalists if run.family == "dummy"]
            return Choice((*nearest, *rest), tuple(reasons))
        feasible = list(finalists)
    errors = _Errors(n_folds, holdout, by_rows)
    by_score = sorted(feasible, key=lambda run: (-sign * _score(run), run.trial))
    mixes = [run for run in by_score if run.members]
    single = next((run for run in by_score if not run.members), None)
    best = by_score[0]
    for best in by_score:
        unclear = _plainer_as_good(best, by_score, errors, sign=sign)
        if unclear is None:
            break
        reasons.append(_mix_is_noise(best, unclear, errors, sign=sign))
    called = f"{best.metric} on the validation part" if holdout else f"cross-validated {best.metric}"
    reasons.insert(0, f"{best.family} has the best {called}: {_with_error(best)}.")
    if best.members:
        reasons.insert(1, _made_of(best))
        if single is not None:
            gain = sign * (_score(best) - _score(single))
            reasons.insert(2, f"It is {measure.figure(gain)} better than the best single one, {single.family}.")
    within = 1.0 if limits.prefer == "simple" else FREE
    taken = _leanest(mixes, best, errors, sign=sign, within=within) if best.members else None
    taken = taken or _simplest(by_score, best, errors, sign=sign, within=within)
    if taken is not best:
        reasons.append(_why_simpler(taken, best, errors, sign=sign))
    if taken.family == "dummy":
        reasons.append(_only_constant(finalists, taken, absent))
    reasons += _in_doubt(by_score, taken, errors, sign=sign)
    ranking = [taken, *(run for run in by_score if run is not taken and run not in mixes)]
    ranking += [run for run in mixes if run is not taken]
    ranking += sorted((run for run in finalists if run not in feasible), key=lambda run: _excess(run.cost, limits))
    return Choice(tuple(ranking), tuple(reasons))


@dataclass(frozen=True)
class _Errors:
    """How sure the difference of two runs is."""

    n_folds: int | None
    holdout: bool
    by_rows: ByRows | None

    def of(self, first: Run, second: Run) -> float:
        """Return the standard error of the difference of their scores."""
        if self.by_rows is not None and min(len(first.fold_scores), len(second.fold_scores)) < FEW_SCORES:
            return self.by_rows(first.id, second.id)
        return paired_error(first.fold_scores, second.fold_scores, n_folds=self.n_folds, holdout=self.holdout)

    def is_clear(self, better: Run, other: Run, *, sign: float) -> bool:
        """Tell whether one is better by more than a standard error; what cannot be told is not clear."""
        error = self.of(better, other)
        return math.isfinite(error) and sign * (_score(better) - _score(other)) > error


def _simplest(by_score: Sequence[Run], best: Run, errors: _Errors, *, sign: float, within: float) -> Run:
    """Return the simplest run that is behind the best by no more than `within` standard errors of the difference."""
    equal = [best]
    for run in by_score:
        behind = sign * (_score(best) - _score(run))
        error = errors.of(best, run)
        # what is hardly better than the constant answer has learned nothing that can be told
        most = max(NOTHING, within) if run.family == "dummy" else within
        if run is not best and not run.members and (behind <= 0 or (math.isfinite(error) and behind <= most * error)):
            equal.append(run)
    fewest = min(run.n_parameters or 0 for run in equal)
    if SAME_SIZE * fewest >= (best.n_parameters or 0):
        return best
    simple = [run for run in equal if (run.n_parameters or 0) <= SAME_SIZE * fewest]
    return max(simple, key=lambda run: (-math.inf if run.tie_break is None else run.tie_break, -by_score.index(run)))


def _plainer_as_good(mix: Run, by_score: Sequence[Run], errors: _Errors, *, sign: float) -> Run | None:
    """Return what a mix is not clearly better than, though it is plainer: the best single run, the mix of a stack."""
    if not mix.members:
        return None
    plainer = [next((run for run in by_score if not run.members), None)]
    if mix.family == STACK:
        plainer.append(next((run for run in by_score if run.family == MIX), None))
    return next((run for run in plainer if run is not None and not errors.is_clear(mix, run, sign=sign)), None)


def _leanest(mixes: Sequence[Run], best: Run, errors: _Errors, *, sign: float, within: float) -> Run | None:
    """Return the mix of the fewest members that is behind the best by no more than `within` standard errors."""
    lean = [run for run in mixes if len(run.members) < len(best.members)]
    near = [run for run in lean if sign * (_score(best) - _score(run)) <= within * errors.of(best, run)]
    known = [run for run in near if math.isfinite(errors.of(best, run))]
    return min(known, key=lambda run: len(run.members), default=None)


def _made_of(mix: Run) -> str:
    total = sum(one.weight for one in mix.members) or 1.0
    shares = listed(f"{one.family} ({100 * one.weight / total:.0f} %)" for one in mix.members)
    return f"It {'stacks' if mix.family == STACK else 'mixes'} {shares}."


def _mix_is_noise(mix: Run, other: Run, errors: _Errors, *, sign: float) -> str:
    gain, error = sign * (_score(mix) - _score(other)), errors.of(mix, other)
    called = {STACK: "stacked mix", PRUNED: "pruned mix"}.get(mix.family, "mix")
    rival = "greedy weights" if other.members else f"{other.family} alone"
    return (
        f"The {called} of {counted(len(mix.members), 'candidate')} is {measure.figure(gain)} better than {rival}, "
        f"which is within chance ({measure.figure(error)}): it is not taken."
    )


def _why_simpler(taken: Run, best: Run, errors: _Errors, *, sign: float) -> str:
    behind = sign * (_score(best) - _score(taken))
    error = errors.of(best, taken)
    known = f"{measure.figure(max(0.0, behind))} behind, where the difference is known to {measure.figure(error)},"
    return (
        f"{taken.family} is taken: it is {known if math.isfinite(error) else 'as good,'} and simpler, with "
        f"{taken.n_parameters:,} against {best.n_parameters:,} parameters."
    )


def _in_doubt(by_score: Sequence[Run], taken: Run, errors: _Errors, *, sign: float) -> list[str]:
    """Say so if what is taken may know no more than the constant answer."""
    dummy = next((run for run in by_score if run.family == "dummy"), None)
    error = math.inf if dummy is None else errors.of(taken, dummy)
    if dummy is None or taken is dummy or not math.isfinite(error) or errors.is_clear(taken, dummy, sign=sign):
        return []
    ahead = sign * (_score(taken) - _score(dummy))
    return [
        f"Warning: {taken.family} is {measure.figure(ahead)} better than the constant answer, which may be chance "
        f"({measure.figure(error)}): the sealed test has to tell."
    ]


def _only_constant(finalists: Sequence[Run], dummy: Run, absent: Sequence[str]) -> str:
    """Say what was tried beside the constant answer, and how it compares; the data is blamed only if others learned."""
    real = [run for run in finalists if run.family != "dummy"]
    if not real:
        why = "; ".join(absent) or "no other family was tried"
        return f"Warning: only the constant answer could be scored: {why}."
    scores = listed(f"{run.family} {_with_error(run)}" for run in real)
    may_be = "the features may say nothing of it"
    if dummy.metric == "rmse":
        may_be += ', or a few extreme values decide: try [train] metric = "mae"'
    return (
        f"Warning: no family learned more than the constant answer beyond chance: {dummy.metric} {scores} against "
        f"{measure.figure(dummy.cv_score)}; {may_be}."
    )


def _with_error(run: Run) -> str:
    return measure.figure(run.cv_score) if run.cv_score is None else measure.with_error(run.cv_score, run.cv_error)


def _remedy(cost: Cost | None, limits: Limits) -> str:
    """Name the limits that are broken, and what helps."""
    helps = []
    if (
        cost
        and limits.latency_ms_p99 is not None
        and measure.is_clearly_over(cost.latency_ms_p99, limits.latency_ms_p99)
    ):
        helps.append("raise latency_ms_p99 under [limits] or use faster hardware")
    if cost and limits.size_mb is not None and cost.size_mb > limits.size_mb:
        helps.append("raise size_mb under [limits]")
    return f"{', and '.join(helps)}.".capitalize() if helps else "Raise [limits]."


def _score(run: Run) -> float:
    return -math.inf if run.cv_score is None else run.cv_score


def _nearest(runs: Sequence[Run], limits: Limits, *, sign: float) -> list[Run]:
    """Order runs that break the limits: those that come about as near as the nearest by score, the others after."""
    least = min(_excess(run.cost, limits) for run in runs)

    def order(run: Run) -> tuple[float, float, int]:
        excess = _excess(run.cost, limits)
        return (0.0, -sign * _score(run), run.trial) if excess <= AS_NEAR * least else (excess, 0.0, run.trial)

    return sorted(runs, key=order)


def _excess(cost: Cost | None, limits: Limits) -> float:
    """Return the larger ratio of cost to what still passes; at most 1 if all limits are met."""
    if cost is None:
        return 0.0
    slowest = None if limits.latency_ms_p99 is None else limits.latency_ms_p99 * (1.0 + measure.TIMING_MARGIN)
    latency = 0.0 if slowest is None else cost.latency_ms_p99 / slowest
    size = 0.0 if limits.size_mb is None else cost.size_mb / limits.size_mb
    return max(latency, size)


def breach(cost: Cost | None, limits: Limits) -> str:
    """Say which limits a cost breaks; nothing if it breaks none."""
    words = []
    limit = limits.latency_ms_p99
    if cost and limit is not None and measure.is_clearly_over(cost.latency_ms_p99, limit):
        words.append(f"{cost.latency_ms_p99:.3g} ms at p99 is more than the limit of {limit:g} ms")
    if cost and limits.size_mb is not None and cost.size_mb > limits.size_mb:
        words.append(f"{cost.size_mb:.3g} MB is more than the limit of {limits.size_mb:g} MB")
    return " and ".join(words)


def _at_limit(cost: Cost | None, limits: Limits) -> str:
    """Say so if only the margin of timing keeps a candidate within the limit."""
    limit = limits.latency_ms_p99
    if cost is None or limit is None or not limit < cost.latency_ms_p99 <= limit * (1.0 + measure.TIMING_MARGIN):
        return ""
    return (
        f"{cost.latency_ms_p99:.3g} ms at p99 is not clearly more than the limit of {limit:g} ms, since timings differ "
        f"by {100 * measure.TIMING_MARGIN:g} %"
    )
