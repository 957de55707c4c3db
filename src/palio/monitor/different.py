"""Count the different rows of each window, whoever answered them, and those of each segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.monitoring import Window
from palio.monitor.timeline import Stretch, place, rows_of

Array = np.ndarray[Any, np.dtype[Any]]


class Different:
    """The rows of windows of equal length that are no copies.

    Args:
        stretches: The windows.
        segments: Segment → the log's column and the value.
    """

    def __init__(self, stretches: Sequence[Stretch], segments: Mapping[str, tuple[str, str]]) -> None:
        self._stretches, self._segments = stretches, segments
        self._n_rows = np.zeros(len(stretches), np.int64)
        self.rows_of_segments = {name: np.zeros(len(stretches), np.int64) for name in segments}
        """Segment → its rows in each window."""

    def add(self, batch: Mapping[str, Array], rows: Array, fresh: Array) -> None:
        """Count those of the rows of a batch that are no copies (`fresh`)."""
        places = np.full(len(batch["at"]), -1)
        places[rows[fresh]] = place(batch["at"][rows[fresh]], self._stretches)
        self._count(self._n_rows, places)
        for name, segment in self._segments.items():
            self._count(self.rows_of_segments[name], places[rows_of(batch, segment)])

    def _count(self, into: Array, places: Array) -> None:
        into += np.bincount(places[places >= 0], minlength=len(self._stretches))

    def told(self, windows: Sequence[Window]) -> list[Window]:
        """Say in each window how many of its rows are different."""
        return [
            msgspec.structs.replace(one, n_distinct=min(n, one.n_rows))
            for one, n in zip(windows, self._n_rows.tolist(), strict=True)
        ]
