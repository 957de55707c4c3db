"""Name where rows come from, and read them in streams.

A `Source` yields Arrow batches. A *loose* source (CSV, JSON lines, a query) yields text only, to be understood by
`palio.data.inference`; Parquet yields the types that its file states.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from palio.core.config import DataTable
from palio.core.errors import InputError, NotFoundError, RefusedError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".psv": "delimited",
    ".txt": "delimited",
    ".dat": "delimited",
    ".data": "delimited",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "lines",
    ".ndjson": "lines",
}
_INSTEAD = {
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".json": "write one JSON object a line and call it .jsonl",
    ".zip": "unpack it first, or compress the table with gzip",
    ".pkl": "write it as Parquet: a pickle can run code, so none is opened",
    ".pickle": "write it as Parquet: a pickle can run code, so none is opened",
    ".db": "name it as sqlite:///PATH and give a query",
    ".sqlite": "name it as sqlite:///PATH and give a query",
    ".sqlite3": "name it as sqlite:///PATH and give a query",
}
_MAGIC = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a ZIP archive or an Excel sheet",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
}
MAX_COLUMNS = 20_000
"""More columns than this are refused: every column costs a graph input, a profile and a line of the schema."""


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is to be read; `auto` looks at the file. The same words as `[data]` in `palio.toml`."""

    separator: str = "auto"
    """One of `,` `;` `|` tab (also `tab` or `\\t`), or any one character."""
    header: str = "auto"
    """`auto`, `yes` or `no`; columns without a name are `column_1`, `column_2`, …"""
    encoding: str = "auto"
    decimal: str = "auto"
    """What stands before the decimals of a number in a text file: `.`, `,`, or `auto`, which looks at its beginning."""
    missing: tuple[str, ...] = DataTable().missing
    """Cells that mean "not known", after surrounding blanks are cut off; the empty cell always does."""
    query: str = ""
    """What to ask a database; one statement that only reads."""
    within: str = ""
    """Folder that the file must lie in, links followed; empty: anywhere."""


class Skipped:
    """Rows of the last reading that have another number of cells than the table has columns."""

    KEPT = 1_000

    def __init__(self) -> None:
        self.n_rows = 0
        self.rows: list[tuple[int, int, str]] = []
        """Line in the file, number of cells, the row; the first 1,000 of them."""
        self.places: list[tuple[int, int]] = []
        """Place among all rows, counted from 0, and number of cells, of every one of them."""

    def add(self, line: int, n_cells: int, text: str, *, place: int) -> None:
        """Count a row, and keep it while there is room."""
        self.n_rows += 1
        self.places.append((place, n_cells))
        if len(self.rows) < self.KEPT:
            self.rows.append((line, n_cells, text))


class Source(Protocol):
    """Rows that can be read again and again, in the same order."""

    @property
    def name(self) -> str:
        """Where the rows come from, without credentials."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, unique, in file order."""

    @property
    def loose(self) -> bool:
        """Whether every cell is text that is still to be understood."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Cells that mean "not known"."""

    @property
    def decimal(self) -> str:
        """What stands before the decimals of a number that is held as text: `.` or `,`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the source, one sentence each."""

    @property
    def fingerprint(self) -> str:
        """Identity of the bytes and of how they are read; equal fingerprints give equal rows."""

    @property
    def skipped(self) -> Skipped:
        """Rows that the last reading had to leave out."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, some ten thousand at a time."""


