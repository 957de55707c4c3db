"""Cut columns into bins and count cells into them: the same code when rows come in, at training and at monitoring.

Cells come as a graph takes them: float64 with NaN for missing, texts (objects or `StringDType`) with "" for missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import PICTURE_STATISTICS
from palio.core.monitoring import ColumnCounts
from palio.core.records import ColumnShape
from palio.measure.statistics import compute_statistics

Array = npt.NDArray[Any]

N_FINE = 256
"""Bins of a number, at most; missing is one more."""
N_CATEGORIES = 100
"""Categories that have a bin of their own; the rest share one."""
EDGE_ROWS = 262_144
"""Rows, evenly drawn, whose quantiles and categories make the bins. The counts in them are exact."""
DECIMAL_ROWS = 1_024
"""Values, evenly drawn, whose digits behind the point are counted."""
TEXT_ROWS = 4_096
"""Texts, evenly drawn, that statistics are computed of in one call."""
MOST_DECIMALS = 6
AT_ONCE = 65_536
"""Values that are sorted together: they stay in the cache."""


def thin_rows(n_rows: int, limit: int) -> slice:
    """Choose every k-th of `n_rows` rows, so that there are `limit` at most.

    Example:
        >>> thin_rows(10, 4)
        slice(None, None, 3)
    """
    return slice(None, None, max(1, -(-n_rows // limit)))


def inner_edges(values: Array, *, n_bins: int = N_FINE) -> tuple[float, ...]:
    """Cut numbers at their quantiles; where there are no more than `n_bins` different ones, between all of them.

    Args:
        values: Shape (n_rows,); missing and infinite ones are left out.
        n_bins: Bins that come out, at most.

    Returns:
        Increasing; a value on an edge belongs to the bin above it. Empty if all values are equal.

    Example:
        >>> inner_edges(np.array([1.0, 2.0, 2.0, 5.0, np.nan]))
        (1.5, 3.5)
    """
    return cut(np.asarray(values, np.float64)[thin_rows(len(values), EDGE_ROWS)], n_bins=n_bins)[0]


def cut(values: Array, *, n_bins: int = N_FINE) -> tuple[tuple[float, ...], Array]:
    """Return the inner edges of all these numbers, and which different finite ones there are, increasing."""
    ranked = np.sort(values[np.isfinite(values)])
    different = ranked[np.r_[True, ranked[1:] > ranked[:-1]]] if len(ranked) else ranked
    if len(different) <= n_bins:
        below, above = different[:-1], different[1:]
        middle = below / 2 + above / 2
        found = np.where((middle > below) & (middle < above), middle, above)
    else:
        found = np.unique(np.quantile(ranked, np.linspace(0, 1, n_bins + 1)[1:-1], method="lower"))
        found = found[found > ranked[0]]
    return tuple(found.tolist()), different


def most_frequent(values: Array, *, n_values: int = N_CATEGORIES) -> tuple[str, ...]:
    """List the most frequent texts, the first one first; equally frequent ones by alphabet. Missing is none.

    Example:
        >>> most_frequent(np.array(["b", "a", "", "b"], object))
        ('b', 'a')
    """
    return ranked(tally(values))[:n_values]


def tally(values: Array) -> Counter[str]:
    """Count texts, of many rows a thinned sample; missing is none."""
    counts = Counter(values[thin_rows(len(values), EDGE_ROWS)].tolist())
    counts.pop("", None)
    return counts


def ranked(counts: Mapping[str, int]) -> tuple[str, ...]:
    """List counted texts, the most frequent first; equally frequent ones by alphabet."""
    return tuple(value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def bins_of(column: ColumnShape, values: Array) -> Array:
    """Find the bin of each row, shape (n_rows,) int64; the last bin holds what is missing."""
    last = len(column.counts) - 1
    if column.kind != "number":
        places: dict[str | None, int] = {value: place for place, value in enumerate(column.values)}
        places[""] = places[None] = last
        found = map(places.get, values.tolist(), repeat(len(column.values)))
        return np.fromiter(found, np.int64, len(values))
    numbers = np.asarray(values, np.float64)
    place = np.searchsorted(np.asarray(column.edges), numbers, side="right")
    place[np.isnan(numbers)] = last
    return place


def count(column: ColumnShape, values: Array) -> ColumnCounts:
    """Count cells into the bins of a column. Counts of other cells may be added to them.

    Costs about 40 ns a number and 60 ns a text, however many different ones there are (benchmarks/monitoring); some
    tens of thousands of cells in one call are best.

    Example:
        >>> from palio.measure.shapes import number_column
        >>> ages = number_column("age", np.array([20.0, 30.0, 40.0]))
        >>> count(ages, np.array([25.0, 31.0, 99.0, np.nan])).counts
        (0, 2, 1, 1)
    """
    n_bins = len(column.counts)
    if column.kind != "number":
        found = np.bincount(bins_of(column, values), minlength=n_bins)
        return ColumnCounts(name=column.name, counts=tuple(found.tolist()))
    numbers = np.asarray(values, np.float64)
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    counts, n_low, n_high = count_numbers(column.edges, numbers, low, high)
    decimals = decimals_of(numbers) if column.decimals else ()
    return ColumnCounts(name=column.name, counts=tuple(counts.tolist()), n_low=n_low, n_high=n_high, decimals=decimals)


def count_numbers(
    edges: Sequence[float], numbers: Array, low: float = -np.inf, high: float = np.inf
) -> tuple[Array, int, int]:
    """Count numbers between edges, those that are missing behind them; and how many lie below `low` and above `high`.

    Example:
        >>> count_numbers((2.0, 3.0), np.array([1.0, 2.0, 5.0, np.nan]), low=1.5)
        (array([1, 1, 1, 1]), 1, 0)
    """
    marks = np.array([*edges, np.inf])
    below, n_low, n_high = np.zeros(len(edges) + 2, np.int64), 0, 0
    for start in range(0, len(numbers), AT_ONCE):  # sorted first, each edge is looked up once, not each value
        ascending = np.sort(numbers[start : start + AT_ONCE])  # missing ones last
        n_known = int(np.searchsorted(ascending, np.nan))
        known = ascending[:n_known]
        below[:-1] += np.searchsorted(known, marks)
        below[-2] += n_known - int(np.searchsorted(known, np.inf))
        below[-1] += len(ascending)
        n_low += int(np.searchsorted(known, low))
        n_high += n_known - int(np.searchsorted(known, high, side="right"))
    return np.diff(below, prepend=0), n_low, n_high


def decimals_of(values: Array) -> tuple[int, ...]:
    """Count a thinned sample of numbers by their digits behind the point: none, 1, …, 6 and more.

    Example:
        >>> decimals_of(np.array([1.0, 2.5, 0.25, 1 / 3]))
        (1, 1, 1, 0, 0, 0, 1)
    """
    left = values[thin_rows(len(values), DECIMAL_ROWS)]
    left = left[np.isfinite(left)]
    found = []
    with np.errstate(over="ignore"):
        for n_digits in range(MOST_DECIMALS):
            n_before = len(left)
            left = left[np.round(left, n_digits) != left]
            found.append(n_before - len(left))
    return (*found, len(left))


def add_counts(one: ColumnCounts, other: ColumnCounts) -> ColumnCounts:
    """Add two counts of the same column."""
    return ColumnCounts(
        name=one.name,
        counts=_sum(one.counts, other.counts),
        n_low=one.n_low + other.n_low,
        n_high=one.n_high + other.n_high,
        decimals=_sum(one.decimals, other.decimals) if one.decimals and other.decimals else one.decimals,
    )


def log_column(column: ColumnShape) -> str:
    """Name the column of the prediction log, and of the reference rows, that a reference column is computed from."""
    if column.statistic in PICTURE_STATISTICS:
        return f"input.{column.source}.{column.statistic}"
    return f"input.{column.source}" if column.role == "feature" else column.source


def count_rows(columns: Iterable[ColumnShape], cells: Mapping[str, Array]) -> tuple[ColumnCounts, ...]:
    """Count rows as they stand in the prediction log: `input.<column>`, `prediction`, `probability_<class>`.

    Statistics of texts are computed once for each column that has some, of a thinned sample; its cells themselves are
    not counted. Those of pictures stand in the log, as far as there was time for them; the others are not counted.
    Columns that are not there, or were redacted or hashed so that no number is left, are left out.
    """
    found, computed = [], dict[str, dict[str, Array]]()
    wanted = [column for column in columns if column.kind != "text"]
    kept: dict[str, dict[str, bytes]] = {}
    for column in wanted:
        if column.statistic and column.statistic not in PICTURE_STATISTICS:
            kept.setdefault(column.source, {})[column.statistic] = column.vocabulary
    for column in wanted:
        key = log_column(column)
        if key not in cells:
            continue
        values = cells[key]
        if column.statistic in PICTURE_STATISTICS:
            if _is_readable(column, values) and len(known := values[~np.isnan(np.asarray(values, np.float64))]):
                found.append(count(column, known))
        elif column.statistic:
            if column.source not in computed:
                some = values[thin_rows(len(values), TEXT_ROWS)]
                computed[column.source] = compute_statistics(kept[column.source], some)
            if column.statistic in computed[column.source]:
                found.append(count(column, computed[column.source][column.statistic]))
        elif _is_readable(column, values):
            found.append(count(column, values))
    return tuple(found)


def _is_readable(column: ColumnShape, values: Array) -> bool:
    if column.kind == "number":
        return values.ndim == 1 and values.dtype.kind in "fiub"
    return values.ndim == 1 and values.dtype.kind in "OTU" and not all(v is None for v in values[:1].tolist())


def _sum(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
