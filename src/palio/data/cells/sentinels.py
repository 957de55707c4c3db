"""Notice values that stand for "not known", as `-999` and `9999-12-31`: again and again, far from all others."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

import numpy as np

from palio.core.words import counted
from palio.data.cells.uniqueness import Numbers

_NINES = frozenset(sign * float("9" * n) for n in range(2, 10) for sign in (1, -1))
"""Such sentinels are nines in nearly every table that has any."""
_BOUNDS = frozenset(sign * (2.0**n - k) for n in (15, 31, 32, 63) for k in (0, 1) for sign in (1, -1))
"""Others are the least or the greatest whole number that a type holds."""
_HUGE = 1e15
"""Others are beyond all that is counted, as the fill values of netCDF."""
_DAYS = frozenset(
    dt.datetime.fromisoformat(f"{day}T{time}+00:00").timestamp()
    for day in (
        *("1111-11-11", "1601-01-01", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01"),
        *("1970-01-01", "2099-12-31", "2999-12-31", "9999-01-01", "9999-12-31"),
    )
    for time in ("00:00:00", "23:59:59")
)
"""Days that programs write where there is none."""
_LEAST = 2
_ROUNDS = 12
"""So many different sentinels are looked for in one piece of a column."""


class Sentinels:
    """Watch a column for values beyond the range of all others that are known to stand for none."""

    def __init__(self, *, of_moments: bool = False) -> None:
        self._counts: Counter[float] = Counter()
        self._low, self._high = np.inf, -np.inf
        self._of_moments = of_moments

    def add(self, numbers: Numbers) -> None:
        """Take in more values, none of them missing; moments as seconds since 1970."""
        for _ in range(_ROUNDS):  # a sentinel is the least or the greatest, so that others need not be looked at
            if not len(numbers):
                return
            low, high = float(numbers.min()), float(numbers.max())
            extreme = next((value for value in (low, high) if self._may_stand_for_none(value)), None)
            if extreme is None:
                break
            is_extreme = numbers == extreme
            self._counts[extreme] += int(is_extreme.sum())
            numbers = numbers[~is_extreme]
        if len(numbers):
            self._low, self._high = min(self._low, float(numbers.min())), max(self._high, float(numbers.max()))

    def _may_stand_for_none(self, value: float) -> bool:
        if self._of_moments:
            return value in _DAYS
        return value in _NINES or value in _BOUNDS or abs(value) >= _HUGE

    def found(self) -> dict[float, int]:
        """Return the sentinels that lie farther from all other values than these do from each other, and their rows.

        Example:
            >>> watch = Sentinels()
            >>> watch.add(np.array([20.5, -999, 21, 19, -999, 99]))
            >>> watch.found()
            {-999.0: 2}
        """
        low, high = self._range()
        if not low < high:
            return {}
        return {
            nines: n
            for nines, n in sorted(self._counts.items())
            if n >= _LEAST and max(low - nines, nines - high) > high - low
        }

    def _range(self) -> tuple[float, float]:
        """Return the least and the greatest of all other values; what stands there once is one of them."""
        others = [value for value, n in self._counts.items() if n < _LEAST]
        return min([self._low, *others]), max([self._high, *others])

    def doubts(self, marks: Counter[str], written: Callable[[float], str] = "{:.12g}".format) -> list[str]:
        """Say which values may stand for "not known", and what to do then.

        Args:
            marks: Cells that were taken as missing already.
            written: Writes a value as the cells do.
        """
        found = self.found()
        if not found:
            return []
        shown = " and ".join(f"`{written(value)}` ({counted(n, 'row')})" for value, n in found.items())
        own = [*(written(value) for value in found), *(mark for mark in sorted(marks) if mark)]
        listed = ", ".join(f'"{mark}"' for mark in own)
        low, high = (written(value) if self._of_moments else f"{value:.6g}" for value in self._range())
        return [
            f"{shown} {'lies' if len(found) == 1 else 'lie'} far from all other values, {low} to "
            f'{high}; if "not known" is meant, write missing = [{listed}] in schema.toml'
        ]
