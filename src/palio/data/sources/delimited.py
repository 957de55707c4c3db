"""Read CSV and its relatives: stream every cell as text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.records import Form
from palio.core.words import listed
from palio.data.source import Skipped, SourceOptions
from palio.data.sources import blocks, names, text_stream
from palio.data.sources.content import Content
from palio.data.sources.dialect import HEAD_BYTES, Dialect, called, sniff
from palio.data.sources.rows import is_plain, reader_of, rows_of

_REMARK = re.compile(r"\s*([-=+| ]+|\(?\d+ rows?( affected| selected)?\.?\)?)\s*$")
"""What databases print under a header and below a table."""
_FOOTER = re.compile(r"[\s\"]*[^\W\d_][^\n]*(?:: ?\S|\s\S)", re.IGNORECASE)
"""A remark below a table: words, with a colon or blanks between them."""
_NARROW = 2
_STAND_IN = "\x1f"
"""Stands for a separator that is no single byte."""


class DelimitedSource:
    """A file of separated cells, every cell as text."""

    loose = True

    def __init__(self, content: Content, options: SourceOptions) -> None:
        self.name = content.name
        self.missing = options.missing
        self.skipped = Skipped()
        self.remarks: tuple[str, ...] = ()
        self._content = content
        self._scan, self.dialect, self._doubts = _agreed(content, options)
        dialect = self.dialect
        self.columns = dialect.names.columns
        self.passed_over = dialect.names.passed_over
        names.refuse_if_passed_over(options.target, self.passed_over, self.name)
        if dialect.quote == '"' and not dialect.escape and self._scan.n_quotes % 2:
            _check_quotes(content, self._scan, dialect)
        self.fingerprint = digest_of([self._scan.digest, msgspec.to_builtins(dialect), options.missing])
        self._may_comment = options.comment != "none"
        self._kept = list(dialect.names.positions)
        self._needed = max(self._kept) + 1
        self._separator = dialect.separator if dialect.separator.isascii() else _STAND_IN
        words = [cell for cell in dialect.raw_header if cell and not is_plain(cell) and '"' not in cell]
        self._mark = max(words, key=len, default="").encode()
        """Stands in every row that repeats the header, and seldom in others."""
        self._n_headers = self._n_comments = self._n_trailers = 0
        self.footer: tuple[str, ...] = ()
        """Remarks below the table that the last reading passed over."""

    @property
    def form(self) -> Form:
        """How the file is written."""
        return Form(
            kind="delimited",
            separator=self.dialect.separator,
            quote=self.dialect.quote,
            header=self.dialect.header,
            encoding=self._scan.encoding.removesuffix("-sig"),
            n_before=self.dialect.n_before,
            comment=self.dialect.comment,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the file; after a reading also what was left out."""
        dialect = self.dialect
        notes = [*self.remarks, *self._doubts]
        if not dialect.header:
            notes.append(names.about_no_header(self.columns, self.name))
        notes.extend(f"{self.name}: {remark}" for remark in self._scan.remarks)
        if dialect.separator not in ",;\t|":
            notes.append(f"{self.name}: cells are separated by {called(dialect.separator)}")
        notes.extend(dialect.notes)
        notes.extend(names.about_passed_over(self.passed_over, self.name))
        if not dialect.quote and self._scan.n_quotes:
            notes.append(f"{self.name}: quotes do not come in pairs, so they are read as ordinary characters")
        if dialect.escape:
            notes.append(f"{self.name}: a backslash is read as the sign that the next one belongs to the cell")
        if dialect.quote == "'":
            notes.append(f"{self.name}: cells are enclosed in single quotes")
        left_out = (
            (self._n_headers, "repeats the header", "repeat the header"),
            (self._n_comments + self._n_trailers, "is a comment", "are comments"),
        )
        for n, one, several in left_out:
            if n:
                notes.append(
                    f"{self.name}: {n:,} {f'line {one} and is' if n == 1 else f'lines {several} and are'} left out"
                )
        if self.footer:
            shown = listed((f"`{line}`" for line in self.footer), at_most=2)
            below = "line below the table is" if len(self.footer) == 1 else "lines below the table are"
            notes.append(f"{self.name}: {len(self.footer):,} {below} passed over: {shown}")
        return tuple(notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows as text; rows with a wrong number of cells go to `skipped`.

        Raises:
            InputError: a quote that never closes, a row longer than 8 MB, a file that is cut off.
        """
        self.skipped = Skipped()
        self._n_headers = self._n_comments = self._n_trailers = self._n_good = 0
        self.footer = ()
        for block, line, is_last in _with_end(self._blocks()):
            batch = self._parse(block, line)
            if is_last:
                self._pass_over_footer(self._n_good + batch.num_rows)
            self._n_good += batch.num_rows
            if b'="' in block:
                batch = _without_formulas(batch)
            if self._mark and self._mark in block:
                batch = self._without_headers(batch)
            if batch.num_rows:
                yield batch

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        """Yield blocks of whole rows, each with the number of lines before it."""
        dialect, line = self.dialect, self.dialect.n_lines
        stream: Any = text_stream.utf8_blocks(self._content, self._scan.encoding, self._scan.errors)
        stream = blocks.from_position(stream, dialect.starts_at)
        if dialect.comment:
            stream = comments = blocks.WithoutComments(stream, dialect.comment, dialect.quote, escape=dialect.escape)
        if dialect.padded:
            stream = blocks.without_blanks_before_quotes(stream, dialect.separator, dialect.quote)
        how: Any = {"quote": dialect.quote, "separator": dialect.separator, "escape": dialect.escape}
        for block in blocks.whole_rows(stream, name=self.name, **how):
            yield block, line
            line += blocks.n_line_ends(block)
            if dialect.comment:
                self._n_comments = comments.n_lines

    def _parse(self, block: bytes, line: int) -> pa.RecordBatch:
        """Read the cells of a block."""
        dialect, odd = self.dialect, list[tuple[int, int, str]]()

        def set_aside(row: Any) -> str:
            odd.append((row.number, row.actual_columns, row.text))
            return "skip"

        places = [str(i) for i in range(dialect.width)]
        if self._separator != dialect.separator:
            block = block.replace(dialect.separator.encode(), self._separator.encode())
        try:
            table = pa.csv.read_csv(
                pa.BufferReader(block),
                # one thread: only then is the order of the rows that are set aside known
                read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=places),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self._separator,
                    quote_char=dialect.quote or False,
                    escape_char="\\" if dialect.escape else False,
                    newlines_in_values=bool(dialect.quote) and dialect.quote.encode() in block,
                    invalid_row_handler=set_aside,
                ),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False, check_utf8=False
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return self._of_rows([])
            raise _explain(error, self.name) from None
        if odd and any(self._fits(self._cells_of(text)) for _, _, text in odd):
            return self._read_by_row(block, line)
        at = 0
        for i, (number, n_cells, text) in enumerate(odd):
            if len(self.skipped.rows) < Skipped.KEPT:
                at = max(block.find(text.encode(), at), at)
            self._skip(line + blocks.n_line_ends(block[:at]) + 1, n_cells, text, n_before=number - 1 - i)
        if not table.num_rows:
            return self._of_rows([])
        batch = table.combine_chunks().to_batches()[0]
        empty = dialect.names.empty
        if any(pc.any(pc.not_equal(pc.utf8_trim_whitespace(batch.column(i)), "")).as_py() for i in empty):
            return self._read_by_row(block, line)
        return pa.RecordBatch.from_arrays([batch.column(i) for i in self._kept], names=list(self.columns))

    def _cells_of(self, text: str) -> tuple[str, ...]:
        rows = rows_of([text], self._separator, self.dialect.quote, escape=self.dialect.escape)
        return rows[0].cells if rows else ()

    def _fits(self, cells: Sequence[str]) -> bool:
        """Tell whether a row holds a cell for every column, and beyond them nothing but empty ones."""
        if len(cells) < self._needed:
            return False
        return len(cells) <= self.dialect.width or not any(cell.strip() for cell in cells[self.dialect.width :])

    def _read_by_row(self, block: bytes, line: int) -> pa.RecordBatch:
        """Read a block in which rows have surplus separators, row by row."""
        dialect, rows = self.dialect, list[list[str]]()
        lines = io.StringIO(block.decode(), newline="")
        reader = reader_of(lines, self._separator, dialect.quote, escape=dialect.escape)
        csv.field_size_limit(max(csv.field_size_limit(), blocks.BLOCK_BYTES))
        at = line
        for cells in reader:
            if not cells:
                at = line + reader.line_num
                continue
            surplus = any(len(cells) > i and cells[i].strip() for i in dialect.names.empty)
            if self._fits(cells) and not surplus:
                rows.append([cells[i] for i in self._kept])
            else:
                self._skip(at + 1, len(cells), self._separator.join(cells), n_before=len(rows))
            at = line + reader.line_num
        return self._of_rows(rows)

    def _skip(self, line: int, n_cells: int, text: str, *, n_before: int) -> None:
        """Leave a row out that stands behind `n_before` rows of its block which are read."""
        if self._may_comment and (text.startswith("#") or _REMARK.match(text)):
            self._n_trailers += 1
        elif self._mark and self._mark.decode() in text and self._cells_of(text) == self.dialect.raw_header:
            self._n_headers += 1
        elif text.strip(" \t\r\n\x1a"):  # the last is the end of a file on DOS
            place = self._n_good + n_before + self.skipped.n_rows
            self.skipped.add(line, n_cells, text[:2_000], place=place)

    def _pass_over_footer(self, n_rows: int) -> None:
        """Leave out remarks below the table: the last lines, each a single cell of several words.

        Args:
            n_rows: Rows that have a cell for every column.
        """
        skipped = self.skipped
        while (
            self.dialect.width > _NARROW
            and skipped.n_rows == len(skipped.rows)
            and skipped.rows
            and skipped.rows[-1][1] == 1
            and skipped.places[-1][0] == n_rows + skipped.n_rows - 1
            and _FOOTER.match(skipped.rows[-1][2])
        ):
            self.footer = (skipped.rows[-1][2].strip(' "\r\n')[:60], *self.footer)
            skipped.drop_last()

    def _without_headers(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Leave out rows that say the names of the columns again."""
        raw = self.dialect.raw_header
        same = None
        for i, column in zip(self._kept, batch.columns, strict=True):
            is_name = pc.equal(pc.utf8_trim(column, " \t\ufeff"), raw[i] if i < len(raw) else "")
            same = is_name if same is None else pc.and_(same, is_name)
            if not pc.any(same).as_py():
                return batch
        self._n_headers += pc.sum(same).as_py()
        return batch.filter(pc.invert(same))

    def _of_rows(self, rows: list[list[str]]) -> pa.RecordBatch:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        return pa.RecordBatch.from_arrays([pa.array(c, pa.string()) for c in columns], names=list(self.columns))


def _with_end(blocks: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int, bool]]:
    """Tell with each block whether it is the last."""
    before = next(blocks, None)
    while before is not None:
        following = next(blocks, None)
        yield (*before, following is None)
        before = following


