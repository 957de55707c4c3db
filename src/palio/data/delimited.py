"""Read CSV and its relatives: find the separator and the header, then stream every cell as text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.csv

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.data import text_stream
from palio.data.source import Skipped, SourceOptions, check_names

SEPARATORS = ",;\t|"
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_BY_ENDING = {".tsv": "\t", ".tab": "\t", ".psv": "|"}
_NUMBER = re.compile(r"'?[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?'?$")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+|),\d+([eE][+-]?\d+)?$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}(\1\d{3})*$")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?$")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_HEAD_BYTES = 1 << 18
_HEAD_ROWS = 200
BLOCK_BYTES = 8 << 20
"""Size of the blocks that are parsed at once; no row may be longer."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How a delimited file is written."""

    separator: str
    quoted: bool
    header: bool
    columns: tuple[str, ...]
    blank_lines: int
    """Empty lines before the first row."""


class DelimitedSource:
    """A file of separated cells, every cell as text."""

    loose = True

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.name = path.name
        self.missing = options.missing
        self.skipped = Skipped()
        self._path = path
        self._scan = text_stream.scan(path, options.encoding)
        head = text_stream.Utf8File(path, self._scan.encoding)
        head_text = head.read(_HEAD_BYTES).decode("utf-8", "ignore")
        head.close()
        self.dialect = sniff(head_text, path, options, scan=self._scan)
        self.columns = self.dialect.columns
        if self.dialect.quoted and self._scan.n_quotes % 2:
            _check_quotes(path, self._scan.encoding, self.dialect)
        self.encoding = self._scan.encoding
        self.decimal = _decimal(head_text, self.dialect, options)
        self.fingerprint = digest_of(
            [self._scan.digest, self.dialect, options.missing, *([","] if self.decimal == "," else [])]
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the file."""
        notes = []
        if not self.dialect.header:
            notes.append(f"{self.name} has no header: its columns are called column_1 … column_{len(self.columns)}")
        if self._scan.encoding not in ("utf-8-sig", "utf-8"):
            notes.append(f"{self.name} is read as {self._scan.encoding}")
        if self.decimal == ",":
            notes.append(f"{self.name}: numbers are read with a decimal comma")
        if not self.dialect.quoted and self._scan.n_quotes:
            notes.append(f"{self.name}: quotes do not come in pairs, so they are read as ordinary characters")
        return tuple(notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows as text; rows with a wrong number of cells go to `skipped`.

        Raises:
            InputError: a quote that never closes, a row longer than 8 MB, a file that is cut off.
        """
        self.skipped = skipped = Skipped()
        first = self.dialect.blank_lines

        def skip(row: Any) -> str:
            place = row.number - 1 - int(self.dialect.header)
            skipped.add(row.number + first, row.actual_columns, row.text[:2_000], place=place)
            return "skip"

        text = pa.string()
        with pa.PythonFile(text_stream.Utf8File(self._path, self._scan.encoding), mode="r") as stream:
            try:
                reader = pa.csv.open_csv(
                    stream,
                    # one thread: only then are row numbers known for the rows that are left out
                    read_options=pa.csv.ReadOptions(
                        use_threads=False,
                        block_size=BLOCK_BYTES,
                        column_names=list(self.columns),
                        skip_rows=first,
                        skip_rows_after_names=int(self.dialect.header),
                    ),
                    parse_options=pa.csv.ParseOptions(
                        delimiter=self.dialect.separator,
                        quote_char='"' if self.dialect.quoted else False,
                        newlines_in_values=self.dialect.quoted and self._scan.n_quotes > 0,
                        invalid_row_handler=skip,
                    ),
                    convert_options=pa.csv.ConvertOptions(
                        column_types=dict.fromkeys(self.columns, text), strings_can_be_null=False, check_utf8=False
                    ),
                )
                for batch in reader:
                    if batch.num_rows:
                        yield batch
            except pa.ArrowInvalid as error:
                raise _explain(error, self.name) from None


def sniff(head: str, path: Path, options: SourceOptions, *, scan: text_stream.Scan) -> Dialect:
    """Find out how a file is written from its beginning.

    Raises:
        InputError: no rows, no columns, or a header with blank or double names.
    """
    lines = head.splitlines(keepends=True)
    if len(head.encode()) < scan.size_bytes and len(lines) > 1:
        lines = lines[:-1]  # the last one is cut off
    blank = next((i for i, line in enumerate(lines) if line.strip("\r\n")), len(lines))
    lines = lines[blank : blank + _HEAD_ROWS]
    if not "".join(lines).strip():
        raise InputError(f"{path.name}: the file holds no rows", hint="name a file with a header and rows")
    suffix = next((s for s in reversed([s.lower() for s in path.suffixes]) if s != ".gz"), "")
    separator = _separator(lines, options.separator, suffix)
    quoted = _is_quoted(lines, separator, scan)
    rows = _rows(lines, separator, quoted=quoted)
    header = options.header == "yes" or (options.header == "auto" and _has_header(rows, options.missing))
    if header:
        names = tuple(cell.strip() for cell in rows[0])
        if len(names) > 1 and not names[0] and all(names[1:]):
            names = ("column_1", *names[1:])  # a table written with its row numbers has no name for them
    else:
        names = tuple(f"column_{i + 1}" for i in range(len(rows[0])))
    check_names(names, path.name)
    return Dialect(separator=separator, quoted=quoted, header=header, columns=names, blank_lines=blank)


def _separator(lines: list[str], wanted: str, suffix: str) -> str:
    if wanted != "auto":
        separator = _NAMED.get(wanted, wanted)
        if len(separator) != 1 or separator in '"\r\n':
            raise InputError(
                f"[data] separator: got `{wanted}`, one character is wanted", hint="use `,`, `;`, `|`, `tab` or `auto`"
            )
        return separator
    if suffix in _BY_ENDING and any(_BY_ENDING[suffix] in line for line in lines):
        return _BY_ENDING[suffix]
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        widths = [len(row) for row in _rows(lines, separator, quoted=True)]
        usual = max(set(widths), key=widths.count)
        score = (widths.count(usual) / len(widths), usual)
        if usual > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _decimal(head: str, dialect: Dialect, options: SourceOptions) -> str:
    """Tell what stands before the decimals: a comma only where the cells leave no other reading."""
    if options.decimal not in ("auto", ".", ","):
        raise InputError(f"[data] decimal: got `{options.decimal}`, allowed are auto, `.` and `,`", hint="use `auto`")
    if options.decimal != "auto" or dialect.separator == "," or "," not in head:
        return "." if options.decimal == "auto" else options.decimal
    lines = head.splitlines(keepends=True)[dialect.blank_lines : -1 if head[-1:] not in "\r\n" else None]
    rows = _rows(lines, dialect.separator, quoted=dialect.quoted)[int(dialect.header) :]
    marks, found = {*options.missing, ""}, False
    for cells in zip(*(row for row in rows if len(row) == len(dialect.columns)), strict=True):
        present = [cell for cell in map(str.strip, cells) if cell not in marks]
        if any(_DECIMAL_POINT.match(c) and not _THOUSANDS.match(c) for c in present):
            return "."
        commas = [c for c in present if _DECIMAL_COMMA.match(c)]
        whole = [c for c in present if "," not in c and _NUMBER.match(c)]
        is_number = bool(commas) and len(commas) + len(whole) == len(present)
        # 1,234 may be one thousand in another country
        found |= is_number and any(not _THOUSANDS.match(c) for c in commas)
    return "," if found else "."


def _is_quoted(lines: list[str], separator: str, scan: text_stream.Scan) -> bool:
    """Tell whether quotes enclose cells. Between tabs they may be plain characters, as in text messages."""
    if separator != "\t" or scan.opening_quotes == scan.closing_quotes:
        return True
    # a quote at the end of a line may also stand inside a cell: then only reading the quotes gives rows of one width
    return _evenness(_rows(lines, separator, quoted=True)) > _evenness(_rows(lines, separator, quoted=False))


def _evenness(rows: list[list[str]]) -> float:
    """Return the share of the rows that have as many cells as the first."""
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def _rows(lines: list[str], separator: str, *, quoted: bool) -> list[list[str]]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in csv.reader(lines, delimiter=separator, quoting=quoting) if row)
    except csv.Error:
        # a cell beyond 128 KB: what was read so far is enough to judge by
        rows = rows or [line.rstrip("\r\n").split(separator) for line in lines]
    return rows


