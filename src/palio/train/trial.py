"""Try one candidate: fit and score it fold by fold, and give up early on what has no hope."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from palio import measure, model
from palio.core import ids, seeds
from palio.core.errors import PalioError
from palio.core.records import Parts, Run, Task
from palio.core.words import counted
from palio.train.choice import resampled_error
from palio.train.family import Array, Examples, Family, OutOfTime, Params
from palio.train.stopping import hold_back

if TYPE_CHECKING:
    from palio.model import Outputs

PRUNE_AFTER_FOLDS = 2
HOPELESS_SHARE = 0.02
"""A trial is hopeless when it loses this share of what the best one gains over the dummy."""
N_BLOCKS = 10
"""Blocks of rows that one large holdout is scored in, so that scores have a spread."""
UNDEFINED = "is undefined on every fold"
"""What the reason of a trial says whose metric has no value on any fold."""
WANT_OF_ROWS = (UNDEFINED, "only one class has examples", "no feature column holds two different values")
"""What the reason of a trial says that failed for want of rows."""

Keep = Callable[[Sequence[tuple[Array, "Outputs"]]], str]
"""Positions and answers on them, fold by fold → the blob that holds them."""


@dataclass(frozen=True)
class Terms:
    """What holds for every trial of a search."""

    parts: str
    task: Task
    metric: str
    seed: int
    inputs: str
    """Identity of everything that the outcome of a trial depends on, besides family and settings."""

    @property
    def sign(self) -> float:
        """1 if more of the metric is better, else -1."""
        return 1.0 if measure.METRICS[self.metric].higher_is_better else -1.0

    @property
    def tie_break(self) -> str:
        """The metric that decides near-ties."""
        return measure.questions.of(self.task).tie_break


@dataclass(frozen=True)
class Fold:
    """Rows to fit and rows to score."""

    train: Examples
    valid: Examples
    n_blocks: int = 1
    """Blocks that the rows are scored in; more than one: a holdout."""
    parts: Parts | None = None
    """How rows are cut: tells which of `train` an iterative fit watches."""
    rows: Array | None = None
    """Positions of `valid` among all rows of the folds."""

    @cached_property
    def _apart(self) -> tuple[Examples, Examples | None]:
        return hold_back(self.train, self.parts)

    def lesson(self, family: Family) -> tuple[Examples, Examples | None]:
        """Return the rows that `family` learns from and those it watches: never one that is scored."""
        return self._apart if family.needs_watch else (self.train, None)


@dataclass(frozen=True)
class Bar:
    """What a trial is held against: fold scores of the best one so far, of its own family's best, and of the dummy."""

    best: tuple[float, ...]
    own: tuple[float, ...]
    dummy: tuple[float, ...]

    def beats(self, scores: Sequence[float], *, sign: float) -> bool:
        """Tell whether `scores` have no hope.

        They are worse than the best on every fold so far, by a clear share of what it gains over the dummy; and no
        better than what the family can do already.
        """
        n = len(scores)
        if n < PRUNE_AFTER_FOLDS or n >= len(self.best):
            return False
        behind = sign * (np.asarray(self.best[:n]) - np.asarray(scores))
        gain = sign * (float(np.mean(self.best)) - float(np.mean(self.dummy)))
        improves = sign * (float(np.mean(scores)) - float(np.mean(self.own[:n]))) > 0
        return bool((behind > 0).all() and behind.mean() > HOPELESS_SHARE * max(gain, 0.0)) and not improves

    def is_raised_by(self, scores: Sequence[float], *, sign: float) -> bool:
        """Tell whether `scores` of all folds are better than the best of the family so far."""
        return sign * (float(np.mean(scores)) - float(np.mean(self.own))) > 0


def run_id(terms: Terms, family: str, trial: int, params: Params) -> str:
    """Name a trial by everything that it depends on."""
    return ids.digest_of({"inputs": terms.inputs, "family": family, "trial": trial, "params": params})


