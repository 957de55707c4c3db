"""Say of a category what its rows have in common: their mean target, and how many they are.

The mean of a value is drawn towards that of all rows, the more so the fewer rows it has and the less values differ.
What a row learns from must not know its own truth: it gets the mean of the rows of its value in other folds.

Source: Micci-Barreca 2001, ACM SIGKDD Explorations 3(1); Searle, Casella and McCulloch 1992, Variance Components, ch. 3
(how much values differ: the analysis-of-variance estimate).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.records import Task
from palio.core.seeds import derive
from palio.model.graph.builder import GraphBuilder
from palio.model.tabular.options import PreprocessingOptions, Style

Array = npt.NDArray[np.float64]

N_FOLDS = 5
MAX_VALUES = 10_000
"""Values of a column that are told apart; the others, and those of a single row, count as one."""
MAX_CLASSES = 10
"""Classes that an encoding speaks of, most frequent first."""
SURE = 3.0
"""Values differ if the ratio of variances is above what chance makes of it by so many standard deviations."""
LEAST_ROWS, MOST_ROWS = 1.0, 1e6
"""Bounds on how many rows of the mean of all rows are mixed into that of a value."""


class EncodingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of each value of one column."""

    column: str
    names: tuple[str, ...]
    """Of the features."""
    values: tuple[str, ...]
    """Values that are told apart."""
    numbers: tuple[tuple[float, ...], ...]
    """Feature → the number of each value."""
    others: tuple[float, ...]
    """Feature → the number of all other values."""


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """What is averaged over the rows of a value."""

    names: tuple[str, ...]
    """Of each signal; empty for the only one."""
    rows: Any
    """Shape (n_rows, n_signals), float64."""
    are_shares: bool
    weights: Any = None
    """Shape (n_rows,) or None."""


def signals_of(task: Task, target: npt.NDArray[Any], weights: npt.NDArray[Any] | None) -> Signals:
    """Say what to average: the value, whether it is the second of two classes, or which of several it is."""
    if task.kind == "regression":
        values = np.clip(np.nan_to_num(np.asarray(target, np.float64)), -1e150, 1e150)
        return Signals(names=("",), rows=values.reshape(-1, 1), are_shares=False, weights=weights)
    if len(task.classes) == 2:
        return Signals(
            names=("",), rows=np.asarray(target == 1, np.float64).reshape(-1, 1), are_shares=True, weights=weights
        )
    counts = np.bincount(np.asarray(target, np.int64), minlength=len(task.classes))
    chosen = sorted(np.argsort(-counts, kind="stable")[:MAX_CLASSES].tolist())
    rows = np.column_stack([np.asarray(target == label, np.float64) for label in chosen])
    names = tuple(f" ({task.classes[label]})" for label in chosen)
    return Signals(names=names, rows=rows, are_shares=True, weights=weights)


def fit_encoding(
    column: str, values: npt.NDArray[Any], *, signals: Signals | None, style: Style, options: PreprocessingOptions
) -> tuple[EncodingSpec, Array] | None:
    """Learn one column from `values`, shape (n_rows,), "" where missing; None if there is nothing to say of it.

    Returns:
        The encoding of rows that come later, and what the rows that were learned from may know of themselves,
        shape (n_rows, n_features).
    """
    counts = Counter(values.tolist())
    if options.encode == "none" or len(counts) <= options.encode_from:
        return None
    kept = sorted((value for value in counts if counts[value] > 1), key=lambda value: (-counts[value], value))
    kept = kept[:MAX_VALUES]
    places = {value: place for place, value in enumerate(kept)}
    at = np.fromiter((places.get(value, len(kept)) for value in values.tolist()), np.int64, len(values))
    found: list[tuple[str, Array, Array]] = []
    if options.encode in ("target", "both") and signals is not None:
        found += _targets(column, at, len(kept) + 1, signals)
    if options.encode in ("count", "both") and len(set(counts.values())) > 1:
        found.append(_counts(column, at, values, counts, kept))
    if style == "linear":
        found = [_standardised(name, table, rows, is_share=_is_share(name, signals)) for name, table, rows in found]
    if not found:
        return None
    spec = EncodingSpec(
        column=column,
        names=tuple(name for name, _, _ in found),
        values=tuple(kept),
        numbers=tuple(tuple(table[:-1].tolist()) for _, table, _ in found),
        others=tuple(float(table[-1]) for _, table, _ in found),
    )
    return spec, np.column_stack([rows for _, _, rows in found])


