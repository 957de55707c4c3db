"""Read the common form of a request in one pass: JSON only, flat data, everything as the metadata says.

A quick reader gives the same feeds as the thorough one (`tensors.feeds_of`, `RecordReader`), or None where it is not
sure: then the thorough one reads the request again, and says what is wrong with it if something is. Of a bundle's cells
it takes only those that the reader of cells calls plain (`CellReader.is_plain`): what they mean is decided there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from palio.core.cells import Read
from palio.model import ColumnReader
from palio.serve.protocols.datatypes import SCALARS, Array
from palio.serve.protocols.plans import ColumnPlan, TensorPlan
from palio.serve.protocols.wire import WireError

T = TypeVar("T")


class TensorWanted(msgspec.Struct, gc=False):
    """One output that the request asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class TensorOf(msgspec.Struct, Generic[T], gc=False):
    """One tensor of a request; its data is a flat list."""

    name: str
    shape: list[int]
    datatype: str
    data: list[T]
    parameters: dict[str, Any] | None = None


class CallOf(msgspec.Struct, Generic[T], gc=False):
    """A request whose tensors hold flat lists of one kind."""

    inputs: list[TensorOf[T]]
    id: str | None = None
    outputs: list[TensorWanted] | None = None
    parameters: dict[str, Any] | None = None


Found = tuple[CallOf[Any], dict[str, Array], int]
"""The request, its feeds, and how many rows they are; 0 if nobody has counted."""
Quick = Callable[[bytes], "Found | None"]
_BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def quick_tensors(plans: Mapping[str, TensorPlan]) -> Quick | None:
    """Make the quick reader of a graph from elsewhere; None if its inputs are not all read by one kind of value."""
    kinds = {"FP" if plan.datatype.startswith("FP") else plan.datatype for plan in plans.values()}
    if len(kinds) != 1:
        return None
    kind: Any = GenericAlias(CallOf, (SCALARS[next(iter(plans.values())).datatype],))
    decode = msgspec.json.Decoder(kind).decode
    find, n_inputs = plans.get, len(plans)

    def read(body: bytes) -> Found | None:
        try:
            call = decode(body)
            inputs = call.inputs
            feeds = {}
            for tensor in inputs:
                plan = find(tensor.name)
                if plan is None or tensor.parameters:
                    return None
                feeds[tensor.name] = plan.of_values(tensor.datatype, tensor.shape, tensor.data)
        except (*_BAD, WireError):
            return None
        return (call, feeds, 0) if len(feeds) == n_inputs == len(inputs) else None

    return read


def quick_row(plans: Sequence[ColumnPlan]) -> Quick:
    """Make the quick reader of one row of a bundle whose cells are all plain: no flag, no refusal."""
    decode = msgspec.json.Decoder(CallOf[float | str | bool | None]).decode
    cells = {plan.name: (plan.reader.is_text, plan.reader.is_plain) for plan in plans}
    find, n_inputs, feeds_of = cells.get, len(cells), _one_row(plans)

    def read(body: bytes) -> Found | None:
        try:
            call = decode(body)
        except _BAD:
            return None
        if len(call.inputs) != n_inputs:
            return None
        row: dict[str, Any] = {}
        for tensor in call.inputs:
            name, data = tensor.name, tensor.data
            cell = find(name)
            if cell is None or len(data) != 1 or tensor.shape not in _ONE_ROW or tensor.parameters:
                return None
            value = data[0]
            is_text, is_plain = cell
            if is_text:
                if type(value) is not str or tensor.datatype != "BYTES":
                    return None
            elif type(value) is not float or tensor.datatype not in _DECIMAL:
                return None
            if not is_plain(value):
                return None
            row[name] = value
        return (call, feeds_of(row), 1) if len(row) == n_inputs else None

    return read


def quick_record(plans: Sequence[ColumnPlan]) -> Callable[[Any], dict[str, Array] | None]:
    """Make the quick reader of one record that holds every feature and nothing else, each cell plain."""
    cells = [(p.reader.column.name, p.name, p.reader.is_text, p.reader.is_plain, _truths(p.reader)) for p in plans]
    n_inputs, feeds_of = len(cells), _one_row(plans)

    def read(record: Any) -> dict[str, Array] | None:
        if type(record) is not dict or len(record) != n_inputs:
            return None
        row: dict[str, Any] = {}
        try:
            for column, name, is_text, is_plain, truths in cells:
                value = record[column]
                kind = type(value)
                if not is_text:
                    value = float(value) if kind is int else value
                    if kind is not float and kind is not int:
                        return None
                elif kind is bool:
                    value = truths[value]
                elif kind is not str:
                    return None
                if not is_plain(value):
                    return None
                row[name] = value
        except (KeyError, OverflowError):
            return None
        return feeds_of(row)

    return read


def _truths(reader: ColumnReader) -> dict[bool, str]:
    """Say what true and false mean in a column, where the reader takes them without a flag."""
    found = {truth: reader.cells.read(truth) for truth in (True, False)}
    return {
        truth: str(read.value) for truth, read in found.items() if read.value is not None and read == Read(read.value)
    }


def _one_row(plans: Sequence[ColumnPlan]) -> Callable[[dict[str, Any]], dict[str, Array]]:
    """Make what turns one row, by input, into feeds: one array for all numbers and one for all texts, cut up."""
    numbers = [plan.name for plan in plans if not plan.reader.is_text]
    texts = [plan.name for plan in plans if plan.reader.is_text]

    def feeds_of(row: dict[str, Any]) -> dict[str, Array]:
        feeds: dict[str, Array] = {}
        if numbers:
            feeds.update(zip(numbers, np.array([row[name] for name in numbers]).reshape(-1, 1, 1), strict=True))
        if texts:
            values = np.array([row[name] for name in texts], object).reshape(-1, 1, 1)
            feeds.update(zip(texts, values, strict=True))
        return feeds

    return feeds_of


_ONE_ROW = ([1, 1], [1])
_DECIMAL = frozenset({"FP64", "FP32"})
