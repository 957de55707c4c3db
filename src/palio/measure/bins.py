"""Count columns into the bins of what a model was trained on: the same code at training and at monitoring.

Cells come as a graph takes them: float64 with NaN for missing, texts (objects or `StringDType`) with "" for missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.monitoring import ColumnCounts, ReferenceColumn
from palio.measure.texts import text_statistics

Array = npt.NDArray[Any]
Rows = slice | Array

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
_AT_ONCE = 65_536
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
    values = np.asarray(values, np.float64)[thin_rows(len(values), EDGE_ROWS)]
    ranked = np.sort(values[np.isfinite(values)])
    different = ranked[np.r_[True, ranked[1:] > ranked[:-1]]] if len(ranked) else ranked
    if len(different) <= n_bins:
        below, above = different[:-1], different[1:]
        middle = below / 2 + above / 2
        found = np.where((middle > below) & (middle < above), middle, above)
    else:
        found = np.unique(np.quantile(ranked, np.linspace(0, 1, n_bins + 1)[1:-1], method="lower"))
        found = found[found > ranked[0]]
    return tuple(found.tolist())


def most_frequent(values: Array, *, n_values: int = N_CATEGORIES) -> tuple[str, ...]:
    """List the most frequent texts, the first one first; equally frequent ones by alphabet. Missing is none.

    Example:
        >>> most_frequent(np.array(["b", "a", "", "b"], object))
        ('b', 'a')
    """
    counts = Counter(values[thin_rows(len(values), EDGE_ROWS)].tolist())
    counts.pop("", None)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(value for value, _ in ranked[:n_values])


def bins_of(column: ReferenceColumn, values: Array) -> Array:
    """Find the bin of each row, shape (n_rows,) int64; the last bin holds what is missing."""
    last = len(column.counts) - 1
    if column.kind == "category":
        places: dict[str | None, int] = {value: place for place, value in enumerate(column.values)}
        places[""] = places[None] = last
        found = map(places.get, values.tolist(), repeat(len(column.values)))
        return np.fromiter(found, np.int64, len(values))
    numbers = np.asarray(values, np.float64)
    place = np.searchsorted(np.asarray(column.edges), numbers, side="right")
    place[np.isnan(numbers)] = last
    return place


def count(column: ReferenceColumn, values: Array) -> ColumnCounts:
    """Count cells into the bins of a column. Counts of other cells may be added to them.

    Costs about 40 ns a number and 60 ns a text, however many different ones there are (benchmarks/monitoring); some
    tens of thousands of cells in one call are best.

    Example:
        >>> ages = number_column("age", np.array([20.0, 30.0, 40.0]))
        >>> count(ages, np.array([25.0, 31.0, 99.0, np.nan])).counts
        (0, 2, 1, 1)
    """
    n_bins = len(column.counts)
    if column.kind == "category":
        found = np.bincount(bins_of(column, values), minlength=n_bins)
        return ColumnCounts(name=column.name, counts=tuple(found.tolist()))
    numbers = np.asarray(values, np.float64)
    marks = np.array([*column.edges, np.inf])
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    below, n_low, n_high = np.zeros(n_bins, np.int64), 0, 0
    for start in range(0, len(numbers), _AT_ONCE):  # sorted first, each edge is looked up once, not each value
        ranked = np.sort(numbers[start : start + _AT_ONCE])  # missing ones last
        n_known = int(np.searchsorted(ranked, np.nan))
        known = ranked[:n_known]
        below[:-1] += np.searchsorted(known, marks)
        below[-2] += n_known - int(np.searchsorted(known, np.inf))
        below[-1] += len(ranked)
        n_low += int(np.searchsorted(known, low))
        n_high += n_known - int(np.searchsorted(known, high, side="right"))
    decimals = decimals_of(numbers) if column.decimals else ()
    counts = np.diff(below, prepend=0)
    return ColumnCounts(name=column.name, counts=tuple(counts.tolist()), n_low=n_low, n_high=n_high, decimals=decimals)


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


def log_column(column: ReferenceColumn) -> str:
    """Name the column of the prediction log, and of the reference rows, that a reference column is computed from."""
    return f"input.{column.source}" if column.role == "feature" else column.source


def count_rows(columns: Iterable[ReferenceColumn], cells: Mapping[str, Array]) -> tuple[ColumnCounts, ...]:
    """Count rows as they stand in the prediction log: `input.<column>`, `prediction`, `probability_<class>`.

    Statistics of texts are computed once for each text column, of a thinned sample. Columns that are not there, or were
    redacted or hashed so that no number is left, are left out.
    """
    found, texts = [], dict[str, dict[str, Array]]()
    wanted = tuple(columns)
    vocabularies = {c.source: c.vocabulary for c in wanted if c.statistic and c.vocabulary}
    for column in wanted:
        key = log_column(column)
        if key not in cells:
            continue
        values = cells[key]
        if column.statistic:
            if column.source not in texts:
                some = values[thin_rows(len(values), TEXT_ROWS)]
                is_text = not any(cell is None for cell in some.tolist())
                vocabulary = np.frombuffer(vocabularies.get(column.source, b""), "<u4")
                texts[column.source] = text_statistics(some, vocabulary) if is_text else {}
            if column.statistic in texts[column.source]:
                found.append(count(column, texts[column.source][column.statistic]))
        elif _is_readable(column, values):
            found.append(count(column, values))
    return tuple(found)


def number_column(
    name: str,
    values: Array,
    *,
    blocks: Sequence[Rows] = (slice(None),),
    source: str = "",
    statistic: str = "",
    role: Literal["feature", "answer"] = "feature",
    is_moment: bool = False,
    vocabulary: bytes = b"",
) -> ReferenceColumn:
    """Make the bins of a number and fill them.

    Args:
        name: Of the column.
        values: Shape (n_rows,).
        blocks: Runs of rows that are counted apart; together all rows, each once.
        source: Column that it is computed from; empty is the column itself.
        statistic: What is computed of it.
        role: Whose column it is.
        is_moment: Whether the numbers are seconds since 1970.
        vocabulary: Of the statistic `unseen_tokens`.
    """
    numbers = np.asarray(values, np.float64)
    edges = inner_edges(numbers)
    low, high, mean, spread = _moments(numbers)
    column = ReferenceColumn(
        name=name,
        role=role,
        source=source or name,
        statistic=statistic,
        kind="number",
        edges=edges,
        counts=(0,) * (len(edges) + 2),
        low=low,
        high=high,
        mean=mean,
        standard_deviation=spread,
        decimals=() if statistic or role == "answer" or is_moment else decimals_of(numbers),
        is_moment=is_moment,
        vocabulary=vocabulary,
    )
    return _filled(column, numbers, blocks)


def category_column(
    name: str,
    values: Array,
    *,
    blocks: Sequence[Rows] = (slice(None),),
    source: str = "",
    role: Literal["feature", "answer"] = "feature",
    known: Sequence[str] = (),
) -> ReferenceColumn:
    """Make the bins of a category and fill them; arguments as for numbers.

    Args:
        known: Values that have a bin even if no row holds them.
    """
    seen = most_frequent(values)
    chosen = (*seen, *(value for value in known if value and value not in seen))[:N_CATEGORIES]
    column = ReferenceColumn(
        name=name,
        role=role,
        source=source or name,
        kind="category",
        values=chosen,
        counts=(0,) * (len(chosen) + 2),
    )
    return _filled(column, values, blocks)


def _filled(column: ReferenceColumn, values: Array, blocks: Sequence[Rows]) -> ReferenceColumn:
    if column.kind == "category" or len(values) <= _AT_ONCE:  # few rows: looking all up at once costs least
        places = bins_of(column, values)
        found = [tuple(np.bincount(places[rows], minlength=len(column.counts)).tolist()) for rows in blocks]
    else:
        found = [count(column, values[rows]).counts for rows in blocks]
    total: Array = np.asarray(found, np.int64).sum(axis=0)
    return msgspec.structs.replace(column, counts=tuple(total.tolist()), blocks=tuple(found) if len(found) > 1 else ())


def _moments(numbers: Array) -> tuple[float | None, float | None, float | None, float | None]:
    """Return the smallest and largest finite number, mean and standard deviation; None where there is none."""

    def finite() -> Iterator[Array]:
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            yield some[np.isfinite(some)]

    n = sum(len(some) for some in finite())
    if not n:
        return None, None, None, None
    low = min(float(some.min()) for some in finite() if len(some))
    high = max(float(some.max()) for some in finite() if len(some))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(float(some.sum()) for some in finite()) / n
        spread = math.sqrt(sum(float(((some - mean) ** 2).sum()) for some in finite()) / (n - 1)) if n > 1 else None
    if not math.isfinite(mean):
        return low, high, None, None
    return low, high, mean, spread if spread is not None and math.isfinite(spread) else None


def _is_readable(column: ReferenceColumn, values: Array) -> bool:
    if column.kind == "number":
        return values.ndim == 1 and values.dtype.kind in "fiub"
    return values.ndim == 1 and values.dtype.kind in "OTU" and not all(v is None for v in values[:1].tolist())


def _sum(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
