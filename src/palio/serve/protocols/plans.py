"""Work out once, for each input of a model, how what arrives becomes a feed; a request then only follows the plan."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from palio.core.records import Column, TensorSpec
from palio.serve.protocols.datatypes import (
    DTYPES,
    MAX_RANK,
    NUMBERS,
    PACK,
    PACK_UP_TO,
    Array,
    array_of,
    array_of_bytes,
    not_of,
    values_of,
)
from palio.serve.protocols.guards import NUMERIC, guard_of
from palio.serve.protocols.wire import WireError

_MISSING = (float, type(None))


class InputPlan(Protocol):
    """How one input of a model is read. Names the input in every error; never quotes what arrived."""

    name: str
    datatype: str
    """What travels if the client keeps to the model's metadata."""
    shape: tuple[int, ...]

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Array:
        """Make a feed of JSON. Raises WireError 400."""

    def of_values(self, datatype: str, shape: Sequence[int], values: list[Any]) -> Array:
        """Make a feed of a flat list of Python values. Raises WireError 400."""

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Array:
        """Make a feed of the protocol's bytes. Raises WireError 400."""

    def check(self, feed: Array) -> Sequence[str]:
        """Hold a feed to the schema; return the flags it raises. Raises ContractError, WireError 400."""


def _count(shape: Sequence[int], n_values: int, name: str) -> None:
    if math.prod(shape) != n_values:
        raise WireError(
            400, f"input `{name}`: shape says {_short(math.prod(shape))} values, data holds {n_values}", fields=(name,)
        )


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**15 else "too many"


class TensorPlan:
    """An input of a graph from elsewhere: exactly the datatype and shape that the graph declares."""

    def __init__(self, spec: TensorSpec, *, finite: bool = False) -> None:
        self.name, self.datatype, self.shape = spec.name, spec.datatype, spec.shape
        self._rank = len(spec.shape)
        self._fixed = tuple((axis, size) for axis, size in enumerate(spec.shape) if size >= 0)
        self._watched = finite and spec.datatype.startswith("FP")
        self._dtype = DTYPES[spec.datatype]
        self._seen: tuple[list[int], Callable[..., bytes]] | None = None
        """Shape of a request before this one that fitted, and what packs so many numbers."""

    def _fit(self, datatype: str, shape: Sequence[int]) -> None:
        """Refuse another datatype or a shape that the graph does not take."""
        name = self.name
        if datatype != self.datatype:
            raise WireError(400, f"input `{name}`: datatype must be {self.datatype}", fields=(name,))
        if len(shape) == self._rank and all(shape[axis] == size for axis, size in self._fixed):
            if all(size > 0 for size in shape):
                return
            what = "there is no row to predict" if 0 in shape else "a size cannot be negative"
            raise WireError(400, f"input `{name}`: {what}", fields=(name,))
        raise WireError(400, f"input `{name}`: shape must be {list(self.shape)} (-1 is any size)", fields=(name,))

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Array:
        """Make a feed of JSON."""
        self._fit(datatype, shape)
        values = values_of(data, datatype, self._rank, self.name)
        _count(shape, len(values), self.name)
        return array_of(values, datatype, shape, self.name)

    def of_values(self, datatype: str, shape: Sequence[int], values: list[Any]) -> Array:
        """Make a feed of values that are known to be of the datatype."""
        seen = self._seen
        if seen is not None and shape == seen[0] and datatype == self.datatype:
            try:
                return np.ndarray(shape, self._dtype, seen[1](*values))
            except (struct.error, OverflowError):  # too many, too few, or one does not fit: below it is said which
                pass
        self._fit(datatype, shape)
        _count(shape, len(values), self.name)
        feed = array_of(values, datatype, shape, self.name)
        if datatype in PACK and len(values) <= PACK_UP_TO:
            self._seen = (list(shape), struct.Struct(f"<{len(values)}{PACK[datatype]}").pack)
        return feed

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Array:
        """Make a feed of bytes."""
        self._fit(datatype, shape)
        values = array_of_bytes(raw, datatype, self.name)
        _count(shape, len(values), self.name)
        return values.reshape(shape)

    def check(self, feed: Array) -> Sequence[str]:
        """Refuse what is not finite, if the server was told to; a foreign graph has no other contract."""
        if self._watched and not np.isfinite(feed).all():
            raise WireError(400, f"input `{self.name}`: a number must be finite", fields=(self.name,))
        return ()


class ColumnPlan:
    """An input of a bundle: one column, shape [n] or [n, 1]; numbers of any width, texts, or truth values."""

    def __init__(self, spec: TensorSpec, column: Column) -> None:
        self.name, self.datatype, self.shape = spec.name, spec.datatype, spec.shape
        self.column = column
        self.numeric = column.type in NUMERIC
        self.check = guard_of(column)
        self._allowed = frozenset(NUMBERS if self.numeric else ("BYTES", "BOOL"))

    def _fit(self, datatype: str, shape: Sequence[int]) -> int:
        name = self.name
        if datatype not in self._allowed:
            allowed = f"FP64 (or {', '.join(n for n in NUMBERS if n != 'FP64')})" if self.numeric else "BYTES or BOOL"
            raise WireError(400, f"input `{name}`: datatype must be {allowed}", fields=(name,))
        rank = len(shape)
        n = shape[0] if rank == 1 or (rank == 2 and shape[1] == 1) else -1
        if n < 0:
            raise WireError(400, f"input `{name}`: shape must be [rows, 1] or [rows]", fields=(name,))
        return n

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Array:
        """Make a feed of JSON; `null` is a missing value."""
        self._fit(datatype, shape)
        return self._feed(shape, values_of(data, datatype, 2, self.name, nullable=True), datatype)

    def of_values(self, datatype: str, shape: Sequence[int], values: list[Any]) -> Array:
        """Make a feed of values that are known to be of the datatype; None is a missing value."""
        self._fit(datatype, shape)
        return self._feed(shape, values, datatype)

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Array:
        """Make a feed of bytes; NaN and the empty text are missing values."""
        n = self._fit(datatype, shape)
        values = array_of_bytes(raw, datatype, self.name)
        _count(shape, len(values), self.name)
        if self.numeric:
            return values.astype(np.float64).reshape(n, 1)
        return values.reshape(n, 1) if datatype == "BYTES" else self._feed(shape, values.tolist(), datatype)

    def _feed(self, shape: Sequence[int], values: list[Any], datatype: str) -> Array:
        _count(shape, len(values), self.name)
        if self.numeric:
            try:
                return np.array(values, np.float64).reshape(-1, 1)  # None becomes NaN: a missing number
            except (OverflowError, TypeError, ValueError):
                raise not_of(datatype, self.name) from None
        if datatype == "BOOL":
            values = ["" if value is None else "true" if value else "false" for value in values]
        elif None in values:
            values = ["" if value is None else value for value in values]
        return array_of(values, "BYTES", (len(values), 1), self.name)


def refuse_unservable(specs: Sequence[TensorSpec], what: str) -> str:
    """Say why a graph with these inputs or outputs cannot be served; empty if it can."""
    for spec in specs:
        if spec.datatype not in DTYPES:
            return f"{what} `{spec.name[:60]}` is a {spec.datatype[:60]}, which the protocol cannot carry"
        if len(spec.shape) > MAX_RANK:
            return f"{what} `{spec.name[:60]}` has more than {MAX_RANK} dimensions"
    return ""
