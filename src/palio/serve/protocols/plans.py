"""Work out once, for each input of a model, how what arrives becomes a feed; a request then only follows the plan."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from palio.core.records import Column, TensorSpec
from palio.model import ColumnReader
from palio.serve.protocols.datatypes import (
    DTYPES,
    MAX_RANK,
    PACK,
    PACK_UP_TO,
    Array,
    array_of,
    array_of_bytes,
    values_of,
)
from palio.serve.protocols.wire import WireError

Fed = tuple[Array, Sequence[tuple[int, str]]]
"""A feed; and rows with what is unusual about them."""


class InputPlan(Protocol):
    """How one input of a model is read. Names the input in every error; never quotes what arrived.

    Raises WireError 400 for what is not of the protocol's form, ContractError for a cell that breaks the schema.
    """

    name: str
    datatype: str
    """What travels if the client keeps to the model's metadata."""
    shape: tuple[int, ...]

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Fed:
        """Make a feed of JSON."""

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Fed:
        """Make a feed of the protocol's bytes."""


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
            if all(size > 0 or size == wanted for size, wanted in zip(shape, self.shape, strict=True)):
                return  # a size of zero is what some graphs ask for
            what = "there is no row to predict" if 0 in shape else "a size cannot be negative"
            raise WireError(400, f"input `{name}`: {what}", fields=(name,))
        raise WireError(400, f"input `{name}`: shape must be {list(self.shape)} (-1 is any size)", fields=(name,))

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Fed:
        """Make a feed of JSON, which cannot hold what is not finite."""
        self._fit(datatype, shape)
        values = values_of(data, datatype, self._rank, self.name)
        _count(shape, len(values), self.name)
        return array_of(values, datatype, shape, self.name), ()

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

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Fed:
        """Make a feed of bytes; what is not finite is refused, if the server was told to."""
        self._fit(datatype, shape)
        values = array_of_bytes(raw, datatype, self.name)
        _count(shape, len(values), self.name)
        if self._watched and not np.isfinite(values).all():
            raise WireError(400, f"input `{self.name}`: a number must be finite", fields=(self.name,))
        return values.reshape(shape), ()


class ColumnPlan:
    """An input of a bundle: one column, shape [n] or [n, 1], of any datatype: what it holds are cells.

    So a number may travel as text, and a code as a number; `ColumnReader` says what they mean.
    """

    def __init__(self, spec: TensorSpec, column: Column) -> None:
        self.name, self.datatype, self.shape = spec.name, spec.datatype, spec.shape
        self.reader = ColumnReader(column)

    def _fit(self, datatype: str, shape: Sequence[int]) -> None:
        name = self.name
        if datatype not in DTYPES:
            raise WireError(
                400, f"input `{name}`: datatype must be {self.datatype}, or one of {', '.join(DTYPES)}", fields=(name,)
            )
        rank = len(shape)
        if (shape[0] if rank == 1 or (rank == 2 and shape[1] == 1) else -1) < 0:
            raise WireError(400, f"input `{name}`: shape must be [rows, 1] or [rows]", fields=(name,))

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Fed:
        """Make a feed of JSON; `null` is a missing value."""
        self._fit(datatype, shape)
        values = values_of(data, datatype, 2, self.name, nullable=True)
        _count(shape, len(values), self.name)
        if len(values) > 1 and datatype not in ("BYTES", "BOOL") and not self.reader.is_text:
            try:
                return self.reader.read_array(np.array(values, np.float64))  # null becomes NaN
            except OverflowError:  # a number beyond all: the reader says so
                pass
        return self.reader.read(values)

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Fed:
        """Make a feed of bytes; NaN and the empty text are missing values."""
        self._fit(datatype, shape)
        values = array_of_bytes(raw, datatype, self.name)
        _count(shape, len(values), self.name)
        return self.reader.read_array(values)


def refuse_unservable(specs: Sequence[TensorSpec], what: str) -> str:
    """Say why a graph with these inputs or outputs cannot be served; empty if it can."""
    for spec in specs:
        if spec.datatype not in DTYPES:
            return f"{what} `{spec.name[:60]}` is of the type {spec.datatype[:60]}, which the protocol cannot carry"
        if len(spec.shape) > MAX_RANK:
            return f"{what} `{spec.name[:60]}` has more than {MAX_RANK} dimensions"
    return ""