def try_out(
    family: Family,
    params: Params,
    folds: Sequence[Fold],
    *,
    terms: Terms,
    trial: int,
    bar: Bar | None = None,
    deadline: float | None = None,
    keep: Keep | None = None,
) -> Run:
    """Fit and score one candidate on the folds.

    Scores come from the library itself on the features that the graph computes: the same numbers as the exported
    graph's (which the finalists are checked for), without building a graph for each fold. An iterative fit is stopped
    by an eighth of the rows that it may learn from, never by those it is scored on.

    What it answers on the folds is given to `keep` if it does better than its family did before: only then it may be
    chosen.

    Returns:
        A run that is done, pruned (the bar beats it), or failed (the reason says why).

    Raises:
        OutOfTime: the deadline came before the last fold was scored.
    """
    seed = seeds.derive(terms.seed, "trial", family.name, trial)
    started = time.perf_counter()
    scores: list[float] = []
    ties: list[float] = []
    found: list[Any] = []
    answers: list[tuple[Array, Outputs]] = []
    sizes: list[int] = []
    run = Run(
        id=run_id(terms, family.name, trial, params),
        parts=terms.parts,
        family=family.name,
        trial=trial,
        params=params,
        seed=seed,
        metric=terms.metric,
        status="failed",
    )
    try:
        for fold in folds:
            _check_pace(started, len(found), deadline)
            learned, watched = fold.lesson(family)
            fitted = family.fit(learned, params=params, seed=seed, deadline=deadline, watch=watched)
            answer = fitted.reference(fold.valid)
            if keep is not None and fold.rows is not None:
                answers.append((fold.rows, answer))
            for block in _blocks(len(fold.valid.target), fold.n_blocks):
                part = score(terms.task, fold.valid.target, answer, rows=block, names=(terms.metric, terms.tie_break))
                if math.isfinite(part.get(terms.metric, math.nan)):  # undefined for all families alike
                    scores.append(part[terms.metric])
                    ties.append(part.get(terms.tie_break, math.nan))
            found.append(fitted.learned)
            sizes.append(fitted.n_parameters)
            if bar is not None and bar.beats(scores, sign=terms.sign):
                break
        if not scores:
            few = "too few rows of each class" if terms.task.kind == "classification" else "every value is the same"
            reason = f"{terms.metric} {UNDEFINED}: {few}"
            return _finish(run, started, status="failed", reason=reason)
        params = family.settle(params, found)
    except (OutOfTime, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - a family may be foreign code; its fault must not end the search
        return _finish(run, started, status="failed", reason=_reason(error))
    pruned = len(found) < len(folds)
    reason = f"no hope after {len(found)} of {counted(len(folds), 'fold')}" if pruned else ""
    is_best = not pruned and (bar is None or bar.is_raised_by(scores, sign=terms.sign))
    spread = resampled_error(scores, n_folds=len(folds), holdout=folds[0].n_blocks > 1)
    return _finish(
        run,
        started,
        status="pruned" if pruned else "done",
        reason=reason,
        params=params,
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)),
        cv_error=spread if math.isfinite(spread) else None,
        tie_break=float(np.mean(ties)) if np.isfinite(ties).all() else None,
        n_parameters=int(np.mean(sizes)),
        answers=keep(answers) if keep is not None and answers and is_best else None,
    )


def score(
    task: Task, truth: Array, outputs: Any, *, rows: slice | Array = slice(None), names: Sequence[str] | None = None
) -> dict[str, float]:
    """Compute point metrics of `outputs` on some rows: those named, or all of the task."""
    p = outputs.probabilities
    some = model.Outputs(outputs.prediction[rows], None if p is None else p[rows])
    return measure.score(task, truth[rows], model.answers_of(some, task), names=names)


def _blocks(n_rows: int, n_blocks: int) -> list[slice]:
    return [slice(start, None, n_blocks) for start in range(min(n_blocks, max(1, n_rows)))]


def _check_pace(started: float, n_done: int, deadline: float | None) -> None:
    """Do not start a fold that, at the pace so far, ends after the deadline."""
    if deadline is None:
        return
    pace = (time.perf_counter() - started) / n_done if n_done else 0.0
    if time.monotonic() + pace >= deadline:
        raise OutOfTime


def _finish(run: Run, started: float, **changes: Any) -> Run:
    import msgspec

    return msgspec.structs.replace(run, fit_s=round(time.perf_counter() - started, 3), **changes)


def _reason(error: Exception) -> str:
    if isinstance(error, PalioError):  # it speaks for people already
        return error.message.splitlines()[0][:300]
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
