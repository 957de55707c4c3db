"""Judge whether the columns of a window have moved away from what the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.monitoring import ColumnCounts, ColumnDrift, Finding, Reference, Window
from palio.core.records import ColumnShape
from palio.measure import CoarseBins, benjamini_hochberg, fold
from palio.monitor.findings import finding
from palio.monitor.movement.cells import cells_of
from palio.monitor.movement.distances import chi2_test, js, ks_test, pooled, pooling, psi, wasserstein
from palio.monitor.movement.seasons import own_movement

Array = npt.NDArray[Any]
RATE = 0.01
"""Share of reports that show drift when there is none, at most (all tests together; Benjamini–Hochberg)."""
FLOOR = 0.01
"""PSI below this is never a finding, however sure it is: a tenth of a standard deviation in a normal column."""
FEW_KNOWN = 50
"""Answers with boxes of which fewer say too little of their sizes and places."""
MODERATE = 0.1
"""PSI from here on is a warning; the usual border between a small and a moderate change (Siddiqi 2006)."""


@dataclass(frozen=True, slots=True)
class _Judged:
    column: ColumnShape
    n_rows: int
    p: float
    psi: float
    js: float
    distance: float | None
    limit: float
    shown: CoarseBins
    reference: Array
    current: Array


def drift_of(reference: Reference, window: Window, *, min_rows: int, rate: float = RATE) -> tuple[ColumnDrift, ...]:
    """Say of each column how far a window is from the reference, and whether that is a drift.

    A column has drifted if two things hold. It is sure: the smaller p of a Kolmogorov–Smirnov test (numbers, on the
    fine bins) and of a chi² test (on few cells, one of them for missing), times the number of tests, passes
    Benjamini–Hochberg over all columns. And it matters: the PSI, less what chance gives, is above `FLOOR` and above
    what runs of the reference rows differ from the rest of it by themselves (`own_movement`).

    Args:
        reference: Of the bundle that answered.
        window: Counted into the bins of that reference.
        min_rows: Below this nothing is said.
        rate: Share of windows that may show any drift if there is none.

    Returns:
        One entry per counted column in the order of the reference; none if the window has fewer than `min_rows` rows.
    """
    if window.n_judged < min_rows:
        return ()
    counted = {column.name: column for column in window.columns}
    judged = [
        _judged(column, counted[column.name], in_time_order=reference.in_time_order)
        for column in reference.columns
        if not column.is_moment  # time goes by: that is no drift
        and any(_known(column, column.counts))
        and column.name in counted
        and _is_enough(column, counted[column.name], min_rows)
    ]
    is_sure = benjamini_hochberg(np.array([one.p for one in judged]), rate=rate)
    return tuple(
        ColumnDrift(
            column=one.column.name,
            role=one.column.role,
            n_rows=one.n_rows,
            p=one.p,
            psi=max(0.0, one.psi),
            js=one.js,
            distance=one.distance,
            limit=one.limit,
            drifted=bool(sure) and one.psi > one.limit,
            labels=one.shown.labels,
            reference=_shares(one.shown, one.reference),
            current=_shares(one.shown, one.current),
        )
        for one, sure in zip(judged, is_sure, strict=True)
    )


def _judged(column: ColumnShape, counted: ColumnCounts, *, in_time_order: bool) -> _Judged:
    """Judge a column; an answer has moved only if it is away from both: the fits that were scored, and the model.

    A model learns from more rows than those fits, and answers a little otherwise on the same rows: on `bank` with a
    PSI of 0.01, as much as a drift. What it answers on rows that it has learned tells that, though a little too sure.
    """
    fine = np.asarray(_known(column, column.counts), float)
    found = _compared(column, fine, counted, in_time_order=in_time_order)
    if not column.own:
        return found
    own = _compared(column, np.asarray(_known(column, column.own), float), counted, in_time_order=in_time_order)
    return replace(min(found, own, key=lambda one: one.psi), p=max(found.p, own.p))


def _known(column: ColumnShape, counts: Sequence[int]) -> Sequence[int]:
    """Return counts of the rows that say something of what is answered.

    Of an answer without boxes no size, place or score is known: that they are more or fewer is told by their number,
    and by that alone.
    """
    return (*counts[:-1], 0) if column.role == "answer" and column.statistic else counts


def _is_enough(column: ColumnShape, counted: ColumnCounts, min_rows: int) -> bool:
    """Tell whether a window has rows enough of a column, and things enough of those that say something."""
    is_partly_known = column.role == "answer" and column.statistic
    known = sum(_known(column, counted.counts))
    return sum(counted.counts) >= min_rows and known >= (min(min_rows, FEW_KNOWN) if is_partly_known else min_rows)


def _compared(column: ColumnShape, fine: Array, counted: ColumnCounts, *, in_time_order: bool) -> _Judged:
    now = np.asarray(_known(column, counted.counts), float)
    cells = cells_of(column)
    rare = pooling(pooled(fine, cells), pooled(now, cells))[cells]
    left, right = pooled(fine, rare), pooled(now, rare)
    _, p = chi2_test(left, right)
    distance = None
    if column.kind == "number":
        _, p_of_values = ks_test(fine[:-1], now[:-1])
        p = min(1.0, 2 * min(p, p_of_values))
        distance = _distance(column, fine, now)
    runs = [_known(column, block) for block in column.blocks]
    blocks = pooled(np.asarray(runs, float).reshape(len(runs), len(fine)), cells)
    moved = own_movement(blocks, int(now.sum()))
    limit = max(FLOOR, moved if in_time_order else min(moved, MODERATE))
    return _Judged(
        column=column,
        n_rows=int(now.sum()),
        p=p,
        psi=float(psi(left, right)),
        js=js(left, right),
        distance=distance,
        limit=limit,
        shown=fold(column),
        reference=fine,
        current=now,
    )


def _shares(shown: CoarseBins, counts: Array) -> tuple[float, ...]:
    return tuple((shown.of(counts) / counts.sum()).tolist())


def _distance(column: ColumnShape, fine: Array, now: Array) -> float | None:
    """Return Wasserstein-1 in standard deviations; values beyond the reference count as at its end."""
    if column.low is None or column.high is None or not column.standard_deviation:
        return None
    edges = np.clip(np.array([column.low, *column.edges, column.high]), column.low, column.high)
    return wasserstein(fine[:-1], now[:-1], edges) / column.standard_deviation


def drift_findings(window: Window, drifts: tuple[ColumnDrift, ...]) -> tuple[Finding, ...]:
    """Tell people which columns have drifted, and how.

    A feature that has drifted is a note, from `MODERATE` on a warning; an answer that has drifted is always a warning,
    since then the drift has reached what users see.
    """
    return tuple(
        finding(
            window,
            "answer_drift" if one.role == "answer" else "drift",
            one.column,
            severity="warn" if one.role == "answer" or one.psi >= MODERATE else "note",
            n_rows=one.n_rows,
            effect=one.psi,
            measure="psi",
            limit=one.limit,
            p=one.p,
            reason=_reason(one, next((stuck_at(c) for c in window.columns if c.name == one.column), None)),
            consequence=_CONSEQUENCES[one.role],
        )
        for one in drifts
        if one.drifted
    )


_CONSEQUENCES = {
    "feature": "",
    "answer": "The model answers otherwise than on the rows that it was judged on; its quality may have moved, too.",
}


def stuck_at(counted: ColumnCounts) -> float | None:
    """Return the number that all quantiles of a column are, as of a broken sensor or a default; None: it varies."""
    values = counted.quantiles
    return values[0] if values and values[0] == values[-1] else None


def _reason(one: ColumnDrift, stuck: float | None) -> str:
    gap = np.subtract(one.current, one.reference)
    place = int(np.abs(gap).argmax())
    what = one.labels[place] if place < len(one.labels) else "other"
    far = f"PSI {one.psi:.3f}, limit {one.limit:.3f}"
    if one.distance is not None and one.current[-1] < 1:
        far += f"; values lie {one.distance:.2g} standard deviations away on average"
    if stuck is not None:
        return f"`{one.column}` stands still: nearly all of {one.n_rows:,} rows are {stuck:g} ({far})"
    return (
        f"`{one.column}` has moved: {one.current[place]:.1%} of {one.n_rows:,} rows are {what}, "
        f"{one.reference[place]:.1%} in training ({far})"
    )
