"""Some rows of a batch of the log: each column is decoded when it is asked for, and once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class ChosenRows(Mapping[str, Array]):
    """A batch, or rows of it.

    A batch of the log decodes a column each time that it is asked for; a window asks for most of them several times,
    and for some of them never.

    Args:
        batch: Columns by name, of one length.
        rows: Places, or a slice; None is all rows.

    Example:
        >>> few = ChosenRows({"x": np.array([1.0, 2.0, 3.0])}, slice(None, None, 2))
        >>> few["x"].tolist(), list(few)
        ([1.0, 3.0], ['x'])
    """

    def __init__(self, batch: Mapping[str, Array], rows: Array | slice | None = None) -> None:
        self._batch, self._rows = batch, rows
        self._known: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self._batch)

    def __iter__(self) -> Iterator[str]:
        return iter(self._batch)

    def __contains__(self, name: object) -> bool:
        return name in self._batch  # that of Mapping would decode the column

    def __getitem__(self, name: str) -> Array:
        if name not in self._known:
            values = self._batch[name]
            self._known[name] = values if self._rows is None else values[self._rows]
        return self._known[name]
