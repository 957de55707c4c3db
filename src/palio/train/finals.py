"""Hold the final: choose among candidates and mixes of them, and pack the one that is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from palio import measure
from palio.core.errors import PalioError
from palio.core.records import Run
from palio.train import calibration, ensemble, failures, mixing, threshold
from palio.train.champion import Champion, Made
from palio.train.choice import choose
from palio.train.examples import Array
from palio.train.field import Field, Finalist
from palio.train.finalists import run_of, single, validation
from palio.train.last_fits import LastFits, differs
from palio.train.leading import STEADY, leads_by
from palio.train.lightening import lighter, precision_of
from palio.train.optimism import judged
from palio.train.race import HOPELESS_SHARE, Candidate
from palio.train.sureness import difference_error, score_error
from palio.train.work import line_of

N_CORRECTED = 3
"""Single finalists whose probabilities are corrected, if that helps: the best. Those of mixes are, too."""
LATE = "there was no time to fit most of it on all rows"
"""Why a mix gave way to a single one."""
PROBABILITY_METRICS = ("log_loss", "brier", "calibration_error")
"""Metrics of probabilities as such; the others look at their order, or at the class."""


@dataclass(frozen=True)
class Final:
    """Who won."""

    runs: tuple[Run, ...]
    chosen: str
    bundle: str
    reasons: tuple[str, ...]
    members: Mapping[int, float]
    """Number of each candidate that the winner is made of → its weight."""
    kept: tuple[int, ...]
    """Members that there was no time to fit on all rows."""
    candidates: Mapping[int, Candidate] = field(default_factory=dict)
    """All that competed, also those that were made of others for it."""


def hold(field: Field, candidates: Mapping[int, Candidate]) -> Final:
    """Choose among the best of each family and mixes, fit the one that is chosen on all rows, and pack it.

    A candidate whose graph does not agree with its library is out, and the next one is taken. A member whose last fit
    would break the budget stays as it learned from the rows of a fold.

    Raises:
        PalioError: every family that learns failed, or not even the constant answer could be packed; with the cause.
    """
    failed = failures.failures_of(candidates)
    if failures.nothing_learned(candidates):
        raise failures.all_failed(field, candidates, failed)
    candidates = {**candidates, **lighter(field, candidates)}
    found = _finalists(field, candidates)
    if not found:
        raise failures.all_failed(field, candidates, failed or {"": "none was tried"})
    by_run = {one.run.id: one for one in found}
    choice = choose(
        [one.run for one in found],
        sign=field.terms.sign,
        limits=field.limits,
        n_folds=field.n_folds,
        holdout=field.holdout,
        absent=[f"{name} failed: {reason}" for name, reason in failed.items()],
        by_rows=lambda one, other: difference_error(field, by_run[one], by_run[other]),
    )
    reasons = [*choice.reasons, *failures.told(field, failed, candidates)]
    apart = {one.family: p for one in candidates.values() for p in one.parity if not p.passed}
    fine = {one.family for one in candidates.values() if one.answers and all(p.passed for p in one.parity)}
    reasons += [
        f"{f'One trial of {name}' if name in fine else name} is out: {differs(parity)}"
        for name, parity in apart.items()
    ]
    ranking = sorted(found, key=lambda one: choice.ranking.index(one.run))
    if field.plan is not None:  # what was taken then, is taken again
        ranking.sort(key=lambda one: one.run.id != field.plan.chosen)  # type: ignore[union-attr]
    ranking, passed = _rather_fitted(field, candidates, ranking)
    made, finalist, out = _first_packed(field, candidates, [*ranking, *_last_resorts(field, candidates, ranking)])
    runs = {
        run.id: msgspec.structs.replace(run, cost=None) for run in (run_of(field, one) for one in candidates.values())
    }
    runs |= {one.run.id: one.run for one in found}
    if passed:
        runs |= {one.run.id: msgspec.structs.replace(one.run, reason=LATE) for one in found if one.run.members}
    runs[made.run.id] = made.run
    return Final(
        runs=tuple(sorted(runs.values(), key=lambda run: run.trial)),
        chosen=made.run.id,
        bundle=made.run.bundle or "",
        reasons=(
            *reasons,
            *_notes(candidates, finalist),
            *_told(made.run),
            *_doubt(field, made.run),
            *passed,
            *out,
            *made.reasons,
        ),
        members=finalist.weights,
        kept=made.kept,
        candidates=candidates,
    )


def _notes(candidates: Mapping[int, Candidate], finalist: Finalist) -> list[str]:
    """Say what the fits of the chosen one found out."""
    return list(dict.fromkeys(note for number in finalist.weights for note in candidates[number].notes))


def _last_resorts(field: Field, candidates: Mapping[int, Candidate], ranking: Sequence[Finalist]) -> Iterator[Finalist]:
    """Return what has a graph already, so that there is a model whatever the clock says; the constant answer last."""
    ready = [one for one in candidates.values() if one.graph and one.answers and not one.failed]
    sign = field.terms.sign
    for one in sorted(ready, key=lambda one: (one.family == "dummy", -sign * (one.mean() or 0.0), one.number)):
        if all(parity.passed for parity in one.parity):
            made = single(field, one, sorted(one.answers))
            if made.run.id not in {known.run.id for known in ranking}:
                yield made


def _told(run: Run) -> list[str]:
    """Say what the score of the chosen one is where rows did not choose it."""
    if not run.optimism:
        return []
    return [
        f"Judged on rows that did not choose it, {run.family} has {run.metric} {measure.figure(run.cv_score)}; the "
        f"rows that chose it promised {measure.figure(float(np.mean(run.fold_scores)))}."
    ]


def _doubt(field: Field, run: Run) -> list[str]:
    """Say so where a score flatters: the rows of the only fold told when to stop, and who is the best."""
    if field.holdout or len(run.fold_scores) > 1 or run.family == "dummy":
        return []
    return [
        f"Warning: there was time for one fold alone, and {run.family} was chosen by it: its score there may flatter. "
        "Trust the sealed test, or raise [train] budget_s."
    ]


def _first_packed(
    field: Field, candidates: Mapping[int, Candidate], ranking: Iterable[Finalist]
) -> tuple[Made, Finalist, list[str]]:
    """Pack the first of the ranking that can be, and say why those before it cannot."""
    reasons: list[str] = []
    last: Exception | None = None
    for finalist in ranking:
        try:
            made = Champion(field, candidates, judged(field, candidates, finalist)).pack()
            return made, finalist, reasons
        except Exception as error:  # noqa: BLE001 - the next one is taken
            last = error
            reasons.append(
                f"{finalist.run.family} is out: {line_of(error)}{'' if line_of(error).endswith('.') else '.'}"
            )
    raise last or PalioError("train: no candidate could be fitted", hint="raise [train] budget_s")


def _rather_fitted(
    field: Field, candidates: Mapping[int, Candidate], ranking: list[Finalist]
) -> tuple[list[Finalist], list[str]]:
    """Put the best single one first, and say so, where it can learn from all rows and most of a mix cannot."""
    best = ranking[0]
    if not best.run.members or LastFits(field, candidates, best).has_time():
        return ranking, []
    for one in ranking:
        if not one.run.members and one.run.family != "dummy" and LastFits(field, candidates, one).has_time():
            said = (
                f"There is no time to fit most of the {best.run.family} on all rows; {one.run.family} alone is taken, "
                "for which there is: more rows are usually worth more than a mix."
            )
            return [one, *(other for other in ranking if other is not one)], [said]
    return ranking, []


def _finalists(field: Field, candidates: Mapping[int, Candidate]) -> list[Finalist]:
    """Return the best of each family, and mixes; of those scored on all folds, where there are any that learn.

    Where there are none, all are compared on the folds that all of them were scored on.
    """
    fine = [one for one in candidates.values() if one.answers and not one.failed and all(p.passed for p in one.parity)]
    folds = tuple(range(field.in_use))
    whole = _defined_alike([one for one in fine if one.is_whole], folds)
    if _says_little(field, whole, fine):
        whole = fine
        folds = tuple(fold for fold in folds if all(fold in one.answers for one in fine))
    sign = field.terms.sign
    best: dict[tuple[str, str | None], Candidate] = {}
    for one in sorted(whole, key=lambda one: (-sign * (one.mean(folds) or 0.0), one.number)):
        best.setdefault((one.family, precision_of(one)), one)
    found = [single(field, one, folds) for one in best.values() if one.mean(folds) is not None]
    found.sort(key=lambda one: (-sign * (one.run.cv_score or 0.0), one.run.trial))
    mixes = mixing.mixes(
        field, [one for one in whole if one.is_whole and one.family != "dummy" and not precision_of(one)]
    )
    if field.terms.task.kind != "classification":
        return found + mixes
    first, others = [*found[:N_CORRECTED], *mixes], found[N_CORRECTED:]
    return [_decided(field, _corrected(field, one)) for one in first] + others


def _decided(field: Field, one: Finalist) -> Finalist:
    """Choose from which probability on the second of two classes is said, where something depends on it."""
    terms, seen, aim = field.terms, field.unseen(one.folds), field.how.aim(field.terms.metric)
    found = threshold.choose(one.answers, seen, task=terms.task, aim=aim, costs=field.how.costs)
    if found is None or one.run.family == "dummy":
        return one
    at, said = found
    blocks, ties = ensemble.score_blocks(one.answers, seen, task=terms.task, metrics=terms.metrics, said=said)
    scores = [score for score in blocks if not np.isnan(score)]
    if aim != "cost" and terms.sign * (float(np.mean(scores)) - (one.run.cv_score or 0.0)) <= 0:
        return one
    return dataclasses.replace(one, threshold=at, run=_rescored(field, one, scores, ties, said, threshold=at))


def _rescored(
    field: Field, one: Finalist, scores: Sequence[float], ties: Sequence[float], said: Array | None, **changes: Any
) -> Run:
    """Return the run of a finalist with other scores on the same folds."""
    return msgspec.structs.replace(
        one.run,
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)),
        cv_error=score_error(field, scores, rows=one.rows, answers=one.answers, said=said),
        tie_break=float(np.mean(ties)) if np.isfinite(ties).all() else None,
        validation=validation(field, one.rows, one.answers, said),
        **changes,
    )


def _corrected(field: Field, one: Finalist) -> Finalist:
    """Correct the probabilities of a finalist where that makes their log loss smaller, and its metric no worse."""
    terms, seen = field.terms, field.unseen(one.folds)
    is_rank = terms.metric not in PROBABILITY_METRICS
    how, answers = calibration.correct(one.answers, seen, keeps_order=is_rank)
    if how.kind == "none" or one.run.family == "dummy":
        return one
    blocks, ties = ensemble.score_blocks(answers, seen, task=terms.task, metrics=terms.metrics)
    scores = [score for score in blocks if not np.isnan(score)]
    if terms.sign * (float(np.mean(scores)) - (one.run.cv_score or 0.0)) < 0:
        return one
    better = dataclasses.replace(one, answers=answers, calibration=how)
    return dataclasses.replace(better, run=_rescored(field, better, scores, ties, None, calibration=how))


def _says_little(field: Field, whole: Sequence[Candidate], fine: Sequence[Candidate]) -> bool:
    """Tell whether those that were scored on all folds are not those that promise most.

    Who leads on the first fold alone may do so by the luck of a few rows: where its rows do not tell the two apart, who
    was scored on all folds stands, unless boosted trees lead and are not among those.
    """
    learners = [one for one in fine if one.family != "dummy"]
    rivals = [one for one in whole if one.family != "dummy"]
    if not rivals or not learners:
        return True
    sign = field.terms.sign

    def first(one: Candidate) -> float:
        return sign * (one.mean((0,)) or 0.0)

    best, rival = max(learners, key=first), max(rivals, key=first)
    lead = first(best) - first(rival)
    if not lead > 0:
        return False
    if 0 in best.answers and 0 in rival.answers:
        clear = leads_by(field, best, rival, (0,))
        if clear is not None:
            is_plain = best.family in STEADY and not any(one.family in STEADY for one in rivals)
            return clear > 1.0 or is_plain
    dummies = [one for one in fine if one.family == "dummy" and one.mean((0,)) is not None]
    gain = first(best) - max(map(first, dummies)) if dummies else 0.0
    return lead > HOPELESS_SHARE * max(gain, 0.0)


def _defined_alike(candidates: Sequence[Candidate], folds: Sequence[int]) -> list[Candidate]:
    """Keep the candidates whose metric is defined wherever it is for any: means over other folds are no comparison."""
    places = {one.number: one.defined(folds) for one in candidates}
    most = max(map(len, places.values()), default=0)
    return [one for one in candidates if len(places[one.number]) == most]
