"""Find the points at which hashes are cut, so that the first cut has exact proportions in every stratum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import Stratum, Task

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Assignment = npt.NDArray[np.uint8]

TRAIN, VALIDATION, TEST, ASIDE = 0, 1, 2, 255
PART_CODES = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
SHARES: dict[str, tuple[float, float]] = {"60-20-20": (0.6, 0.8), "80-10-10": (0.8, 0.9), "cv": (0.8, 0.8)}
"""Policy → where train ends and where validation ends."""

N_TARGET_STRATA = 5
"""Regression is stratified by quintile of the target,"""
_ROWS_A_STRATUM = 10
"""or by fewer quantiles, so that each has so many values: of two, one would be in test."""
TOP_STRATUM = "target: highest"
_BLOCK = 1_000_000  # rows at a time, so that temporaries stay small
_EXACT_ROWS = 1_000_000  # above, chance moves a share by less than 0.001 (4σ), and the nominal points do


def policy_of(n_rows: int) -> str:
    """Choose the policy by size: small data cannot spare a validation part, big data needs only small ones.

    Example:
        >>> policy_of(800), policy_of(45_211), policy_of(2_000_000)
        ('cv', '60-20-20', '80-10-10')
    """
    return "cv" if n_rows < 3_000 else "60-20-20" if n_rows < 100_000 else "80-10-10"


def cut_points(uniforms: Floats, shares: tuple[float, float]) -> tuple[float, float]:
    """Find where to cut one stratum: exact proportions now, as near to the nominal points as that allows.

    Args:
        uniforms: Position of every row of the stratum in [0, 1). Equal positions stay together.
        shares: Nominal points (end of train, end of validation).

    Example:
        >>> points = cut_points(np.array([0.05, 0.1, 0.15, 0.2, 0.95]), (0.6, 0.8))
        >>> [round(point, 3) for point in points]
        [0.2, 0.8]
    """
    n_rows = uniforms.size
    if n_rows == 0 or n_rows > _EXACT_ROWS:
        return shares
    places, counts = np.unique(uniforms, return_counts=True)
    below = np.r_[0, np.cumsum(counts)]  # below[i]: rows under places[i]
    first, second = _wanted(n_rows, shares)
    i, j = _nearest(below, first), _nearest(below, second)
    if places.size >= 3:  # big groups must not leave a part empty while there are three of them
        has_validation = shares[0] < shares[1]
        i = min(max(i, 1), places.size - 2)
        j = min(max(j, i + 1 if has_validation else 1), places.size - 1)
    if shares[0] == shares[1]:
        end = point_between(places, j, shares[1])
        return end, end
    train = point_between(places, i, shares[0])
    return train, max(train, point_between(places, j, shares[1]))


def point_between(places: Floats, i: int, nominal: float) -> float:
    """Return the point nearest to `nominal` that has exactly the first `i` of the ascending places below it."""
    low = np.nextafter(places[i - 1], 2.0) if i > 0 else 0.0
    high = places[i] if i < places.size else 1.0
    return float(min(max(nominal, low), high))


def stratify(
    uniforms: Floats, codes: Codes, *, keys: Sequence[str], uppers: Sequence[float | None], shares: tuple[float, float]
) -> tuple[Stratum, ...]:
    """Cut every stratum; rows with code -1 are in none."""
    found = []
    for code, (key, upper) in enumerate(zip(keys, uppers, strict=True)):
        train, validation = cut_points(uniforms[codes == code], shares)
        found.append(Stratum(key=key, train=train, validation=validation, upper=upper))
    return tuple(found)


def place(uniforms: Floats, codes: Codes, strata: Sequence[Stratum], shares: tuple[float, float]) -> Assignment:
    """Give every row its part by the cut points of its stratum; code -1 has none, `len(strata)` the nominal ones."""
    train = np.array([stratum.train for stratum in strata] + [shares[0]])
    validation = np.array([stratum.validation for stratum in strata] + [shares[1]])
    parts = np.full(uniforms.size, ASIDE, np.uint8)
    for start in range(0, uniforms.size, _BLOCK):
        code, where = codes[start : start + _BLOCK], uniforms[start : start + _BLOCK]
        block = (where >= train[code]).astype(np.uint8) + (where >= validation[code])
        parts[start : start + _BLOCK] = np.where(code < 0, ASIDE, block)
    return parts


def target_uppers(target: Floats) -> list[float | None]:
    """Return the inclusive upper bounds of the target's quintiles; the last has none. NaN rows are left out.

    Of fewer than fifty values there are as many quantiles as leave ten values for each.
    """
    known = target[~np.isnan(target)]
    n_strata = min(N_TARGET_STRATA, max(1, known.size // _ROWS_A_STRATUM))
    inner = np.quantile(known, np.arange(1, n_strata) / n_strata) if known.size else np.empty(0)
    bounds = np.unique(inner)
    return [*(float(bound) for bound in bounds if (known > bound).any()), None]


def target_keys(uppers: Sequence[float | None]) -> list[str]:
    """Name the strata of a number."""
    return [TOP_STRATUM if upper is None else f"target: up to {upper!r}" for upper in uppers]


def target_codes(target: Floats, uppers: Sequence[float | None]) -> Codes:
    """Return the stratum of every target value; -1 where it is NaN."""
    bounds = np.array([upper for upper in uppers if upper is not None])
    codes = np.searchsorted(bounds, target, side="left").astype(np.int32)
    codes[np.isnan(target)] = -1
    return codes


def codes_of(
    target: npt.NDArray[Any], task: Task, before: Sequence[Stratum] = ()
) -> tuple[Codes, list[str], list[float | None]]:
    """Return the stratum of every row, and key and upper bound of each: a class, or a quantile of the target.

    Args:
        target: Class index or number; rows without either are in no stratum.
        task: What is asked.
        before: Strata of an earlier cut, whose bounds numbers keep.
    """
    if task.classes:
        return target.astype(np.int32, copy=False), list(task.classes), [None] * len(task.classes)
    uppers = [stratum.upper for stratum in before] or target_uppers(target)
    return target_codes(target, uppers), target_keys(uppers), uppers


def time_cuts(moments: Floats, shares: tuple[float, float]) -> tuple[float, float]:
    """Find the first moment of validation and of test; rows of one moment stay together.

    Args:
        moments: Of the labelled rows, ascending, without NaN; at least one.
        shares: Nominal points (end of train, end of validation).

    Example:
        >>> time_cuts(np.array([1.0, 2.0, 2.0, 2.0, 3.0]), (0.6, 0.8))
        (2.0, 3.0)
    """
    inner = np.flatnonzero(moments[1:] != moments[:-1])
    inner += 1
    starts = np.concatenate([[0], inner, [moments.size]])  # of each moment, and the end
    last = inner.size
    i = min(max(_nearest(starts, shares[0] * moments.size), 1), max(last - (shares[0] < shares[1]), 1), last)
    j = min(max(_nearest(starts, shares[1] * moments.size), i + 1), last) if shares[0] < shares[1] else i
    return float(moments[starts[i]]), float(moments[starts[j]])


def place_in_time(moments: Floats, bounds: tuple[float, float], *, among: npt.NDArray[np.bool_]) -> Assignment:
    """Give every row that is `among` those to be placed its part by its moment; NaN has none."""
    parts = (moments >= bounds[0]).astype(np.uint8) + (moments >= bounds[1])
    parts[np.isnan(moments) | ~among] = ASIDE
    return parts.astype(np.uint8)


def _wanted(n_rows: int, shares: tuple[float, float]) -> tuple[int, int]:
    """Rows below each point: as near as whole rows come, but train first, then test, then validation is not empty."""
    first, second = round(n_rows * shares[0]), round(n_rows * shares[1])
    second = min(max(second, 1), n_rows - 1) if n_rows > 1 else 1
    has_validation = shares[0] < shares[1]
    first = min(max(first, 1), second - (has_validation and second > 1))
    return (first if has_validation else second), second


def _nearest(below: npt.NDArray[np.int64], wanted: float) -> int:
    """Return the position of the number nearest to `wanted` (of two that are as near, the first); `below` ascends."""
    after = min(max(int(np.searchsorted(below, wanted)), 1), below.size - 1)
    return after if below[after] - wanted < wanted - below[after - 1] else after - 1
