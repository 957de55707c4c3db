"""The words for where rows come from.

A `Source` yields Arrow batches. A *loose* source (CSV, JSON lines, a query) yields text only, to be understood by
`palio.data.inference`; Parquet and spreadsheets yield the types that they state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from palio.core.config import DataTable
from palio.core.progress import Progress
from palio.core.records import Column, Form

if TYPE_CHECKING:
    import pyarrow as pa


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is to be read; `auto` looks at the file. The same words as `[data]` in `palio.toml`.

    What is not `auto` is held against the file. Where the file contradicts, it is read in the way under which the
    `expected` columns are found, and `Source.notes` say so; otherwise it is refused.
    """

    separator: str = "auto"
    """One of `,` `;` `|` tab (also `tab` or `\\t`), or any one character."""
    header: str = "auto"
    """`auto`, `yes` or `no`; columns without a name are `column_1`, `column_2`, …"""
    encoding: str = "auto"
    quote: str = "auto"
    """What encloses cells of a text file: one character, `none`, or `auto`."""
    comment: str = "auto"
    """What begins a line of a text file that is no row: some characters, `none`, or `auto`, which knows `#`."""
    sheet: str = ""
    """Sheet of a spreadsheet; empty: the first that holds the target, or rows."""
    range: str = ""
    """Cells of the sheet, as `B3:F200` or `B:F`; empty: all of them."""
    missing: tuple[str, ...] = DataTable().missing
    """Cells that mean "not known", after surrounding blanks are cut off; the empty cell always does."""
    query: str = ""
    """What to ask a database; one statement that only reads."""
    within: str = ""
    """Folder that the file must lie in, links followed; empty: anywhere."""
    images: str = ""
    """Folder or archive of the pictures that a column of a table names; empty: there are none."""
    task: str = "auto"
    """What is asked: pictures with `detection` have boxes, and those with another task have none; `auto` looks."""
    classes: tuple[str, ...] = ()
    """Names of classes that files of boxes know by number alone, in order."""
    notes: str = ""
    """File in which it is written down what is known of pictures; empty: nowhere for longer than a source lives."""
    target: str = ""
    """Column that is asked for: it tells the header from other lines, and cannot be passed over."""
    expected: tuple[str, ...] = ()
    """Columns that the source should have, from an earlier file of the same kind; empty: none is known."""


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """What a source knows of its columns, so that nothing about them is to be guessed."""

    columns: Mapping[str, Column] = {}
    target: str = ""
    """Column to predict where nobody names another one."""
    id: str = ""
    group: str = ""
    """Column whose rows belong together."""
    part: str = ""
    """Column that cuts the rows into parts."""
    n_aside: int = 0
    """Rows that will be set aside, whatever their target."""


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

    def drop_last(self) -> None:
        """Take back the last row: it was none. Only while every row is kept."""
        self.n_rows -= 1
        self.rows.pop()
        self.places.pop()


class Source(Protocol):
    """Rows that can be read again and again, in the same order. There may be none: then no batch has a row."""

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
    def form(self) -> Form:
        """How the source is written."""

    @property
    def passed_over(self) -> Mapping[str, str]:
        """Columns that are there but cannot be read as plain cells, each with the reason. Not among `columns`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the source, one sentence each; more after a reading than before."""

    @property
    def fingerprint(self) -> str:
        """Identity of the bytes and of how they are read; equal fingerprints give equal rows."""

    @property
    def skipped(self) -> Skipped:
        """Rows that the last reading had to leave out."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, some ten thousand at a time."""


@runtime_checkable
class Pictured(Protocol):
    """A source some of whose cells are the identities of pictures."""

    progress: Progress
    """Hears how many pictures were looked at."""

    def bring(self, put: Callable[[bytes], str], has: Callable[[str], bool], progress: Progress) -> None:
        """Keep the bytes of every picture that can be used; those that `has` knows need not be read."""


def stated(source: Source) -> Stated:
    """Return what a source states of its columns."""
    found: Stated | None = getattr(source, "stated", None)
    return found or Stated()
