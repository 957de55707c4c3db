"""Hold arriving tensors to the contract of their column: type, missing values, range, categories, finiteness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from palio.core.errors import ContractError
from palio.core.records import Column
from palio.model import MISSING, RANGE, UNKNOWN

Array = np.ndarray[Any, np.dtype[Any]]
Guard = Callable[[Array], Sequence[str]]
"""Takes shape (n_rows, 1); returns the flags of its rows, in no order; raises ContractError."""

NUMERIC = frozenset({"number", "integer", "datetime"})
"""Column types that travel as float64; all others travel as strings."""


def guard_of(column: Column) -> Guard:
    """Build the check of one feature column.

    The check of an array that breaks no rule costs a few comparisons; it raises ContractError if a value is infinite,
    missing where that is not allowed, not whole in an integer column, or breaks a rule whose policy is `reject`.

    Example:
        >>> check = guard_of(Column(name="age", type="integer", low=18, high=90, on_out_of_range="flag"))
        >>> check(np.array([[20.0], [101.0]]))
        ['age: out of range']
    """
    return _number_guard(column) if column.type in NUMERIC else _text_guard(column)


def is_usual(column: Column) -> Callable[[Any], bool]:
    """Build the quick check of one cell: true if the guard would let it pass without a flag; false if it may not.

    Example:
        >>> check = is_usual(Column(name="age", type="integer", low=18, high=90))
        >>> check(20.0), check(20.5), check(101.0)
        (True, False, False)
    """
    if column.type in NUMERIC:
        low, high = _range(column)
        if column.type == "integer":
            return lambda value: low <= value <= high and value.is_integer()
        return lambda value: low <= value <= high
    closed = column.type in ("category", "boolean") and column.categories is not None
    if closed and column.on_unknown != "accept":
        return frozenset(column.categories or ()).__contains__
    return bool  # any text but the empty one


def _range(column: Column) -> tuple[float, float]:
    """Return the smallest and the largest number that raise nothing."""
    largest = float(np.finfo(np.float64).max)
    if column.on_out_of_range == "accept":
        return -largest, largest
    low = -largest if column.low is None else max(column.low, -largest)
    return low, largest if column.high is None else min(column.high, largest)


def refuse_column(column: Column, rule: str, why: str) -> ContractError:
    """Name the column that breaks its contract, without quoting what it holds."""
    return ContractError(f"`{column.name}`: {why}", facts={"violations": [{"column": column.name, "rule": rule}]})


def range_of(column: Column) -> str:
    """Say what numbers a column may hold; either end may be open.

    Example:
        >>> range_of(Column(name="age", type="integer", low=18))
        'at least 18'
    """
    if column.low is not None and column.high is not None:
        return f"between {column.low:g} and {column.high:g}"
    return f"at least {column.low:g}" if column.low is not None else f"at most {column.high:g}"


def _number_guard(column: Column) -> Guard:
    floor, ceiling = _range(column)
    whole = column.type == "integer"

    def check(values: Array) -> Sequence[str]:
        if values.size == 1:
            value = values.item()
            if floor <= value <= ceiling and (not whole or value.is_integer()):
                return ()
        return slow(values)

    def slow(values: Array) -> Sequence[str]:
        flat = values.reshape(-1)
        if np.isinf(flat).any():
            raise refuse_column(column, "type", "a number must be finite")
        missing = np.isnan(flat)
        if missing.any() and not column.missing_allowed:
            raise refuse_column(column, "missing", "a value is missing, and none may be")
        if whole and not np.equal(flat, np.floor(flat), where=~missing, out=np.ones(len(flat), bool)).all():
            raise refuse_column(column, "type", "must be a whole number")
        outside = int(((flat < floor) | (flat > ceiling)).sum())
        if outside and column.on_out_of_range == "reject":
            raise refuse_column(column, "range", f"must be {range_of(column)}")
        flags = [f"{column.name}: {RANGE}"] * outside
        return flags + [f"{column.name}: {MISSING}"] * int(missing.sum()) if column.on_missing == "flag" else flags

    return check


def _text_guard(column: Column) -> Guard:
    closed = column.type in ("category", "boolean") and column.categories is not None
    known = frozenset(column.categories or ())
    watched = closed and column.on_unknown != "accept"

    def check(values: Array) -> Sequence[str]:
        if values.size == 1 and watched and values.item() in known:
            return ()
        flat = values.reshape(-1).tolist()
        n_missing = 0 if column.on_missing == "accept" else flat.count("")
        if n_missing and not column.missing_allowed:
            raise refuse_column(column, "missing", "a value is missing, and none may be")
        unknown = sum(text not in known and text != "" for text in flat) if watched else 0
        if unknown and column.on_unknown == "reject":
            raise refuse_column(column, "category", "must be one of the known categories (see /openapi.json)")
        return [f"{column.name}: {UNKNOWN}"] * unknown + [f"{column.name}: {MISSING}"] * n_missing

    return check