def _targets(column: str, at: npt.NDArray[np.int64], size: int, signals: Signals) -> list[tuple[str, Array, Array]]:
    """Return (name, number of each value, number of each row without its fold) of each signal that values differ in."""
    weights = np.ones(len(at)) if signals.weights is None else np.asarray(signals.weights, np.float64)
    fold = np.random.default_rng(derive(0, "encoding", column, len(at))).permutation(len(at)) % N_FOLDS
    cell = at * N_FOLDS + fold
    n_rows = np.bincount(cell, weights, size * N_FOLDS).reshape(size, N_FOLDS)
    of_value, without = n_rows.sum(axis=1), (n_rows.sum(axis=1, keepdims=True) - n_rows).ravel()[cell]
    found = []
    for name, signal in zip(signals.names, signals.rows.T, strict=True):
        middle = float(np.average(signal, weights=weights)) if weights.sum() > 0 else float(signal.mean())
        away = (signal - middle) * weights
        sums = np.bincount(cell, away, size * N_FOLDS).reshape(size, N_FOLDS)
        mixed = _rows_to_mix(at, size, signal - middle, weights)
        if mixed is None:
            continue
        table = middle + sums.sum(axis=1) / (of_value + mixed)
        rows = middle + (sums.sum(axis=1, keepdims=True) - sums).ravel()[cell] / (without + mixed)
        found.append((f"mean target of {column}{name}", table, np.maximum(rows, 0) if signals.are_shares else rows))
    return found


def _rows_to_mix(at: npt.NDArray[np.int64], size: int, away: Array, weights: Array) -> float | None:
    """Return the variance within values over that between them, in rows; None if values do not surely differ."""
    n_rows = np.bincount(at, weights, size)
    seen = n_rows > 0
    n_values, total = int(seen.sum()), float(n_rows.sum())
    scale = float(np.abs(away).max())
    left = len(at) - n_values
    if scale == 0 or n_values < 2 or left < 1:
        return None
    away = away / scale
    means = np.divide(np.bincount(at, away * weights, size), n_rows, out=np.zeros(size), where=seen)
    within = float((weights * (away - means[at]) ** 2).sum()) / left
    between = float((n_rows * means**2).sum()) / (n_values - 1)
    if between <= within * (1 + SURE * (2 / (n_values - 1) + 2 / left) ** 0.5):
        return None
    spread = (between - within) * (n_values - 1) / (total - float((n_rows**2).sum()) / total)
    return float(np.clip(within / spread, LEAST_ROWS, MOST_ROWS))


def _counts(
    column: str, at: npt.NDArray[np.int64], values: npt.NDArray[Any], counts: Counter[str], kept: list[str]
) -> tuple[str, Array, Array]:
    """Count the other rows of a value: what a row that comes later finds, and a row that was learned from found."""
    table = np.array([*(counts[value] for value in kept), 0.0])
    others = np.fromiter((counts[value] - 1.0 for value in values.tolist()), np.float64, len(at))
    return f"rows with this {column}", table, np.where(at < len(kept), others, 0.0)


def _is_share(name: str, signals: Signals | None) -> bool:
    return name.startswith("mean target") and signals is not None and signals.are_shares


def _standardised(name: str, table: Array, rows: Array, *, is_share: bool) -> tuple[str, Array, Array]:
    """Let a linear model see log-odds of shares and logarithms of counts, of mean 0 and deviation 1."""

    def shape(numbers: Array) -> Array:
        if is_share:
            inner = np.clip(numbers, 1e-4, 1 - 1e-4)
            return np.asarray(np.log(inner / (1 - inner)))
        return np.log1p(numbers) if name.startswith("rows with") else numbers

    table, rows = shape(table), shape(rows)
    middle, spread = float(rows.mean()), float(rows.std())
    spread = spread if spread > 0 and np.isfinite(spread) else 1.0
    return name, (table - middle) / spread, (rows - middle) / spread


def emit_encodings(builder: GraphBuilder, specs: tuple[EncodingSpec, ...]) -> list[str]:
    """Add the nodes of `specs`; return a block of features for each number said of each column."""
    blocks: list[str] = []
    for spec in specs:
        column, keys = builder.input(spec.column), list(spec.values)
        for numbers, other in zip(spec.numbers, spec.others, strict=True):
            blocks.append(builder.labels(column, keys, list(numbers), other))
    return blocks
