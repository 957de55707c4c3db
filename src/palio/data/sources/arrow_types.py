"""Read columns that state their type as plain cells: int64, float64, text, or a moment in UTC.

What is no plain cell (lists, maps, bytes) is passed over; a struct unfolds to its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

INT64_MAX = 2**63 - 1
EXACT = 2**53
"""Up to here a float64 tells whole numbers apart."""
_SAFE_DIGITS = 15

Convert = Callable[[Any], Any]
"""Turns an array of the stated type into plain cells."""


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A column without columns inside it."""

    name: str
    path: tuple[int, ...]
    """Positions: of the column, of the field in it, and so on."""
    convert: Convert | None
    """None: it is passed over."""
    remark: str = ""
    """Why it is passed over, or how it is read; empty if there is nothing to say."""
    needs_look: bool = False
    """Whether only the cells tell how it is to be read, see `after_look`."""
    type: Any = None


def leaves(schema: Any) -> Iterator[Leaf]:
    """Yield the plain columns of a schema, those inside structs as `a.b`."""
    for i, field in enumerate(schema):
        yield from _leaves(field.name, field.type, (i,))


def _leaves(name: str, kind: Any, path: tuple[int, ...]) -> Iterator[Leaf]:
    kind = _storage(kind)
    if pa.types.is_struct(kind) and kind.num_fields:
        for i in range(kind.num_fields):
            yield from _leaves(f"{name}.{kind.field(i).name}", kind.field(i).type, (*path, i))
    else:
        yield _leaf(name, kind, path)


def _leaf(name: str, kind: Any, path: tuple[int, ...]) -> Leaf:
    is_ = pa.types
    held = _storage(kind.value_type) if is_.is_dictionary(kind) else kind
    if is_.is_uint64(held) or is_.is_decimal(held) or is_.is_binary(held) or is_.is_large_binary(held):
        return Leaf(name=name, path=path, convert=None, needs_look=True, type=held)
    convert: Convert | None = None
    remark = ""
    if is_.is_integer(held):
        convert = _cast(pa.int64())
    elif is_.is_floating(held):
        convert = _cast(pa.float64())
    elif is_.is_timestamp(held) or is_.is_date(held):
        convert = as_moments
    elif is_.is_duration(held):
        convert, remark = _seconds, "durations are read as seconds"
    elif any(t(held) for t in (is_.is_string, is_.is_large_string, is_.is_string_view, is_.is_boolean, is_.is_null)):
        convert = _cast(pa.string())
    elif is_.is_time(held):
        convert = _times
    else:
        remark = f"it holds {_called(held)}"
    return Leaf(name=name, path=path, convert=convert, remark=remark, type=held)


def _called(kind: Any) -> str:
    is_ = pa.types
    if is_.is_map(kind):
        return "maps"
    lists = (is_.is_list, is_.is_large_list, is_.is_fixed_size_list, is_.is_list_view, is_.is_large_list_view)
    if any(test(kind) for test in lists):
        return "lists"
    return "bytes" if is_.is_fixed_size_binary(kind) else f"cells of the type {str(kind)[:60]}"


def after_look(leaf: Leaf, cells: Iterator[Any]) -> Leaf:
    """Decide by the cells what the type leaves open: numbers whose digits a float64 would lose, bytes that are text."""
    kind = leaf.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _bytes(leaf, next(cells, None))
    if pa.types.is_decimal(kind) and kind.scale > 0 and kind.precision <= _SAFE_DIGITS:
        return msgspec.structs.replace(leaf, convert=_cast(pa.float64()))
    if pa.types.is_decimal(kind) and kind.scale <= 0 and kind.precision <= 18:
        return msgspec.structs.replace(leaf, convert=_cast(pa.int64()))
    has_fraction = pa.types.is_decimal(kind) and kind.scale > 0
    limit = EXACT if has_fraction else INT64_MAX
    largest = 0
    for array in cells:
        bounds = pc.min_max(_plain(array)).as_py()
        if bounds["max"] is None:
            continue
        largest = max(largest, abs(bounds["min"]), abs(bounds["max"]))
    if largest <= limit:
        wanted = pa.float64() if has_fraction else pa.int64()
        return msgspec.structs.replace(leaf, convert=_cast(wanted))
    return msgspec.structs.replace(
        leaf, convert=_cast(pa.string()), remark="numbers are read as text, to keep all digits"
    )


def take(batch: Any, leaf: Leaf) -> Any:
    """Return the plain cells of a leaf."""
    array = batch.column(leaf.path[0])
    for i in leaf.path[1:]:
        array = _plain(array).flatten()[i]
    array = _plain(array)
    return leaf.convert(array) if leaf.convert else array


def as_moments(array: Any) -> Any:
    """Read dates and times as moments in UTC, to the microsecond; without a zone they are taken as UTC."""
    array = _plain(array)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s")) if pa.types.is_date32(array.type) else array.cast(pa.timestamp("ms"))
    unit = array.type.unit
    if array.type.tz is None:
        array = array.cast(pa.timestamp(unit, tz="UTC"))
    wanted = pa.timestamp("us", tz="UTC")
    if unit in ("s", "ms"):  # moments beyond the range of microseconds are none
        bound = (INT64_MAX // (10**6 if unit == "s" else 10**3)) - 1
        number = array.cast(pa.int64())
        inside = pc.and_(pc.less_equal(number, bound), pc.greater_equal(number, -bound))
        array = pc.if_else(inside, array, pa.scalar(None, array.type))
    return array.cast(wanted, safe=False)


def _plain(array: Any) -> Any:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _storage(kind: Any) -> Any:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _cast(wanted: Any) -> Convert:
    return lambda array: array.cast(wanted, safe=False) if array.type != wanted else array


def _seconds(array: Any) -> Any:
    per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[array.type.unit]
    return pc.divide(array.cast(pa.int64()).cast(pa.float64(), safe=False), per_second)


def _times(array: Any) -> Any:
    """Write times of the day; a fraction of a second only where there is one."""
    return pc.replace_substring_regex(array.cast(pa.string()), r"\.0+$", "")


def _bytes(leaf: Leaf, sample: Any) -> Leaf:
    what = "it holds bytes"
    if sample is None:  # no rows: whatever it is, nothing is lost
        return msgspec.structs.replace(leaf, convert=_decoded)
    try:
        text = _plain(sample).cast(pa.string())
    except pa.ArrowInvalid:
        return msgspec.structs.replace(leaf, remark=what)
    if text.null_count == len(text) or pc.any(pc.match_substring_regex(text, r"[\x00-\x08\x0e-\x1f]")).as_py():
        return msgspec.structs.replace(leaf, remark=what)
    return msgspec.structs.replace(leaf, convert=_decoded, remark="bytes are read as UTF-8 text")


def _decoded(array: Any) -> Any:
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([c if c is None else c.decode("utf-8", "replace") for c in array.to_pylist()], pa.string())
