"""Read the inputs of a batch as columns of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Batch = Mapping[str, Array]
_N_CATEGORIES = 30
_N_VALUES = 1_000
"""A text column with more values than this holds names or sentences, not categories."""
_LEAST_KNOWN = 0.5
_LEAST_VALUES = 20
"""A number with fewer values in the reference tells nothing, and trees cannot be grown on none."""


class Features:
    """The inputs of a row as numbers, in the same columns for every batch.

    Numbers stay, categories become codes by their frequency in the reference, missing is NaN. Tensors and texts with
    very many values are left out.

    Args:
        rows: Rows of the reference, `input.<column>`.
        columns: Only these columns, such as those that the log keeps; None takes all.
    """

    def __init__(self, rows: Batch, columns: Iterable[str] | None = None) -> None:
        wanted = None if columns is None else set(columns)
        self._codes: dict[str, dict[str, float] | None] = {}
        for name in rows:
            if not name.startswith("input.") or (wanted is not None and name.removeprefix("input.") not in wanted):
                continue
            values = np.asarray(rows[name])
            if values.ndim != 1:
                continue
            if values.dtype.kind in "biuf":
                if np.isfinite(values.astype(np.float64)).sum() >= _LEAST_VALUES:
                    self._codes[name] = None
            elif (codes := _codes_of(values)) is not None and len(codes) > 1:
                self._codes[name] = codes

    @property
    def is_category(self) -> list[bool]:
        """Which columns hold codes."""
        return [codes is not None for codes in self._codes.values()]

    def of(self, batch: Batch) -> tuple[Array, Array]:
        """Return the features, shape (n_rows, n_columns), and which rows have most of their inputs."""
        n_rows = len(batch["prediction"])
        columns = [self._column(name, codes, batch, n_rows) for name, codes in self._codes.items()]
        if not columns:
            return np.empty((n_rows, 0)), np.zeros(n_rows, bool)
        absent = np.mean([gone for _, gone in columns], axis=0)
        return np.stack([values for values, _ in columns], axis=1), absent < _LEAST_KNOWN

    @staticmethod
    def _column(name: str, codes: dict[str, float] | None, batch: Batch, n_rows: int) -> tuple[Array, Array]:
        values = np.asarray(batch[name]) if name in batch else np.empty(0)
        of_kind = values.dtype.kind in "biuf" if codes is None else values.dtype.kind in "OSUT"
        if values.ndim != 1 or len(values) != n_rows or not of_kind:
            return np.full(n_rows, np.nan), np.ones(n_rows, bool)
        if codes is None:
            numbers = values.astype(np.float64)
            return numbers, np.isnan(numbers)
        texts = _texts(values, missing="")
        coded = np.fromiter(map(codes.get, texts, repeat(float(_N_CATEGORIES))), np.float64, n_rows)
        return coded, np.isnan(coded)


def _texts(values: Array, *, missing: str = "None") -> list[str]:
    """Return cells as texts; most are texts already."""
    cells: list[Any] = values.tolist()
    if set(map(type, cells)) <= {str}:
        return cells
    return [missing if value is None else str(value) for value in cells]


def _codes_of(values: Array) -> dict[str, float] | None:
    """Number the frequent categories; None if there are too many values to be categories."""
    found = Counter("" if value is None else str(value) for value in values.tolist())
    if len(found) > min(_N_VALUES, max(2, len(values) // 2)):
        return None
    ranked = sorted(found, key=lambda text: (-found[text], text))
    frequent = [text for text in ranked if text][:_N_CATEGORIES]
    return {text: float(place) for place, text in enumerate(frequent)} | {"": float("nan")}