def _has_header(rows: list[list[str]], missing: tuple[str, ...]) -> bool:
    first = [cell.strip() for cell in rows[0]]
    if first == [str(i) for i in range(len(first))] and len(first) > 1:
        return True  # a table written with numbered columns
    marks = {*missing, ""}
    if any(_NUMBER.match(c) or _DATE.match(c) or (c in marks and c) for c in first):
        return False
    width = len(first)
    body = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == width]
    if not body:
        return True
    columns = [[row[i] for row in body if row[i] not in marks] for i in range(width)]
    if any(cells and all(_NUMBER.match(c) or _DATE.match(c) for c in cells) for cells in columns):
        return True
    # all text: a name is not at the same time a value of its column
    return not any(name in cells for name, cells in zip(first, columns, strict=True))


def _check_quotes(path: Path, encoding: str, dialect: Dialect) -> None:
    """Raise `InputError` if the last quote opens a cell that never closes; the exact count is odd already."""
    text = io.TextIOWrapper(text_stream.Utf8File(path, encoding), encoding="utf-8", newline="")  # type: ignore[type-var]
    inside, line_number, opened_at = False, 0, 0
    starts = ('"', *(f'{dialect.separator}"',))
    for line in text:
        line_number += 1
        if not inside and '"' not in line:
            continue
        if line.count('"') % 2 and (inside or line.startswith(starts[0]) or starts[1] in line):
            inside, opened_at = not inside, line_number
    text.close()
    if inside:
        raise InputError(
            f"{path.name}: a quote opens in line {opened_at:,} and never closes",
            hint="close it, or write it twice if it belongs to the text",
            facts={"line": opened_at},
        )


def _explain(error: Exception, name: str) -> InputError:
    text = str(error)
    if "straddl" in text or "out of sync" in text:
        return InputError(
            f"{name}: a row is longer than {BLOCK_BYTES >> 20} MB, or a quote never closes",
            hint="look for a cell that begins with a quote and does not end with one",
        )
    return InputError(f"{name}: cannot be read as a table: {text.splitlines()[0][:200]}", hint="check the separator")
