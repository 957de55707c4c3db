"""Categories as features: codes for trees, indicators for linear models, an order for forests."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from palio.model.builder import GraphBuilder
from palio.model.options import PreprocessingOptions

MISSING = ""
SMOOTHING_ROWS = 20.0
"""Rows of the overall mean mixed into a category's own, when categories are ordered by the target."""


class CategorySpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one category or boolean column becomes features."""

    column: str
    encoding: Literal["code", "one_hot", "order"]
    values: tuple[str, ...]
    """Values with a number of their own; "" is missing."""
    numbers: tuple[float, ...]
    """The number of each value: a code from 1 by frequency (`code`, `one_hot`), or its rank by the target."""
    other: float
    """The number of rare values and those never seen."""
    missing: float
    """The number of a missing value; NaN if the rows held none."""
    shown: tuple[tuple[float, str], ...] = ()
    """`one_hot`: (number, name) of each indicator."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features of this column."""
        if self.encoding == "one_hot":
            return tuple(f"{self.column}={name}" for _, name in self.shown)
        return (self.column,)


def fit_category(
    column: str,
    values: npt.NDArray[Any],
    *,
    style: str,
    options: PreprocessingOptions,
    signal: npt.NDArray[np.float64] | None,
) -> CategorySpec | None:
    """Learn one column from `values`, shape (n,), "" where missing; None if all rows are alike.

    Args:
        signal: One number per row; style `forest` orders many values by its mean.
    """
    counts = Counter(values.tolist())
    if len(counts) < 2:
        return None
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    common = [v for v in ordered if v != MISSING and counts[v] >= options.min_count][: options.max_categories]
    if not common:  # nothing is common in a small table: keep what there is
        common = [v for v in ordered if v != MISSING][: options.max_categories]
    has_other = len(counts) > len(common) + (MISSING in counts)
    kept = sorted([*common, *([MISSING] if MISSING in counts else [])], key=ordered.index)
    codes = {value: float(code) for code, value in enumerate(kept, start=1)}
    other = float(len(kept) + 1)
    if style == "forest" and len(kept) + has_other > options.one_hot_limit:
        codes, other = _order(values, codes, other, signal)
        return _spec(column, "order", codes, other)
    if style == "tree":
        return _spec(column, "code", codes, other)
    shown = [(codes[value], value if value != MISSING else "(missing)") for value in kept]
    if has_other:
        shown.append((other, "(other)"))
    if len(shown) == 2:
        shown = shown[1:]  # two sides of one fact
    return _spec(column, "one_hot", codes, other, tuple(shown))


def _spec(
    column: str,
    encoding: Literal["code", "one_hot", "order"],
    codes: dict[str, float],
    other: float,
    shown: tuple[tuple[float, str], ...] = (),
) -> CategorySpec:
    return CategorySpec(
        column=column,
        encoding=encoding,
        values=tuple(codes),
        numbers=tuple(codes.values()),
        other=other,
        missing=codes.get(MISSING, other if encoding == "order" else float("nan")),
        shown=shown,
    )


def _order(
    values: npt.NDArray[Any], codes: dict[str, float], other: float, signal: npt.NDArray[np.float64] | None
) -> tuple[dict[str, float], float]:
    """Rank values by the smoothed mean of `signal` (as they are, if there is none); return ranks and other's rank."""
    if signal is None:
        return codes, other
    index = np.array([codes.get(value, other) for value in values.tolist()], dtype=np.int64)
    size = int(other) + 1
    overall = float(signal.mean())
    sums = np.bincount(index, weights=signal, minlength=size) + SMOOTHING_ROWS * overall
    means = sums / (np.bincount(index, minlength=size) + SMOOTHING_ROWS)
    ranks = np.empty(size - 1)
    ranks[np.argsort(means[1:], kind="stable")] = np.arange(1, size)
    return {value: float(ranks[int(code) - 1]) for value, code in codes.items()}, float(ranks[-1])


def emit_categories(builder: GraphBuilder, specs: tuple[CategorySpec, ...]) -> list[str]:
    """Add the nodes of `specs`; return blocks of features in their order."""
    numbers = [_number(builder, spec) for spec in specs]
    blocks: list[str] = []
    start = 0
    while start < len(specs):
        stop = start
        is_one_hot = specs[start].encoding == "one_hot"
        while stop < len(specs) and (specs[stop].encoding == "one_hot") == is_one_hot:
            stop += 1
        joined = builder.concat(numbers[start:stop])
        if is_one_hot:
            repeats = [k for k, spec in enumerate(specs[start:stop]) for _ in spec.shown]
            wanted = builder.constant([number for spec in specs[start:stop] for number, _ in spec.shown])
            joined = builder.cast(builder.node("Equal", builder.columns(joined, repeats), wanted), "double")
        blocks.append(joined)
        start = stop
    return blocks


def _number(builder: GraphBuilder, spec: CategorySpec) -> str:
    keys, numbers = list(spec.values), list(spec.numbers)
    if MISSING not in spec.values:
        keys.append(MISSING)
        numbers.append(spec.missing)
    return builder.labels(builder.input(spec.column), keys, numbers, spec.other)
