"""Keep what came of each step, so that a search that was killed goes on where it was, and ends the same."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from palio.core import ids
from palio.core.errors import ConflictError, NotFoundError
from palio.core.records import Cost, Course, Parity
from palio.core.records.base import Record
from palio.train.orders import Outcome
from palio.train.race import Candidate, Step
from palio.train.terms import Terms

if TYPE_CHECKING:
    from palio.store import Store

MAX_KEPT, FEWEST_KEPT = 24, 6
"""Candidates whose answers are kept, at most and at least."""
KEPT_BYTES = 400_000_000
"""What their answers may take in memory."""


class Trial(Record, frozen=True, kw_only=True):
    """What came of one step of a search."""

    id: str
    status: Literal["done", "failed", "late", "killed"]
    reason: str
    params: dict[str, Any]
    rounds: int
    scores: tuple[float | None, ...]
    ties: tuple[float | None, ...]
    lengths: tuple[int, ...]
    is_short: bool
    n_parameters: int
    seconds: float
    besides_s: float = 0.0
    cost: Cost | None
    parity: tuple[Parity, ...]
    seen: dict[str, float]
    notes: tuple[str, ...] = ()
    course: Course | None = None
    arrays: str
    """Blob of answers, curves and graph."""


def trial_id(terms: Terms, step: Step, *, budget_s: float | None = None) -> str:
    """Name a step by everything that its outcome depends on; by the budget, too, where it had too little time."""
    what = {"family": step.family, "trial": step.number, "params": step.params, "folds": step.folds}
    return ids.digest_of({"inputs": terms.inputs, "budget_s": budget_s} | what)


def keep(store: Store, terms: Terms, step: Step, outcome: Outcome, *, budget_s: float) -> None:
    """Save what came of a step: for every search on these terms, or for those of this budget if it was too small."""
    is_short = outcome.is_short or outcome.status in ("late", "killed")
    trial = Trial(
        id=trial_id(terms, step, budget_s=budget_s if is_short else None),
        status=outcome.status,
        reason=outcome.reason,
        params=outcome.params,
        rounds=outcome.rounds,
        scores=tuple(None if np.isnan(one) else one for one in outcome.scores),
        ties=tuple(None if np.isnan(one) else one for one in outcome.ties),
        lengths=outcome.lengths,
        is_short=outcome.is_short,
        n_parameters=outcome.n_parameters,
        seconds=outcome.seconds,
        besides_s=outcome.besides_s,
        cost=outcome.cost,
        parity=outcome.parity,
        seen=outcome.seen,
        notes=outcome.notes,
        course=outcome.course,
        arrays=_put_arrays(store, outcome) if outcome.answers else "",
    )
    try:
        store.records.put(trial, key=trial.id)
    except ConflictError:  # another process was faster; it found the same
        return


def recall(store: Store, terms: Terms, step: Step, *, budget_s: float) -> Outcome | None:
    """Return what came of a step in an earlier run; None if it was not taken, or with another budget and too short."""
    trial = store.records.get(Trial, trial_id(terms, step, budget_s=budget_s))
    trial = trial or store.records.get(Trial, trial_id(terms, step))
    if trial is None:
        return None
    found: dict[str, Any] = {}
    if trial.arrays:
        try:
            found = _get_arrays(store, trial.arrays)
        except NotFoundError:
            return None
    return Outcome(
        number=step.number,
        status=trial.status,
        reason=trial.reason,
        params=trial.params,
        rounds=trial.rounds,
        scores=tuple(np.nan if one is None else one for one in trial.scores),
        ties=tuple(np.nan if one is None else one for one in trial.ties),
        lengths=trial.lengths,
        is_short=trial.is_short,
        n_parameters=trial.n_parameters,
        seconds=trial.seconds,
        besides_s=trial.besides_s,
        cost=trial.cost,
        parity=trial.parity,
        seen=trial.seen,
        notes=trial.notes,
        course=trial.course,
        **found,
    )


def _put_arrays(store: Store, outcome: Outcome) -> str:
    file = io.BytesIO()
    arrays = {f"answers {k}": one for k, one in enumerate(outcome.answers)}
    arrays |= {f"curve {k}": one for k, one in enumerate(outcome.curves)}
    np.savez(file, allow_pickle=False, graph=np.frombuffer(outcome.graph, np.uint8), **arrays)
    return store.blobs.put(file.getvalue())


def _get_arrays(store: Store, blob: str) -> dict[str, Any]:
    with np.load(io.BytesIO(store.blobs.get(blob)), allow_pickle=False) as held:
        answers = [held[name] for name in held.files if name.startswith("answers ")]
        curves = [held[name] for name in held.files if name.startswith("curve ")]
        return {"answers": tuple(answers), "curves": tuple(curves), "graph": held["graph"].tobytes()}


def take_in(candidate: Candidate, step: Step, outcome: Outcome) -> None:
    """Write what came of a step into its candidate."""
    candidate.seconds += outcome.seconds
    candidate.besides_s += outcome.besides_s
    if outcome.status != "done":
        candidate.reason = outcome.reason
        candidate.failed = candidate.failed or outcome.status == "failed" or not candidate.scores
        candidate.was_ended = outcome.status in ("late", "killed")
        return
    candidate.params, candidate.rounds = outcome.params, outcome.rounds
    candidate.n_parameters = outcome.n_parameters
    candidate.notes, candidate.course = outcome.notes, outcome.course or candidate.course
    n_a_fold = max(1, len(outcome.scores) // len(step.folds))
    for place, fold in enumerate(step.folds):
        of_fold = slice(place * n_a_fold, (place + 1) * n_a_fold)
        candidate.scores[fold], candidate.ties[fold] = outcome.scores[of_fold], outcome.ties[of_fold]
        candidate.answers[fold] = outcome.answers[place].astype(np.float32)
        if outcome.curves:
            candidate.curves[fold] = outcome.curves[place]
    if outcome.graph:
        candidate.graph, candidate.cost, candidate.parity = outcome.graph, outcome.cost, outcome.parity
        candidate.seen, candidate.check_s = outcome.seen, outcome.besides_s
    if candidate.screen is None:
        known = [one for one in outcome.scores if not np.isnan(one)]
        candidate.screen = float(np.mean(known)) if known else None
        if not known:
            candidate.failed, candidate.reason = True, UNDEFINED


def forget(candidates: Iterable[Candidate], *, sign: float) -> None:
    """Let go of the answers of candidates that no mix will need: with many rows and classes they fill the memory.

    The best of all, and the best of each family, are kept, so that it makes no difference when the others are let go.
    """
    whole = [one for one in candidates if one.is_whole and one.answers and one.mean() is not None]
    ranked = sorted(whole, key=lambda one: (-sign * (one.mean() or 0.0), one.number))
    if not ranked:
        return
    n_bytes = sum(answers.nbytes for answers in ranked[0].answers.values())
    n_kept = int(min(MAX_KEPT, max(FEWEST_KEPT, KEPT_BYTES // max(1, n_bytes))))
    families: set[str] = set()
    for place, one in enumerate(ranked):
        if place >= n_kept and one.family in families:
            one.answers = {}
        families.add(one.family)


UNDEFINED = "the metric is undefined on every fold"
"""What the reason of a candidate says whose metric has no value on any fold."""
