"""Keep what came of each step, so that a search that was killed goes on where it was, and ends the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from palio.core import ids
from palio.core.errors import ConflictError, NotFoundError
from palio.core.records import Cost, Parity
from palio.core.records.base import Record
from palio.train.orders import Outcome
from palio.train.race import Candidate, Step
from palio.train.terms import Terms

if TYPE_CHECKING:
    from palio.store import Store


class Trial(Record, frozen=True, kw_only=True):
    """What came of one step of a search."""

    id: str
    status: Literal["done", "failed", "late", "killed"]
    reason: str
    params: dict[str, Any]
    rounds: int
    scores: tuple[float | None, ...]
    ties: tuple[float | None, ...]
    n_parameters: int
    seconds: float
    cost: Cost | None
    parity: tuple[Parity, ...]
    arrays: str
    """Blob of answers, curves and graph."""


def trial_id(terms: Terms, step: Step) -> str:
    """Name a step by everything that its outcome depends on, but for the time that it was given."""
    what = {"family": step.family, "trial": step.number, "params": step.params, "folds": step.folds}
    return ids.digest_of({"inputs": terms.inputs} | what)


def keep(store: Store, terms: Terms, step: Step, outcome: Outcome) -> None:
    """Save what came of a step."""
    trial = Trial(
        id=trial_id(terms, step),
        status=outcome.status,
        reason=outcome.reason,
        params=outcome.params,
        rounds=outcome.rounds,
        scores=tuple(None if np.isnan(one) else one for one in outcome.scores),
        ties=tuple(None if np.isnan(one) else one for one in outcome.ties),
        n_parameters=outcome.n_parameters,
        seconds=outcome.seconds,
        cost=outcome.cost,
        parity=outcome.parity,
        arrays=_put_arrays(store, outcome) if outcome.answers else "",
    )
    try:
        store.records.put(trial, key=trial.id)
    except ConflictError:  # another process was faster; it found the same
        return


def recall(store: Store, terms: Terms, step: Step) -> Outcome | None:
    """Return what came of a step in an earlier run of the same search; None if it was not taken or not to its end."""
    trial = store.records.get(Trial, trial_id(terms, step))
    if trial is None or trial.status in ("late", "killed"):
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
        n_parameters=trial.n_parameters,
        seconds=trial.seconds,
        cost=trial.cost,
        parity=trial.parity,
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
    if outcome.status != "done":
        candidate.reason = outcome.reason
        candidate.failed = candidate.failed or outcome.status == "failed" or not candidate.scores
        candidate.was_ended = outcome.status in ("late", "killed")
        return
    candidate.params, candidate.rounds = outcome.params, outcome.rounds
    candidate.n_parameters = outcome.n_parameters
    n_a_fold = max(1, len(outcome.scores) // len(step.folds))
    for place, fold in enumerate(step.folds):
        of_fold = slice(place * n_a_fold, (place + 1) * n_a_fold)
        candidate.scores[fold], candidate.ties[fold] = outcome.scores[of_fold], outcome.ties[of_fold]
        candidate.answers[fold] = outcome.answers[place].astype(np.float32)
        if outcome.curves:
            candidate.curves[fold] = outcome.curves[place]
    if outcome.graph:
        candidate.graph, candidate.cost, candidate.parity = outcome.graph, outcome.cost, outcome.parity
    if candidate.screen is None:
        known = [one for one in outcome.scores if not np.isnan(one)]
        candidate.screen = float(np.mean(known)) if known else None
        if not known:
            candidate.failed, candidate.reason = True, UNDEFINED


UNDEFINED = "the metric is undefined on every fold"
"""What the reason of a candidate says whose metric has no value on any fold."""
