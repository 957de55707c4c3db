"""Policies of renewal on a stream: when a challenger is trained, on which rows, and what lets it take over.

Every size was fixed before the first run, on none of the sets; `both_gate` came after `newest_rows_gate` had failed
on beijing:

- A plan is made every 500 rows (the default of `[retrain] min_labels`), or when a finding is open and 500 rows have
  come since the last plan.
- The newest 500 ripe rows are the holdout; nobody learned from them. Challengers learn from all rows before them, and
  from the newest 2,000 before them: four fifths for learning, one fifth for judging.
- An earlier champion (the first, and the one before this) may come back, by the same rule.
"""

# ruff: noqa: ARG001 - gates share a signature, and not every one looks at everything

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stream_sets import Models

from palio import measure, monitor

Array = Any
CHUNK = 50
HOLDOUT = 500
RECENT = 4 * HOLDOUT
Key = tuple[int, int]
Gate = Callable[[Models, Key, list[Key], Array, bool], Key | None]


@dataclass(frozen=True)
class Renewal:
    """A takeover: by whom, from whom, and how it went until the next one."""

    row: int
    old: Key
    new: Key
    gain: float
    """Mean loss of the old one less that of the new one, on the rows that the new one answered."""
    is_surely_worse: bool
    is_surely_harmful: bool
    """Whether never retraining would surely have been better on these rows."""


@dataclass
class Run:
    """How a policy did on the rows after the warm-up."""

    losses: Array
    n_plans: int = 0
    renewals: list[Renewal] = field(default_factory=list)


def no_gate(models: Models, champion: Key, challengers: list[Key], rows: Array, has_moved: bool) -> Key | None:
    """Every renewal goes live."""
    return challengers[0]


def level_gate(models: Models, champion: Key, challengers: list[Key], rows: Array, has_moved: bool) -> Key | None:
    """The best goes live if it is at least level on the newest rows, by chance or not."""
    best = min(challengers, key=lambda one: models.losses(*one)[rows].mean())
    return best if models.losses(*best)[rows].mean() <= models.losses(*champion)[rows].mean() else None


def old_test_gate(models: Models, champion: Key, challengers: list[Key], rows: Array, has_moved: bool) -> Key | None:
    """The best on the old test part goes live if it is surely not worse there."""
    return newest_rows_gate(models, champion, challengers, models.old_test(), has_moved)


def newest_rows_gate(models: Models, champion: Key, challengers: list[Key], rows: Array, has_moved: bool) -> Key | None:
    """The best of those that are surely not worse on the newest rows goes live."""
    old = models.losses(*champion)[rows]
    passed = [
        one
        for one in challengers
        if measure.is_surely_not_worse(old, models.losses(*one)[rows], n_challengers=len(challengers))
    ]
    return min(passed, key=lambda one: models.losses(*one)[rows].mean(), default=None)


def both_gate(models: Models, champion: Key, challengers: list[Key], rows: Array, has_moved: bool) -> Key | None:
    """As `newest_rows_gate`, of those not surely worse on the old test part; unless a finding says the world moved."""
    old = models.old_test()
    mine = models.losses(*champion)[old]
    kept = [one for one in challengers if has_moved or measure.loss_gain(mine, models.losses(*one)[old]).high >= 0]
    return newest_rows_gate(models, champion, kept, rows, has_moved) if kept else None


def play(
    models: Models, gate: Gate, *, on: str, windows: tuple[str, ...] = ("all", "recent"), return_old: bool = True
) -> Run:
    """Play a policy over a stream; truths come after each 50 rows."""
    stream = models.stream
    n, start = len(stream.y), stream.warm_up
    first = champion = (0, start)
    earlier = [first]
    reference = models.losses(*first)[models.old_test()]
    run = Run(losses=np.full(n, np.nan))
    answered = [(start, champion)]
    watch, planned = _watch(stream, reference), start
    for row in range(start, n, CHUNK):
        end = min(row + CHUNK, n)
        losses = models.losses(*champion)[row:end]
        run.losses[row:end] = losses
        watch.feed(losses, np.datetime64("2026-01-01") + np.arange(row, end).astype("timedelta64[m]"))
        has_moved = watch.worse is not None or _is_lower(run.losses, end, answered[-1][0], reference)
        if end - planned < HOLDOUT or not (on == "periodic" or has_moved) or end == n:
            continue
        planned, run.n_plans = end, run.n_plans + 1
        held = np.arange(end - HOLDOUT, end)
        since = {"all": 0, "recent": held[0] - RECENT}
        challengers = [(max(int(since[window]), 0), int(held[0])) for window in windows]
        back = [one for one in dict.fromkeys([first, *earlier[-1:]]) if return_old and one != champion]
        winner = gate(models, champion, challengers + back, held, has_moved)
        if winner is None or winner == champion:
            continue
        earlier.append(champion)
        champion = winner
        answered.append((end, champion))
        reference = models.losses(*champion)[held]
        watch = _watch(stream, reference)
    run.renewals = _accounts(models, answered, n)
    run.losses = run.losses[start:]
    return run


def _watch(stream: Any, reference: Array) -> monitor.ErrorStream:
    unit = monitor.loss_scale(float(reference.mean())) if stream.is_regression else 1.0
    return monitor.ErrorStream(monitor.DETECTORS[:-1], unit=unit)


def _is_lower(losses: Array, end: int, since: int, reference: Array) -> bool:
    """Is quality on the newest rows of this champion surely lower than when it was judged?"""
    newest = losses[max(end - HOLDOUT, since) : end]
    if len(newest) < HOLDOUT:
        return False
    spread = np.sqrt(newest.var() / len(newest) + reference.var() / len(reference))
    return bool(newest.mean() - reference.mean() > 2.33 * spread)


def _accounts(models: Models, answered: list[tuple[int, Key]], n: int) -> list[Renewal]:
    out = []
    for (_, old), (row, new), until in zip(
        answered, answered[1:], [row for row, _ in answered[2:]] + [n], strict=False
    ):
        mine, rows = models.losses(*new), slice(row, until)
        gain = measure.loss_gain(models.losses(*old)[rows], mine[rows])
        first = measure.loss_gain(models.losses(*answered[0][1])[rows], mine[rows])
        out.append(Renewal(row, old, new, gain.value, gain.high < 0, first.high < 0))
    return out
