"""Read rows from CSV and Parquet, strictly and within caps."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from palio.core.cells import BLANKS
from palio.serve.protocols.parquet_pages import unpacked_bytes
from palio.serve.protocols.wire import Caps, WireError

MAX_COLUMNS = 10_000
_MAX_BATCH_ROWS = 1024
_INDEX = re.compile(r"__index_level_\d+__")
"""How pandas names the index of a frame that it writes as a column; no column of the data."""
_OTHER_SEPARATOR = re.compile(r"\w\s?[;\t|]\s?\w")
_PLAIN = (str, int, float, bool)


def read_csv(body: bytes, caps: Caps, *, is_exact: bool = False) -> list[dict[str, str]]:
    """Read CSV with a header (RFC 4180); lines without any cell are passed over.

    As in files, blanks around names and before quotes count for nothing, unless `is_exact`: texts may matter to the
    last blank to a graph that was made elsewhere.

    Raises:
        WireError: 400, not UTF-8, an open quote, a row of another length than the header, or a name twice; 413.

    Example:
        >>> read_csv(bytes([97, 10, 52]), Caps())
        [{'a': '4'}]
    """
    try:
        lines = _lines(body.decode("utf-8-sig"), skips_blanks=not is_exact)
        names = [name if is_exact else name.strip(BLANKS) for name in next(lines, [])]
        if not names or len(set(names)) != len(names) or len(names) > MAX_COLUMNS:
            raise WireError(400, f"CSV: the first line must hold at most {MAX_COLUMNS} names, each once")
        if len(names) == 1 and _OTHER_SEPARATOR.search(names[0]):
            raise WireError(400, "CSV: cells are separated by commas here, not by semicolons, tabs or bars")
        rows = []
        for number, cells in enumerate(lines, 1):
            if len(cells) != len(names):
                raise WireError(400, f"CSV: row {number} has {len(cells)} cells, the header has {len(names)}")
            if number > caps.max_rows:
                raise _too_many(caps)
            rows.append(dict(zip(names, cells, strict=True)))
    except UnicodeDecodeError:
        raise WireError(400, "CSV: not UTF-8") from None
    except csv.Error as error:
        raise WireError(400, f"CSV: {error}") from None
    return rows


def _lines(text: str, *, skips_blanks: bool) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=skips_blanks)
    return (cells for cells in rows if cells)


def number_of(text: str) -> Any:
    """Read a number as pandas does; a text that is none stays as it is.

    Example:
        >>> number_of(" 4e1 "), number_of("1_000"), number_of("old")
        (40.0, '1_000', 'old')
    """
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return text
    return text if math.isnan(number) else number


def read_parquet(body: bytes, caps: Caps) -> list[dict[str, Any]]:
    """Read a Parquet file of plain columns.

    Before anything is unpacked, its rows and pages are held to the caps. Then rows are read in batches so small that
    none can be larger than a body, because a page may name one long text many times.

    Raises:
        WireError: 415, pyarrow is not installed; 400, no Parquet file, or columns of columns; 413, too large.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise WireError(415, "this server cannot read Parquet: pyarrow is not installed; send JSON or CSV") from None
    try:
        file = pq.ParquetFile(
            pa.BufferReader(body), thrift_string_size_limit=2**20, thrift_container_size_limit=2**16, pre_buffer=False
        )
        rows: list[dict[str, Any]] = []
        size, batch_rows = 0, _batch_rows(body, file, caps)
        for batch in file.iter_batches(batch_size=batch_rows, use_threads=False):
            size += batch.nbytes
            if len(rows) + batch.num_rows > caps.max_rows:
                raise _too_many(caps)
            if size > caps.max_body_bytes:
                raise _too_large(caps)
            batch = batch.select([name for name in batch.schema.names if not _INDEX.fullmatch(name)])
            rows += [{name: _plain(cell) for name, cell in row.items()} for row in batch.to_pylist()]
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        raise WireError(400, "the body is not a Parquet file that can be read") from None
    return rows


def _batch_rows(body: bytes, file: Any, caps: Caps) -> int:
    """Hold a file to the caps, and say how many rows to read at once."""
    metadata, names = file.metadata, file.schema_arrow.names
    if metadata.num_columns > MAX_COLUMNS or len(set(names)) != len(names):
        raise WireError(400, f"Parquet: at most {MAX_COLUMNS} columns, each name once")
    if not 0 <= metadata.num_rows <= caps.max_rows:
        raise _too_many(caps)
    size = unpacked_bytes(body, metadata)
    if size > caps.max_body_bytes:
        raise _too_large(caps)
    return max(1, min(_MAX_BATCH_ROWS, caps.max_body_bytes // max(size, 1)))


def _plain(cell: Any) -> Any:
    """Turn a cell into what JSON could hold; bytes and the like stay, and whoever has to read them refuses them."""
    if cell is None or type(cell) in _PLAIN:
        return cell
    if isinstance(cell, list):
        return [_plain(one) for one in cell]
    if isinstance(cell, dt.date):  # of which a datetime is a kind
        return cell.isoformat()
    return float(cell) if isinstance(cell, Decimal) else cell


def _too_many(caps: Caps) -> WireError:
    return WireError(413, f"there are more rows than the {caps.max_rows} that are allowed in one request")


def _too_large(caps: Caps) -> WireError:
    return WireError(413, f"the file unpacks to more than the {caps.max_body_bytes} bytes that are allowed")
