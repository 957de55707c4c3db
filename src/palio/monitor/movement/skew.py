"""Compare the same rows as the server logged them and as training prepared them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.core.long_texts import is_cut
from palio.core.monitoring import Finding, Window
from palio.monitor.findings import finding

Array = np.ndarray[Any, np.dtype[Any]]
FLOOR = 0.001
"""Share of the rows that must differ."""
MANY = 0.05
"""Share from which on it is a warning."""
TOLERANCE = 1e-6
"""Relative; numbers that went through float32 are equal."""
_FEWEST = 20


def skew_findings(
    window: Window, logged: Mapping[str, Array], trained: Mapping[str, Array], *, key: str = "key"
) -> tuple[Finding, ...]:
    """Tell in which columns the same rows differ between serving and training.

    Args:
        window: That the logged rows are of.
        logged: Columns as served, and `key`: texts that name rows; empty ones name none. Of several with the same key
            the last counts.
        trained: The same rows as training has them; each key once.
        key: Name of the key in both.

    Returns:
        One finding per column that differs, also for columns that only one side has. None if fewer than 20 rows are on
        both sides.

    Raises:
        InputError: a side has no key, or a column of another length.
    """
    left, right = _joined(logged, trained, key)
    if len(left) < _FEWEST:
        return ()
    found = []
    for name in [name for name in trained if name != key]:
        if name not in logged:
            found.append(_lost(window, name, "the server does not log it, training has it", len(left)))
            continue
        one, other = np.asarray(logged[name])[left], np.asarray(trained[name])[right]
        told = _differing(window, name, one, other)
        if told is not None:
            found.append(told)
    extra = [name for name in logged if name != key and name not in trained]
    return (
        *found,
        *(_lost(window, name, "the server logs it, training does not have it", len(left)) for name in extra),
    )


def _joined(logged: Mapping[str, Array], trained: Mapping[str, Array], key: str) -> tuple[Array, Array]:
    """Return the positions of rows that both sides have."""
    for name, side in (("logged", logged), ("trained", trained)):
        if key not in side:
            raise InputError(f"skew: the {name} rows have no column `{key}`", hint="name the column that both have")
        lengths = {len(values) for values in side.values()}
        if len(lengths) > 1:
            raise InputError(
                f"skew: the {name} columns have {' and '.join(map(str, sorted(lengths)))} rows",
                hint="give each column a cell per row",
            )
    place = {name: i for i, name in enumerate(logged[key].tolist()) if name}
    pairs = [(place[name], i) for i, name in enumerate(trained[key].tolist()) if name in place]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _differing(window: Window, name: str, one: Array, other: Array) -> Finding | None:
    is_number = one.dtype.kind in "fiub"
    if is_number != (other.dtype.kind in "fiub"):
        kinds = ("a number", "text") if is_number else ("text", "a number")
        return _lost(window, name, f"it is {kinds[0]} in the log and {kinds[1]} in training", len(one))
    if is_number:
        one, other = one.astype(np.float64), other.astype(np.float64)
        gone, gone_too = np.isnan(one), np.isnan(other)
        with np.errstate(invalid="ignore"):
            differs = ~np.isclose(one, other, rtol=TOLERANCE, atol=1e-12, equal_nan=True)
    else:
        gone, gone_too = one == "", other == ""
        differs = (one != other) & ~np.array([is_cut(cell) for cell in one.tolist()])
    share = float(np.mean(differs))
    if share <= FLOOR:
        return None
    parts = [
        f"missing only in the log in {np.mean(gone & ~gone_too):.1%}" if (gone & ~gone_too).any() else "",
        f"missing only in training in {np.mean(gone_too & ~gone):.1%}" if (gone_too & ~gone).any() else "",
        _factor(one, other, differs & ~gone & ~gone_too) if is_number else "",
    ]
    more = ", ".join(part for part in parts if part)
    reason = f"`{name}` is another in the log than in training in {share:.1%} of {len(one):,} rows that both have"
    return _skew(window, name, share, f"{reason}: {more}" if more else reason, len(one))


def _factor(one: Array, other: Array, differs: Array) -> str:
    """Name a constant factor or offset between the two, if there is one."""
    if differs.sum() < _FEWEST:
        return ""
    gap = one[differs] - other[differs]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = one[differs] / other[differs]
    for values, words in ((ratio, "times the value"), (gap, "more than the value")):
        middle = float(np.median(values))
        if np.isfinite(middle) and np.mean(np.isclose(values, middle, rtol=1e-4)) > 0.95:
            return f"it is {middle:.6g} {words} of training"
    return f"{float(np.median(np.abs(gap))):.3g} apart in the median"


def _lost(window: Window, name: str, why: str, n_rows: int) -> Finding:
    return _skew(window, name, 1.0, f"`{name}` cannot be compared: {why}", n_rows)


def _skew(window: Window, name: str, share: float, reason: str, n_rows: int) -> Finding:
    return finding(
        window, "skew", name, severity="warn" if share >= MANY else "note", n_rows=n_rows, effect=share,
        measure="share", limit=FLOOR, reason=reason,
        consequence="The model answers from other values than it was judged on.",
    )  # fmt: skip
