"""Keep some rows of a window, each as likely as any other, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from palio.monitor.quality.features import Array


class Kept:
    """A sample of rows that can be merged with others: the rows with the least of random numbers.

    Args:
        limit: Rows kept at most.
        rng: Source of chance; samples that are to be merged need streams of their own.
    """

    def __init__(self, limit: int, rng: np.random.Generator) -> None:
        self.limit, self._rng = limit, rng
        self._draws = np.empty(0)
        self.columns: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self._draws)

    def add(self, columns: Mapping[str, Array]) -> None:
        """Offer rows: name → values, as many in each."""
        n_rows = len(next(iter(columns.values())))
        self._keep(self._rng.random(n_rows), columns)

    def merge(self, other: Kept) -> None:
        """Offer the rows that another sample kept."""
        if len(other):
            self._keep(other._draws, other.columns)

    def _keep(self, draws: Array, columns: Mapping[str, Array]) -> None:
        if len(self) >= self.limit:
            fine = draws < self._draws.max()
            draws, columns = draws[fine], {name: values[fine] for name, values in columns.items()}
        joined = np.concatenate([self._draws, draws])
        best = np.argpartition(joined, self.limit)[: self.limit] if len(joined) > self.limit else np.arange(len(joined))
        self._draws = joined[best]
        for name, values in columns.items():
            both = np.concatenate([self.columns[name], values]) if name in self.columns else np.asarray(values)
            self.columns[name] = both[best]
