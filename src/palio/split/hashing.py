"""Hash rows to 64 bits, the same on every platform and with every version of every library.

The hash of a frame library may change with its next release, and then rows would change their part. This one is
written out: a number or moment is its 64 bits (minus zero is zero), a text is its BLAKE2b digest (computed once per
distinct text of a batch), a missing cell is a constant; a cell is mixed with the digest of its column's name, and a row
is the sum of its cells, so that the order of columns does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from palio.core.records import Schema
from palio.core.seeds import derive
from palio.data import mix

if TYPE_CHECKING:
    import polars as pl

Hashes = npt.NDArray[np.uint64]

_BLOCK = 1_000_000  # rows at a time, so that temporaries stay small
_MISSING = np.uint64(0x6D697373696E6721)  # any constant would do; fixed for good


def uniform(hashes: Hashes, seed: int, *names: str | int) -> npt.NDArray[np.float64]:
    """Spread hashes over [0, 1), afresh for each seed and use.

    Example:
        >>> uniform(np.array([1, 2], np.uint64), 0, "split").round(3).tolist()
        [0.83, 0.573]
    """
    salt = np.uint64(derive(seed, *names)) * np.uint64(0x9E3779B1)
    spread = np.empty(hashes.size, np.float64)
    for start in range(0, hashes.size, _BLOCK):
        block = mix(hashes[start : start + _BLOCK] ^ salt) >> np.uint64(11)
        spread[start : start + _BLOCK] = block.astype(np.float64) * 2.0**-53
    return spread


def row_hashes(batch: pa.RecordBatch | pa.Table, columns: Sequence[str]) -> Hashes:
    """Hash the named columns of every row.

    Args:
        batch: Rows in the types of a snapshot.
        columns: Names, in any order; at least one.

    Returns:
        Shape (n_rows,). Rows are equal in all `columns` if, and but for chance (2⁻⁶⁴ a pair) only if, hashes are equal.
    """
    total = np.zeros(batch.num_rows, np.uint64)
    for name in columns:
        cells = cell_hashes(batch.column(name))
        cells ^= np.uint64(_text_digest(name))
        total += mix(cells)
    return mix(total)


def cell_hashes(column: Any) -> Hashes:
    """Hash the cells of one Arrow column (number, integer, boolean, moment or text), shape (n_rows,)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # an empty table has no chunk to combine
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type) or _is_text(column.type):
        return _text_hashes(column)
    if pa.types.is_temporal(column.type) or pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int64())
    missing = is_missing(column)
    if pa.types.is_floating(column.type):
        floats = _held(pc.cast(column, pa.float64()), np.float64) + 0.0
        missing |= np.isnan(floats)
        bits: Hashes = floats.view(np.uint64).copy()
    else:
        bits = _held(pc.cast(column, pa.int64()), np.int64).view(np.uint64).copy()
    hashes = mix(bits)
    hashes[missing] = _MISSING
    return hashes


def is_missing(column: pa.Array, *, nan_is_null: bool = False) -> npt.NDArray[np.bool_]:
    """Mark the missing cells of one Arrow column, shape (n_rows,)."""
    return _held(pc.cast(column.is_null(nan_is_null=nan_is_null), pa.uint8()), np.uint8).astype(bool)


def _held(cells: pa.Array, kind: type[Any]) -> npt.NDArray[Any]:
    """Return numbers as they lie in memory, anything where one is missing.

    `to_numpy` and a scalar to fill gaps with would load pandas first, for .4 s of CPU.
    """
    if not len(cells):
        return np.empty(0, kind)
    return np.frombuffer(cells.buffers()[1], kind, len(cells), cells.offset * np.dtype(kind).itemsize)


def occurrence_hashes(hashes: Hashes) -> Hashes:
    """Tell equal hashes apart by how many equal ones stand before them; the first of each keeps its hash.

    Rows that are added at the end leave the result of earlier rows as it is.
    """
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    is_first = np.ones(ranked.size, bool)
    is_first[1:] = ranked[1:] != ranked[:-1]
    begun = 0  # where the run of equal hashes began that reaches into the block
    for start in range(0, ranked.size, _BLOCK):
        block = ranked[start : start + _BLOCK]
        place = np.arange(start, start + block.size)
        first = np.maximum.accumulate(np.where(is_first[start : start + _BLOCK], place, begun))
        begun = int(first[-1])
        later = place > first
        block[later] = mix(block[later] ^ mix((place - first)[later].astype(np.uint64)))
    result = np.empty_like(hashes)
    result[order] = ranked
    return result


def is_in(values: Hashes, ranked: Hashes) -> npt.NDArray[np.bool_]:
    """Tell which values are among `ranked`, which is sorted.

    Example:
        >>> is_in(np.array([3, 1], np.uint64), np.array([1, 2], np.uint64)).tolist()
        [False, True]
    """
    found = np.zeros(values.size, bool)
    if ranked.size:
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK]
            at = np.minimum(np.searchsorted(ranked, block), ranked.size - 1)
            found[start : start + _BLOCK] = ranked[at] == block
    return found


def row_ids(frame: pl.DataFrame, schema: Schema) -> list[str]:
    """Name the rows of a frame for people: the id column if the schema has one, else 16 digits of the row's hash.

    Example:
        >>> import polars as pl
        >>> row_ids(pl.DataFrame({"customer": [17, 4]}), Schema(columns=(), id="customer"))
        ['17', '4']
    """
    if schema.id is not None and schema.id in frame.columns:
        return ["" if value is None else str(value) for value in frame[schema.id].to_list()]
    columns = [name for name in frame.columns if name != schema.target]
    return [f"{value:016x}" for value in row_hashes(frame.to_arrow(), columns).tolist()]


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text_hashes(column: Any) -> Hashes:
    if not pa.types.is_dictionary(column.type):
        if pa.types.is_string_view(column.type):
            column = pc.cast(column, pa.large_string())
        column = column.dictionary_encode()
    digests = [_MISSING if text is None else _text_digest(str(text)) for text in column.dictionary.to_pylist()]
    by_index = np.array([*digests, _MISSING], np.uint64)
    indices = np.where(is_missing(column.indices), len(digests), _held(pc.cast(column.indices, pa.int64()), np.int64))
    hashes: Hashes = by_index[indices]
    return hashes


def _text_digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
