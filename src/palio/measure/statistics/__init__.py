"""What is computed of cells that say little as they are: a table from the type of a column to its statistics.

A kind of statistics is one module here and one line of the table. Whatever it computes has bins in the description of
a column, is watched for drift, and is explained in reports, without a word about it anywhere else.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STATISTICS = {"text": "palio.measure.statistics.texts", "boxes": "palio.measure.statistics.boxes"}
"""Type of the column → the module that computes its statistics."""


class Statistics(Protocol):
    """What a module of the table offers."""

    NAMES: tuple[str, ...]
    """Of the statistics; no other module of the table uses one of them. What follows a point is a part of one."""

    def learn(self, values: Array) -> tuple[dict[str, Array], dict[str, bytes]]:
        """Compute all statistics of the rows that a model learns from, and what later rows are held against.

        Returns:
            Name → shape (n_rows,) float64, NaN where there is nothing to compute; and name → what is kept for it.
        """
        ...

    def compute(self, values: Array, kept: Mapping[str, bytes]) -> dict[str, Array]:
        """Compute all statistics of later rows, with what was kept by `learn`."""
        ...


def statistics_names(type_: str) -> tuple[str, ...]:
    """List the statistics of a type of column, none where it has none.

    Example:
        >>> statistics_names("text")[:2], statistics_names("number")
        (('length', 'n_tokens'), ())
    """
    return _module(STATISTICS[type_]).NAMES if type_ in STATISTICS else ()


def learn_statistics(type_: str, values: Array) -> tuple[dict[str, Array], dict[str, bytes]]:
    """Compute the statistics of rows that a model learns from; see `Statistics.learn`."""
    return _module(STATISTICS[type_]).learn(values)


def compute_statistics(kept: Mapping[str, bytes], values: Array) -> dict[str, Array]:
    """Compute the statistics of later rows; none if the cells are hidden, so that nothing can be computed of them.

    Args:
        kept: The statistics that are wanted, of one column → what was kept for each.
        values: Shape (n_rows,).
    """
    if not np.iterable(values) or any(cell is None for cell in values.tolist()):
        return {}
    found: dict[str, Array] = {}
    for module in map(_module, STATISTICS.values()):
        if any(_root(name) in module.NAMES for name in kept):
            found |= {name: each for name, each in module.compute(values, kept).items() if name in kept}
    return found


def is_statistic(name: str) -> bool:
    """Tell whether a module of the table computes it."""
    return any(_root(name) in statistics_names(type_) for type_ in STATISTICS)


def _root(name: str) -> str:
    """Return the statistic of which one is a part: what stands before the first point."""
    return name.partition(".")[0]


@cache
def _module(path: str) -> Statistics:
    found: Any = importlib.import_module(path)
    return found  # type: ignore[no-any-return]