def _without_formulas(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Read `="00123"`, which keeps spreadsheets from taking a text for a number, as what stands inside."""
    columns = [pc.replace_substring_regex(column, r'^\s*="([-+]?[0-9][^"]*)"\s*$', r"\1") for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _agreed(content: Content, options: SourceOptions) -> tuple[text_stream.Scan, Dialect, tuple[str, ...]]:
    """Read as told; where no expected column is found so, look for the reading under which they are.

    Raises:
        InputError: none of the expected columns is found in any reading.
    """
    refusal: InputError | None = None
    first: Dialect | None = None
    try:
        scan, first = _looked(content, options)
        if not options.expected or 2 * _n_found(first, options) >= len(options.expected):
            return scan, first, _doubts(first, content.name, options)
    except InputError as error:
        if not options.expected:
            raise
        refusal = error
    most = _n_found(first, options) if first else 0
    for keys in (("separator",), ("quote", "comment"), ("encoding",), ("header",), tuple(_WORDS)):
        told = {key: getattr(options, key) for key in keys if getattr(options, key) != "auto"}
        if not told:
            continue
        try:
            scan, dialect = _looked(content, msgspec.structs.replace(options, **dict.fromkeys(told, "auto")))
        except InputError:
            continue
        if _n_found(dialect, options) > most:
            found = {
                "separator": called(dialect.separator),
                "quote": f"`{dialect.quote or 'none'}`",
                "comment": f"`{dialect.comment or 'none'}`",
                "encoding": scan.encoding.removesuffix("-sig"),
                "header": "yes" if dialect.header else "no",
            }
            said = ", ".join(f"[data] {key} is `{value}`, found is {found[key]}" for key, value in told.items())
            return scan, dialect, (f"{content.name} is written in another way than the data: {said}",)
    if first is not None and most:
        return scan, first, _doubts(first, content.name, options)  # what is absent, the contract says
    wanted = ", ".join(f"`{name}`" for name in options.expected[:8]) + (" …" if len(options.expected) > 8 else "")
    if refusal is not None:
        raise refusal
    assert first is not None  # noqa: S101 — else there is a refusal
    top = ", ".join(f"`{name}`" for name in first.names.columns[:8]) if first.header else "no header"
    raise InputError(
        f"{content.name}: none of the expected columns {wanted} is there, found: {top}",
        hint="write the names of the columns in the first line, or check that this is the right file",
        facts={"expected": list(options.expected[:100]), "found": list(first.names.columns[:100])},
    )


_WORDS = ("separator", "quote", "comment", "encoding", "header")


def _looked(content: Content, options: SourceOptions) -> tuple[text_stream.Scan, Dialect]:
    scan = text_stream.scan(content, options.encoding)
    head, size = list[bytes](), 0
    for block in text_stream.utf8_blocks(content, scan.encoding, scan.errors):
        head.append(block)
        size += len(block)
        if size >= HEAD_BYTES and (size >= blocks.BLOCK_BYTES or b"".join(head)[:HEAD_BYTES].count(b"\n") > 2):
            break
    joined = b"".join(head)
    enough = HEAD_BYTES if joined[:HEAD_BYTES].count(b"\n") > 2 else blocks.BLOCK_BYTES  # a header may be very long
    text = joined[:enough].decode("utf-8", "ignore")
    return scan, sniff(text, content.name, content.ending, options, scan=scan)


def _n_found(dialect: Dialect, options: SourceOptions) -> int:
    return len(set(options.expected).intersection((*dialect.names.columns, *dialect.names.passed_over)))


def _doubts(dialect: Dialect, name: str, options: SourceOptions) -> tuple[str, ...]:
    if options.header == "no" and dialect.looks_headed:
        return (f"{name}: the first line looks like a header, but is read as cells, as [data] header says `no`",)
    return ()


def _check_quotes(content: Content, scan: text_stream.Scan, dialect: Dialect) -> None:
    """Raise `InputError` if the last quote opens a cell that never closes; the exact count is odd already."""
    inside, number, opened_at, rest = False, 0, 0, b""
    starts = (b'"', f'{dialect.separator}"'.encode())
    for block in text_stream.utf8_blocks(content, scan.encoding, scan.errors):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            number += 1
            if (inside or b'"' in line) and line.count(b'"') % 2 and _toggles(line, starts, inside=inside):
                inside, opened_at = not inside, number
    if rest.count(b'"') % 2 and _toggles(rest, starts, inside=inside):
        inside, opened_at = not inside, number + 1
    if inside:
        raise InputError(
            f"{content.name}: a quote opens in line {opened_at:,} and never closes",
            hint="close it, or write it twice if it belongs to the text",
            facts={"line": opened_at},
        )


def _toggles(line: bytes, starts: tuple[bytes, bytes], *, inside: bool) -> bool:
    return inside or line.startswith(starts[0]) or starts[1] in line


def _explain(error: Exception, name: str) -> InputError:
    text = str(error)
    if "straddl" in text or "out of sync" in text:
        return InputError(
            f"{name}: a row is longer than {blocks.BLOCK_BYTES >> 20} MB, or a quote never closes",
            hint="look for a cell that begins with a quote and does not end with one",
        )
    return InputError(f"{name}: cannot be read as a table: {text.splitlines()[0][:200]}", hint="check the separator")
