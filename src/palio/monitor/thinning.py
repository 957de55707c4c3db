"""Keep an even sample of a stream of rows whose length nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class RowSample:
    """Every k-th row of a stream, `limit` rows at most; k doubles when there are more.

    Args:
        columns: To keep. A column that a batch does not have is given up, since its rows would not fit the others.
        limit: Rows that are held, at most.

    Example:
        >>> sample = RowSample(["x"], limit=4)
        >>> for start in range(0, 30, 3):
        ...     sample.add({"x": np.arange(start, start + 3)}, n_rows=3)
        >>> sample.rows()["x"].tolist()
        [0, 8, 16, 24]
    """

    def __init__(self, columns: Iterable[str], *, limit: int) -> None:
        self.limit = limit
        self._kept: dict[str, list[Array]] = {name: [] for name in columns}
        self._step, self._seen, self._n_kept = 1, 0, 0

    def add(self, batch: Mapping[str, Array], *, n_rows: int) -> None:
        """Look at the next rows."""
        first = -self._seen % self._step
        self._seen += n_rows
        if first >= n_rows:
            return
        for name in [name for name in self._kept if name not in batch]:
            del self._kept[name]
        for name, parts in self._kept.items():
            parts.append(batch[name][first :: self._step].copy())
        self._n_kept += len(range(first, n_rows, self._step))
        while self._n_kept > self.limit:
            self._step *= 2
            self._kept = {name: [np.concatenate(parts)[::2]] for name, parts in self._kept.items()}
            self._n_kept = -(-self._n_kept // 2)

    def rows(self) -> dict[str, Array]:
        """Return the rows that are held, column by column."""
        return {name: np.concatenate(parts) for name, parts in self._kept.items() if parts}
