"""Notice numbers that stand for "not known", as `-999`: nines, again and again, far from all other values."""

from __future__ import annotations

from collections import Counter

import numpy as np

from palio.core.words import counted
from palio.data.cells.uniqueness import Numbers

_NINES = frozenset(sign * float("9" * n) for n in range(2, 10) for sign in (1, -1))
"""Such sentinels are nines in nearly every table that has any."""
_LEAST = 2


class Sentinels:
    """Watch a column for nines beyond the range of all other values."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self._low, self._high = np.inf, -np.inf

    def add(self, numbers: Numbers) -> None:
        """Take in more values, none of them missing."""
        while len(numbers):  # a sentinel is the least or the greatest, so that others need not be looked at
            low, high = float(numbers.min()), float(numbers.max())
            extreme = next((value for value in (low, high) if value in _NINES), None)
            if extreme is None:
                self._low, self._high = min(self._low, low), max(self._high, high)
                return
            is_nines = numbers == extreme
            self._counts[extreme] += int(is_nines.sum())
            numbers = numbers[~is_nines]

    def found(self) -> dict[float, int]:
        """Return the nines that lie farther from all other values than these do from each other, and their rows.

        Example:
            >>> watch = Sentinels()
            >>> watch.add(np.array([20.5, -999, 21, 19, -999, 99]))
            >>> watch.found()
            {-999.0: 2}
        """
        others = [nines for nines, n in self._counts.items() if n < _LEAST]
        low, high = min([self._low, *others]), max([self._high, *others])
        if not low < high:
            return {}
        return {
            nines: n
            for nines, n in sorted(self._counts.items())
            if n >= _LEAST and max(low - nines, nines - high) > high - low
        }

    def doubts(self, marks: Counter[str]) -> list[str]:
        """Say which numbers may stand for "not known", and what to do then.

        Args:
            marks: Cells that were taken as missing already.
        """
        found = self.found()
        if not found:
            return []
        shown = " and ".join(f"`{nines:.0f}` ({counted(n, 'row')})" for nines, n in found.items())
        own = [*(f"{nines:.0f}" for nines in found), *(mark for mark in sorted(marks) if mark)]
        listed = ", ".join(f'"{mark}"' for mark in own)
        return [
            f"{shown} {'lies' if len(found) == 1 else 'lie'} far from all other values, {self._low:.6g} to "
            f'{self._high:.6g}; if "not known" is meant, write missing = [{listed}] in schema.toml'
        ]
