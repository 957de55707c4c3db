"""The datatypes of the Open Inference Protocol: how JSON and bytes become arrays, and arrays become both.

Source: Open Inference Protocol V2, tensor data types; binary tensor data extension of the Triton Inference Server.
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import numpy as np

from palio.serve.protocols.wire import WireError

Array = np.ndarray[Any, np.dtype[Any]]

DTYPES: dict[str, np.dtype[Any]] = {
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "BOOL": np.dtype("?"),
    "BYTES": np.dtype(object),
}
"""Every datatype that can be served, and the array that holds it."""
NUMBERS = tuple(name for name in DTYPES if name not in ("BOOL", "BYTES"))
MAX_RANK = 8
PACK_UP_TO = 512
"""Longest list of numbers that goes through `struct`, which is faster for few values and checks for overflow itself."""
PACK = {
    **dict(zip((f"INT{bits}" for bits in (8, 16, 32, 64)), "bhiq", strict=True)),
    **dict(zip((f"UINT{bits}" for bits in (8, 16, 32, 64)), "BHIQ", strict=True)),
    **dict(zip((f"FP{bits}" for bits in (16, 32, 64)), "efd", strict=True)),
}
"""Datatype → letter of `struct`."""


def _whole(low: int, high: int | None) -> Any:
    return Annotated[int, msgspec.Meta(ge=low) if high is None else msgspec.Meta(ge=low, le=high)]


SCALARS: dict[str, Any] = {
    **{f"INT{bits}": _whole(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": _whole(0, 2**bits - 1 if bits < 64 else None) for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": float for bits in (16, 32, 64)},
    "BOOL": bool,
    "BYTES": str,
}
"""What one value of a datatype is in JSON."""


def list_of(kind: Any) -> Any:
    """Name the type of a list of `kind`."""
    return GenericAlias(list, (kind,))


@functools.cache
def _decoder(datatype: str, depth: int, nullable: bool) -> Callable[[Any], list[Any]]:
    kind = SCALARS[datatype] | None if nullable else SCALARS[datatype]
    for _ in range(depth):
        kind = list_of(kind)
    return msgspec.json.Decoder(kind).decode


def values_of(data: msgspec.Raw, datatype: str, rank: int, name: str, *, nullable: bool = False) -> list[Any]:
    """Read the values of a tensor from JSON, flat or nested as its shape is, row-major.

    Raises:
        WireError: 400, a value is not of the datatype, or the lists are nested in another way.
    """
    try:
        try:
            return _decoder(datatype, 1, nullable)(data)
        except msgspec.ValidationError:
            depth = max(rank, 2)
            values: Any = _decoder(datatype, depth, nullable)(data)
            for _ in range(depth - 1):
                values = itertools.chain.from_iterable(values)
            return list(values)
    except UnicodeDecodeError:
        raise WireError(400, f"input `{name}`: a text is not UTF-8", fields=(name,)) from None
    except (msgspec.MsgspecError, RecursionError):
        raise not_of(datatype, name) from None


def not_of(datatype: str, name: str) -> WireError:
    """Say that the data of a tensor is not what its datatype says."""
    what = {"BYTES": "texts", "BOOL": "true and false"}.get(datatype, f"numbers that fit {datatype}")
    return WireError(400, f"input `{name}`: data must be a list of {what}", fields=(name,))


def array_of(values: list[Any], datatype: str, shape: Sequence[int], name: str) -> Array:
    """Turn values of a datatype into an array; their number must be that of the shape.

    Raises:
        WireError: 400, a number does not fit the datatype.
    """
    if datatype == "BYTES":
        texts = np.empty(len(values), object)
        texts[:] = values
        return texts.reshape(shape)
    dtype = DTYPES[datatype]
    try:
        if datatype in PACK and len(values) <= PACK_UP_TO:
            return np.ndarray(shape, dtype, struct.pack(f"<{len(values)}{PACK[datatype]}", *values))
        with np.errstate(over="raise"):
            return np.array(values, dtype).reshape(shape)
    except (OverflowError, FloatingPointError, struct.error, ValueError):
        raise not_of(datatype, name) from None


def array_of_bytes(raw: memoryview, datatype: str, name: str) -> Array:
    """Read the values of a tensor from its bytes: one dimension, little-endian, row-major; texts with their lengths.

    Raises:
        WireError: 400, the bytes are no whole number of values, no UTF-8, or no truth values.
    """
    if datatype == "BYTES":
        texts = _texts(raw, name)
        array = np.empty(len(texts), object)
        array[:] = texts
        return array
    dtype = DTYPES[datatype]
    if len(raw) % dtype.itemsize:
        raise WireError(
            400, f"input `{name}`: {len(raw)} bytes are no whole number of {datatype} values", fields=(name,)
        )
    if datatype == "BOOL" and len(raw) and max(raw) > 1:
        raise WireError(400, f"input `{name}`: a truth value is one byte, 0 or 1", fields=(name,))
    array = np.frombuffer(raw, dtype)
    return array if array.flags.aligned else array.copy()


def _texts(raw: memoryview, name: str) -> list[str]:
    try:
        return [str(text, "utf-8") for text in chunks_of(raw, name)]
    except UnicodeDecodeError:
        raise _no_texts(name) from None


def chunks_of(raw: memoryview, name: str) -> list[memoryview]:
    """Cut the bytes of a `BYTES` tensor into its elements. Raises WireError 400."""
    chunks, at, end = [], 0, len(raw)
    try:
        while at < end:
            (size,) = struct.unpack_from("<I", raw, at)
            at += 4
            if size > end - at:
                raise WireError(400, f"input `{name}`: a text is longer than its bytes", fields=(name,))
            chunks.append(raw[at : at + size])
            at += size
    except struct.error:
        raise _no_texts(name) from None
    return chunks


def _no_texts(name: str) -> WireError:
    return WireError(400, f"input `{name}`: not a list of UTF-8 texts with their lengths", fields=(name,))


def bytes_of(array: Array) -> bytes:
    r"""Write an array as the protocol's bytes.

    Example:
        >>> bytes_of(np.array(["a", "bc"], object))
        b'\x01\x00\x00\x00a\x02\x00\x00\x00bc'
    """
    if array.dtype.kind in "OUS":
        encoded = [str(text).encode() for text in array.reshape(-1).tolist()]
        return b"".join(part for text in encoded for part in (struct.pack("<I", len(text)), text))
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def datatype_of(array: Array) -> str:
    """Name the datatype that an array travels as.

    Example:
        >>> datatype_of(np.zeros(2, np.float32)), datatype_of(np.array(["a"], object))
        ('FP32', 'BYTES')
    """
    if array.dtype.kind in "OUS":
        return "BYTES"
    if array.dtype.kind == "b":
        return "BOOL"
    return f"{ {'i': 'INT', 'u': 'UINT', 'f': 'FP'}[array.dtype.kind] }{array.dtype.itemsize * 8}"