def open_source(spec: str | Path, options: SourceOptions | None = None) -> Source:
    """Open a file or a query for reading.

    Args:
        spec: Path of a CSV (`.csv .tsv .tab .psv .txt .dat .data`), Parquet (`.parquet .pq`) or JSON lines
            (`.jsonl .ndjson`) file, text files also with `.gz`; or `sqlite:///PATH`, `postgresql://…` with
            `options.query`.
        options: How to read it.

    Raises:
        InputError: the form is not supported, or the file is not what its name says.
        NotFoundError: there is no such file.
        RefusedError: the file lies outside `options.within`.
        UnavailableError: the database or its driver is not there.
    """
    options = options or SourceOptions()
    text = str(spec)
    if "://" in text:
        return _open_url(text, options)
    if not text.strip():
        raise InputError("no source is named", hint="name a file, or a database with a query")
    if options.query:
        raise InputError(
            f"{text}: a query is given, but this is a file", hint="remove [data] query, or name a database"
        )
    path = Path(text).expanduser()
    kind = _kind(path)
    _check_path(path, options.within)
    if kind == "parquet":
        from palio.data.parquet import ParquetSource

        return ParquetSource(path, options)
    if kind == "lines":
        from palio.data.json_lines import JsonLinesSource

        return JsonLinesSource(path, options)
    from palio.data.delimited import DelimitedSource

    return DelimitedSource(path, options)


def check_magic(head: bytes, path: Path) -> None:
    """Raise `InputError` if the first bytes tell that a text file is something else."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise InputError(
                f"{path.name}: the name says text, the content is {what}",
                hint="give the file its true ending"
                if what == "a Parquet file"
                else "export the table as CSV or Parquet",
            )


def check_names(names: tuple[str, ...], where: str) -> None:
    """Raise `InputError` if column names are blank, double or too many."""
    if not names:
        raise InputError(f"{where}: there are no columns", hint="name a table with a header and rows")
    if len(names) > MAX_COLUMNS:
        raise InputError(
            f"{where}: {len(names):,} columns, at most {MAX_COLUMNS:,} are allowed",
            hint="check the separator, or choose columns before",
        )
    blank = [i + 1 for i, name in enumerate(names) if not name.strip()]
    if blank:
        raise InputError(
            f"{where}: column {blank[0]} has no name in the header",
            hint="name it in the first line, or set [data] header to `no` if the file has none",
            facts={"positions": blank},
        )
    seen: set[str] = set()
    double = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if double:
        raise InputError(
            f"{where}: column `{double[0]}` occurs more than once in the header",
            hint="give each column its own name",
            facts={"columns": double},
        )


def _open_url(url: str, options: SourceOptions) -> Source:
    scheme = url.partition("://")[0].lower()
    if scheme.partition("+")[0] not in ("sqlite", "postgresql", "postgres"):
        raise InputError(
            f"`{scheme}://` is not a source, allowed are a file, sqlite:/// and postgresql://",
            hint="copy the file here, or name a database",
        )
    from palio.data.query import QuerySource

    return QuerySource(url, options)


def _kind(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    compressed = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[:-1] if compressed else suffixes)[-1:] or [""]
    kind = _KINDS.get(suffix[0])
    if kind is None and path.is_dir():
        raise InputError(f"{path.name}: this is a folder, a file is wanted", hint="name the file in it")
    if kind is None:
        allowed = ", ".join(_KINDS)
        raise InputError(
            f"{path.name}: files that end in `{suffix[0]}` are not read, allowed are {allowed}",
            hint=_INSTEAD.get(suffix[0]) or (did_you_mean(suffix[0], _KINDS) if suffix[0] else "add the ending"),
        )
    if kind == "parquet" and compressed:
        raise InputError(
            f"{path.name}: Parquet inside gzip is not read", hint="unpack it: Parquet is compressed already"
        )
    return kind


def _check_path(path: Path, within: str) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise NotFoundError(f"{path}: the link leads nowhere", hint="name the file itself") from None
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFoundError(
            f"{path}: there is no such file", hint=did_you_mean(path.name, near) if near else "check the folder"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{str(path)[:200]!r}: not a path that can be read: {_reason(error)}", hint="check it"
        ) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path.name}: this is a folder, a file is wanted", hint="name the file in it")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path.name}: this is a device or a pipe, a file is wanted", hint="write it to a file first")
    if within and not path.resolve().is_relative_to(Path(within).resolve()):
        raise RefusedError(f"{path}: lies outside {within}", hint="copy the file into the folder")


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
