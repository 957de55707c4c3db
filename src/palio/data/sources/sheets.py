"""Read spreadsheets (`.xlsx .xlsm .xlsb .xls .ods`): numbers, dates and truth values keep their types.

A column that holds both texts and other cells is read as text, each cell as the sheet holds it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from palio.core.errors import InputError, did_you_mean, need
from palio.core.ids import digest_of
from palio.core.records import Form
from palio.data.source import Skipped, SourceOptions
from palio.data.sources import arrow_types, header, names
from palio.data.sources.content import Content
from palio.data.sources.rows import Row
from palio.data.sources.sheet_marks import marks_of

_SECOND_DAY = dt.datetime(1900, 1, 1)
_HEAD_ROWS = 200
_BATCH_CELLS = 1_000_000
_RANGE = re.compile(r"\$?([A-Z]{1,3})?\$?(\d{1,7})?(?::\$?([A-Z]{1,3})?\$?(\d{1,7})?)?$", re.IGNORECASE)


class Area(msgspec.Struct, frozen=True):
    """Cells of a sheet, counted from 0; the ends are left out, None goes on for ever."""

    top: int = 0
    left: int = 0
    bottom: int | None = None
    right: int | None = None


class SheetSource:
    """A table in a sheet."""

    loose = False

    def __init__(self, content: Content, options: SourceOptions) -> None:
        self.name = content.name
        self.missing = options.missing
        self.skipped = Skipped()
        self.remarks: tuple[str, ...] = ()
        path = content.on_disk()
        book = _opened(path, self.name)
        area = area_of(options.range)
        with _readable(self.name):
            sheet, table, doubts = _agreed(book, options, area, self.name)
        self._data, self.columns = table.cells, table.names.columns
        self.passed_over = table.names.passed_over
        names.refuse_if_passed_over(options.target, self.passed_over, self.name)
        self.form = Form(kind="sheet", sheet=sheet, range=options.range, header=table.header, n_before=table.n_before)
        marks = (f"{self.name}: {mark}" for mark in marks_of(path, sheet, header_row=table.header_row))
        self._notes = (*doubts, *table.notes, *marks, *names.about_passed_over(self.passed_over, self.name))
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.fingerprint = digest_of([digest, options.missing, msgspec.to_builtins(self.form)])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the sheet."""
        return (*self.remarks, *self._notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows."""
        step = max(64, min(65_536, _BATCH_CELLS // len(self.columns)))
        for start in range(0, self._data.num_rows, step):
            yield self._data.slice(start, step)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What a sheet holds."""

    cells: Any
    names: names.Names
    header: bool
    n_before: int
    header_row: int
    """Row of the names in the sheet, counted from 1; 0: there is none."""
    notes: tuple[str, ...]


def area_of(text: str) -> Area:
    """Read cells of a sheet as spreadsheets name them.

    Raises:
        InputError: it is no range.

    Example:
        >>> area_of("B3:F200"), area_of("C:D").left, area_of("A5").top
        (Area(top=2, left=1, bottom=200, right=6), 2, 4)
    """
    match = _RANGE.match(text.strip())
    if not match or (text.strip() and not any(match.groups())):
        raise InputError(f"[data] range: got `{text}`, cells are wanted", hint="write `B3:F200`, `B:F` or `B3`")
    left, top, right, bottom = match.groups()
    return Area(
        top=int(top) - 1 if top else 0,
        left=_column(left) if left else 0,
        bottom=int(bottom) if bottom else None,
        right=_column(right) + 1 if right else None,
    )


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _opened(path: Any, name: str) -> Any:
    try:
        import fastexcel
    except ImportError as error:
        raise need("train", error) from None
    logging.getLogger("fastexcel").setLevel(logging.ERROR)  # it tells of every empty column
    with _readable(name):
        return fastexcel.read_excel(path)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Say of a spreadsheet that cannot be read that it cannot: it may be whole at first sight and broken inside."""
    try:
        yield
    except Exception as error:
        if not _is_of_reader(error):
            raise
        reason = str(error).splitlines()[0][:160]
        locked = "password" in str(error).lower() or "encrypt" in str(error).lower()
        what = "the spreadsheet is locked by a password" if locked else f"not a readable spreadsheet: {reason}"
        raise InputError(
            f"{name}: {what}",
            hint="save it without" if locked else "save it again as .xlsx, or export the sheet as CSV",
        ) from None


def _is_of_reader(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in ("fastexcel", "_fastexcel")


def _agreed(book: Any, options: SourceOptions, area: Area, name: str) -> tuple[str, Table, tuple[str, ...]]:
    """Find the sheet: the one that is named, else the first with rows that has the target, or a column expected."""
    wanted = options.sheet
    expected = set(options.expected)
    sheets = sorted(book.sheet_names, key=lambda sheet: _is_hidden(book, sheet))
    doubts: tuple[str, ...] = ()
    if wanted and wanted not in sheets:
        if not expected:
            raise InputError(f"{name}: there is no sheet `{wanted}`", hint=did_you_mean(wanted, sheets))
        doubts, wanted = (f"{name}: there is no sheet `{wanted}`",), ""
    filled = [sheet for sheet in ([wanted] if wanted else sheets) if _height(book, sheet)]
    if not filled:
        raise InputError(f"{name}: no sheet holds rows", hint="name a file with a header and rows")
    found = None
    for sheet in filled:
        table = _read(book, sheet, options, area, name)
        if found is None:
            found = sheet, table
        there = {*table.names.columns, *table.names.passed_over}
        asked = {options.target} if header.is_evidence(options.target, len(there)) else set()
        if not (expected or asked) or there & (expected or asked):
            found = sheet, table
            break
    else:
        assert found is not None  # noqa: S101 — at least one sheet was read
        if not expected:
            return found[0], found[1], _about_sheets(name, found[0], filled, doubts)
        shown = ", ".join(f"`{column}`" for column in options.expected[:8])
        raise InputError(
            f"{name}: none of the expected columns {shown} is in {', '.join(f'`{s}`' for s in filled[:8])}",
            hint="name the columns in a first line, or check that this is the right file and [data] sheet",
            facts={
                "expected": list(options.expected[:100]),
                "found": list(found[1].names.columns[:100]),
            },
        )
    return found[0], found[1], _about_sheets(name, found[0], filled, doubts)


def _about_sheets(name: str, taken: str, filled: list[str], doubts: tuple[str, ...]) -> tuple[str, ...]:
    others = [sheet for sheet in filled if sheet != taken]
    if not others and not doubts:
        return ()
    beside = f", others with rows are {', '.join(f'`{s}`' for s in others[:6])}" if others else ""
    return (*doubts, f"{name}: the sheet `{taken}` is read{beside}")


def _is_hidden(book: Any, sheet: str) -> bool:
    return bool(book.load_sheet(sheet, header_row=None, n_rows=1, dtypes="string").visible != "visible")


def _height(book: Any, sheet: str) -> int:
    return int(book.load_sheet(sheet, header_row=None, n_rows=1, dtypes="string").total_height)


def _read(book: Any, sheet: str, options: SourceOptions, area: Area, name: str) -> Table:
    top = book.load_sheet(sheet, header_row=None, skip_rows=0, n_rows=area.top + _HEAD_ROWS, dtypes="string")
    head = top.to_arrow()
    places = [info.absolute_index for info in top.available_columns()]  # empty columns on the left are not counted
    right = area.right if area.right is not None else max(places, default=0) + 1
    inside = [i for i, place in enumerate(places) if area.left <= place < right]
    last = head.num_rows if area.bottom is None else min(head.num_rows, area.bottom)
    texts = [[(cell or "").strip() for cell in head.column(i).to_pylist()] for i in inside]
    rows = [Row(r, r + 1, tuple(text[r] for text in texts)) for r in range(area.top, last)]
    rows = [row for row in rows if row.n_filled]
    if not rows:
        raise InputError(f"{name}: the sheet `{sheet}` holds no rows there", hint="check [data] range")
    filled = sorted({i for row in rows for i, cell in enumerate(row.cells) if cell})
    columns = [places[i] for i in inside[filled[0] :]]
    rows = [Row(row.line, row.end, row.cells[filled[0] :]) for row in rows]
    known = [
        n for n in (options.target, *options.expected) if n in options.expected or header.is_evidence(n, len(columns))
    ]
    found = header.find(rows, options.header, marks=frozenset(options.missing), names=known)
    start, notes = rows[found.first].end if found.header else rows[found.first].line, list[str]()
    below = rows[found.first + 1 :]
    said = header.descriptions(below, frozenset(options.missing)) if found.header else 0
    if said:
        start = below[said - 1].end
        notes.append(header.about_descriptions(below[:said], name))
    cells = _cells(book, sheet, columns, start, area)
    raw = rows[found.first].cells if found.header else ("",) * len(columns)
    empty = frozenset(i for i in range(len(columns)) if cells.column(i).null_count == cells.num_rows)
    if not found.header:
        empty = frozenset(i for i in empty if i > max(set(range(len(columns))) - empty, default=0))
    tidied = names.tidy(raw, name, target=options.target, expected=options.expected, empty=empty, told=found.header)
    if not found.header:
        notes.append(names.about_no_header(tidied.columns, name))
    if found.n_titles:
        n = found.n_titles
        notes.append(
            f"{name}: {'the line' if n == 1 else f'{n} lines'} above the table {'is' if n == 1 else 'are'} passed over"
        )
    kept = [cells.column(i) for i in tidied.positions]
    table = pa.RecordBatch.from_arrays(kept, names=list(tidied.columns))
    return Table(
        cells=_without_headers(_without_blank_rows(table), raw, tidied) if found.header else _without_blank_rows(table),
        names=tidied,
        header=found.header,
        n_before=rows[found.first].line,
        header_row=rows[found.first].end if found.header else 0,
        notes=(*notes, *tidied.notes),
    )


def _cells(book: Any, sheet: str, columns: list[int], start: int, area: Area) -> Any:
    n_rows = None if area.bottom is None else max(area.bottom - start, 0)
    how: dict[str, Any] = {"header_row": None, "skip_rows": start, "n_rows": n_rows, "use_columns": columns}
    try:
        batch = book.load_sheet(sheet, schema_sample_rows=None, **how).to_arrow()
    except Exception as error:
        if not _is_of_reader(error):
            raise
        batch = book.load_sheet(sheet, dtypes="string", **how).to_arrow()
    arrays = []
    for array in batch.columns:
        leaf = next(arrow_types.leaves([pa.field("", array.type)]))
        if pa.types.is_timestamp(array.type) and _are_times(array):
            array = pc.replace_substring_regex(pc.strftime(array, format="%H:%M:%S"), r"\.0+$", "")
            leaf = next(arrow_types.leaves([pa.field("", array.type)]))
        plain = leaf.convert(array) if leaf.convert else array.cast(pa.string())
        if pa.types.is_string(plain.type):
            plain = pc.if_else(pc.equal(pc.utf8_trim_whitespace(plain), ""), pa.scalar(None, pa.string()), plain)
        arrays.append(_whole(plain))
    return pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(len(arrays))])


def _are_times(moments: Any) -> bool:
    """Tell whether all moments lie in the first day of a spreadsheet: times of a day, as other sources write them."""
    last = pc.max(moments).as_py()
    return last is not None and last.replace(tzinfo=None) < _SECOND_DAY


def _whole(cells: Any) -> Any:
    """Turn numbers without a fraction into integers: a sheet knows no others than floats."""
    if not pa.types.is_floating(cells.type) or cells.null_count == len(cells):
        return cells
    bounds = pc.min_max(cells).as_py()
    if not -arrow_types.EXACT <= bounds["min"] <= bounds["max"] <= arrow_types.EXACT:
        return cells
    return cells.cast(pa.int64()) if pc.all(pc.equal(cells, pc.trunc(cells))).as_py() else cells


def _without_blank_rows(batch: Any) -> Any:
    filled = None
    for column in batch.columns:
        here = pc.is_valid(column)
        filled = here if filled is None else pc.or_(filled, here)
    return batch if filled is None or pc.all(filled).as_py() is not False else batch.filter(filled)


def _without_headers(batch: Any, raw: tuple[str, ...], tidied: names.Names) -> Any:
    same = None
    for i, column in zip(tidied.positions, batch.columns, strict=True):
        if not raw[i]:
            continue
        if not pa.types.is_string(column.type):
            return batch
        here = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), raw[i]), fill_value=False)
        same = here if same is None else pc.and_(same, here)
    return batch if same is None or not pc.any(same).as_py() else batch.filter(pc.invert(same))
