"""Judge what a window says about its cells: missing ones, unseen categories, values out of range, another unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio.core.cells import as_told
from palio.core.monitoring import ColumnCounts, Finding, Reference, Window
from palio.core.records import ColumnShape
from palio.monitor.findings import finding
from palio.monitor.movement.drift import stuck_at
from palio.monitor.movement.units import changed_unit

Array = np.ndarray[Any, np.dtype[Any]]
RATE = 0.001
"""Share of windows that show any of these if nothing is wrong, at most, for each kind (Bonferroni over columns)."""
FLOOR = 0.01
"""Share of rows below which nothing is said."""
MANY = 0.05
"""Share of rows from which on a finding is a warning."""
_RESOLUTION = 0.3
"""Share of values that must have another number of digits behind the point."""
_FEWEST_DECIMALS = 100


def input_findings(reference: Reference, window: Window, *, min_rows: int, rate: float = RATE) -> tuple[Finding, ...]:
    """Tell what is wrong with the cells of a window.

    A share of rows is a finding if it is larger than in the reference and in every block of it, by `FLOOR` at least,
    and if chance makes it so in fewer than `RATE` windows.

    Args:
        reference: Of the bundle that answered.
        window: Counted into its bins.
        min_rows: Below this nothing is said of columns; requests that broke the contract are told of at any size.
        rate: Share of windows that may show any of a kind if nothing is wrong.
    """
    counted = {one.name: one for one in window.columns}
    found: list[Finding] = []
    if window.n_judged >= min_rows:
        pairs = [(c, counted[c.name]) for c in reference.columns if c.name in counted]
        pairs = [(column, now) for column, now in pairs if any(now.counts)]
        rate /= max(len(pairs), 1)
        for column, now in pairs:
            found += [one for one in (_missing(window, column, now, rate), _unit(window, column, now)) if one]
            told = _unseen(window, column, now, rate) or _out_of_range(window, column, now, rate)
            found += [told] if told else []
        found += _flagged(window, {one.subject for one in found})
    return (*found, *_refused(window))


def excess_p(before: float, n_before: float, now: float, n_now: float) -> float:
    """Return the chance that so many of the rows that show something are in the window, if it is as frequent as before.

    Given the sum of both, the number in the window is binomial or less spread; so p is too large rather than too small.

    Example:
        >>> round(excess_p(10, 1000, 10, 1000), 2), excess_p(10, 1000, 100, 1000) < 1e-12
        (0.59, True)
    """
    from scipy.special import betainc

    return float(betainc(now, before + 1, n_now / (n_now + n_before))) if now else 1.0


def _more(column: ColumnShape, now: ColumnCounts, place: int, extra: int, rate: float) -> tuple[float, float] | None:
    """Compare the share of one bin; return the share and its limit if it is larger than it should be."""
    counts, total = column.counts, sum(column.counts)
    share, known = now.counts[place] / sum(now.counts), counts[place] / max(total, 1)
    blocks = [block[place] / sum(block) for block in column.blocks if sum(block)]
    limit = max(known + FLOOR, *blocks) if blocks else known + FLOOR
    p = excess_p(counts[place] + extra, total, now.counts[place], sum(now.counts))
    return (share, limit) if share > limit and p <= rate else None


def _missing(window: Window, column: ColumnShape, now: ColumnCounts, rate: float) -> Finding | None:
    if column.statistic or column.role == "answer":
        return None
    more = _more(column, now, -1, 0, rate)
    if more is None:
        return None
    before = column.counts[-1] / max(sum(column.counts), 1)
    return _share_finding(
        window,
        "missing",
        column.name,
        *more,
        f"`{column.name}` is missing in {more[0]:.1%} of the rows, {before:.1%} in training",
    )


def _unseen(window: Window, column: ColumnShape, now: ColumnCounts, rate: float) -> Finding | None:
    """Tell of categories that have no bin; as many again as were seen just once must be expected (Good 1953)."""
    if column.kind != "category":
        return None
    once = sum(count == 1 for count in column.counts[:-2])
    more = _more(column, now, -2, once, rate)
    if more is None:
        return None
    before = column.counts[-2] / max(sum(column.counts), 1)
    reason = (
        f"`{column.name}` has other categories than the {len(column.values)} that are known in {more[0]:.1%} of the "
        f"rows, {before:.1%} in training"
    )
    return _share_finding(window, "contract", column.name, *more, reason)


def _out_of_range(window: Window, column: ColumnShape, now: ColumnCounts, rate: float) -> Finding | None:
    if column.kind != "number" or column.is_moment or column.low is None or column.role == "answer":
        return None
    known, total = sum(now.counts[:-1]), sum(column.counts[:-1])
    outside = now.n_low + now.n_high
    share = outside / known if known else 0.0
    if share <= FLOOR or excess_p(1, total, outside, known) > rate:
        return None
    low, high = _shown(column, column.low), _shown(column, column.low if column.high is None else column.high)
    reason = (
        f"`{column.name}` is outside of its range in training ({low} to {high}) in {share:.1%} "
        f"of the rows: {now.n_low:,} below, {now.n_high:,} above"
    )
    return _share_finding(window, "contract", column.name, share, FLOOR, reason)


def _shown(column: ColumnShape, value: float) -> str:
    told = as_told(column.statistic, value)
    return f"{told:,.0f}" if told != value and told >= 1_000 else f"{told:g}" if told == value else f"{told:.3g}"


def _unit(window: Window, column: ColumnShape, now: ColumnCounts) -> Finding | None:
    if column.kind != "number" or column.role == "answer" or column.statistic:
        return None
    change = changed_unit(column, now)
    if change is not None:
        who = "" if change.share == 1 else f" in {change.share:.0%} of the rows"
        return finding(
            window,
            "unit",
            column.name,
            severity="warn",
            effect=change.factor,
            measure="factor",
            reason=f"`{column.name}` looks{who} like {change.text}",
            consequence="The model reads values in the unit that it was trained in; its answers are likely wrong.",
        )
    return _resolution(window, column, now)


def _resolution(window: Window, column: ColumnShape, now: ColumnCounts) -> Finding | None:
    """Tell of a number that is rounded otherwise, by its digits behind the point."""
    before, after = np.asarray(column.decimals, float), np.asarray(now.decimals, float)
    if len(before) != len(after) or min(float(before.sum()), float(after.sum())) < _FEWEST_DECIMALS:
        return None
    if stuck_at(now) is not None:  # of one number nothing is rounded
        return None
    shares, shares_now = before / before.sum(), after / after.sum()
    moved = float(np.abs(shares - shares_now).sum() / 2)
    if moved < _RESOLUTION or shares.argmax() == shares_now.argmax():
        return None
    return finding(
        window, "unit", column.name, severity="warn" if moved >= 0.5 else "note", effect=moved, measure="share",
        limit=_RESOLUTION,
        reason=f"`{column.name}` is rounded otherwise: most values have {_digits(shares_now)} behind the point, "
        f"{_digits(shares)} in training",
    )  # fmt: skip


def _digits(shares: Array) -> str:
    place = int(shares.argmax())
    more = " or more" if place == len(shares) - 1 else ""
    return f"{place}{more} digit{'' if place == 1 and not more else 's'}"


def _flagged(window: Window, told: set[str]) -> list[Finding]:
    """Tell of rows that the server flagged, by column and rule, unless the column is told of already."""
    found = []
    for flag, n_rows in sorted(window.flags.items()):
        column, _, rule = flag.rpartition(": ")
        share = n_rows / max(window.n_judged, 1)
        if share > FLOOR and column not in told:
            reason = f"`{column}` was flagged in {share:.1%} of the rows: {rule}"
            found.append(_share_finding(window, "contract", column, share, FLOOR, reason))
            told.add(column)
    return found


def _refused(window: Window) -> list[Finding]:
    n_broken = sum(window.violations.values())
    share = n_broken / max(window.n_requests + n_broken, 1)
    if share <= FLOOR or n_broken < 5:
        return []
    worst = max(window.violations, key=lambda reason: window.violations[reason])
    reason = f"{n_broken:,} requests ({share:.1%}) were refused as wrong, {window.violations[worst]:,} of them: {worst}"
    return [_share_finding(window, "contract", "requests", share, FLOOR, reason)]


def _share_finding(window: Window, kind: Any, subject: str, share: float, limit: float, reason: str) -> Finding:
    return finding(
        window, kind, subject, severity="warn" if share - limit >= MANY - FLOOR else "note", effect=share,
        measure="share", limit=limit, reason=reason,
    )  # fmt: skip
