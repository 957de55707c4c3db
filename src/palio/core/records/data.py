"""Rows come in: columns and their contract, where the rows came from, how they look."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.records.base import ColumnType, Modality, OnViolation, Record, TaskKind


class Column(Record, frozen=True, kw_only=True):
    """One column of the contract."""

    name: str
    type: ColumnType
    feature: bool = True
    missing_allowed: bool = True
    """False and `on_missing = "reject"` are the same; either sets the other."""
    on_missing: OnViolation = "accept"
    """What a missing value is: usual, answered with a flag (no row so far had one), or refused."""
    low: float | None = None
    """Smallest value seen (number, integer; datetime: seconds since 1970)."""
    high: float | None = None
    categories: tuple[str, ...] | None = None
    """Known values of a category or boolean column, most frequent first."""
    on_unknown: OnViolation = "flag"
    on_out_of_range: OnViolation = "flag"
    format: str | None = None
    """How a moment is written (strptime, or a word of `palio.core.cells.moments`), or `WIDTHxHEIGHT` of images that
    share one size."""
    decimal: Literal[".", ","] = "."
    """What stands before the decimals of a number that is written as text; the other one may part thousands."""
    unit: str = ""
    """What stands beside every number: `kg`, `%`, `€`; no part of the value."""
    missing: tuple[str, ...] | None = None
    """Cells that mean "not known", after blanks around them are cut; the empty cell always does. None: the usual
    ones, `palio.core.cells.MISSING`."""
    fold: bool = False
    """Whether values of a category that differ only in case or blanks are one."""
    note: str = ""
    """Why the column has this type and use, in a few words."""

    def __post_init__(self) -> None:
        """Make the two words for "none may be missing" one."""
        if self.on_missing == "reject":
            msgspec.structs.force_setattr(self, "missing_allowed", False)
        elif not self.missing_allowed:
            msgspec.structs.force_setattr(self, "on_missing", "reject")


MANY = "many different"
"""Values of a column of words that are too many to be counted."""


class ColumnReading(Record, frozen=True, kw_only=True):
    """How a column is read, for a person to check in a glance."""

    name: str
    reading: str
    """In a few words: `whole number`, `number, decimal comma, in €`, `moment, day first`."""
    role: str
    """`target`, `feature`, `id`, `group`, `time`, `time, feature`, or `not read`."""
    examples: tuple[tuple[str, str], ...] = ()
    """Some cells, as they are written and as they are read."""
    n_missing: int = 0
    n_unread: int = 0
    """Cells that cannot be read and count as missing."""
    values: str = ""
    """Range, or the most frequent values."""
    n_values: int | None = None
    """Different values of a column of words; None: too many to count, or a range."""
    why: str = ""
    """Why it plays this part, or why no model reads it."""
    doubts: tuple[str, ...] = ()
    """What a person should look at, one sentence each."""


class Form(Record, frozen=True, kw_only=True):
    """How the files of a source are written: found out once, and held against every later file."""

    kind: Literal["delimited", "lines", "parquet", "arrow", "sheet", "query", "rows", "pictures"]
    separator: str = ""
    quote: str = ""
    """The character that encloses cells; empty: none does."""
    header: bool = True
    encoding: str = ""
    n_before: int = 0
    """Lines before the header or the first row: titles, comments, `sep=`."""
    comment: str = ""
    """What begins a line that is passed over."""
    sheet: str = ""
    """Sheet of a spreadsheet."""
    range: str = ""
    """Cells of the sheet, as `B3:F200`."""


class Schema(Record, frozen=True, kw_only=True):
    """The contract of the data: what each column holds, and which columns play a special part."""

    columns: tuple[Column, ...]
    target: str | None = None
    id: str | None = None
    group: str | None = None
    time: tuple[str, ...] = ()
    """Columns that order the rows in time, coarsest first (one datetime, or year, month, day, hour)."""

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model may read, in file order."""
        return tuple(c for c in self.columns if c.feature)

    @property
    def describing(self) -> tuple[Column, ...]:
        """The numbers that describe a picture (`<picture>.<statistic>`), which no model reads, in file order."""
        fronts = tuple(f"{c.name}." for c in self.features if c.type == "image")
        found = (c for c in self.columns if not c.feature and c.type == "number")
        return tuple(c for c in found if fronts and c.name.startswith(fronts))

    def column(self, name: str) -> Column:
        """Return the column called `name`; `KeyError` if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def modality(self) -> Modality:
        """What the features are: images win over text, text over tables."""
        types = {c.type for c in self.features}
        return "image" if "image" in types else "text" if types == {"text"} else "tabular"


class Task(Record, frozen=True, kw_only=True):
    """What is to be predicted."""

    kind: TaskKind
    target: str
    classes: tuple[str, ...] = ()
    """Class labels, sorted; empty for regression."""
    positive: str | None = None
    """The class of interest of a two-class task."""
    metric: str = "auto"
    """Name of the metric that selects models (see `palio.measure`)."""
    threshold: float = 0.0
    """Of a detection: the score from which on a box is shown and counted; each model has its own."""


class Violation(Record, frozen=True, kw_only=True):
    """One way in which a column breaks its contract."""

    column: str
    rule: str
    """`type`, `missing`, `range`, `category`, `id`, `cells`, `absent` or `surplus`."""
    n_rows: int
    examples: tuple[str, ...] = ()
    action: OnViolation = "reject"


class Chunk(Record, frozen=True, kw_only=True):
    """A run of consecutive rows of a snapshot, stored as one Parquet blob."""

    blob: str
    n_rows: int
    size_bytes: int


class Snapshot(Record, frozen=True, kw_only=True):
    """An immutable version of the data. `id` covers schema and every cell, in order, not how they are stored."""

    id: str
    version: int
    parent: str | None
    source: str
    """Where the rows came from, without credentials."""
    schema: Schema
    n_rows: int
    n_unlabelled: int
    """Rows whose target is missing: kept, but no part of any split."""
    n_quarantined: int
    column_digests: dict[str, str]
    chunks: tuple[Chunk, ...]
    profile: str
    """Blob of the `Description`."""
    violations: tuple[Violation, ...] = ()
    form: Form | None = None
    """How the source is written, where it is a file."""
    media: str = ""
    """Blob: the identity of each picture that a row cites, one a line; empty if there is no column of pictures."""


class ColumnShape(Record, frozen=True, kw_only=True):
    """What a column looks like: the bins that its cells are counted into, and how full they are.

    One record from the rows that come in to what is served: a snapshot describes all its rows by it, a bundle the rows
    that a model was trained on, and what is served is counted into the same bins. Cells are read as the graph takes
    them: numbers and moments as float64 with NaN for missing, all else as text with the empty text for missing.
    """

    name: str
    """`age`; a statistic of a text is `message.length`; the answers are `prediction` and `probability_<class>`."""
    role: Literal["feature", "answer"] = "feature"
    source: str
    """Column that it is computed from."""
    statistic: str = ""
    """What is computed of its cells (`length`, `unseen_tokens`, …); empty for the cells themselves."""
    kind: Literal["number", "category", "text"]
    """How it is counted. Cells of a text (an image, boxes) say little as values: statistics of them are watched."""
    edges: tuple[float, ...] = ()
    """Inner edges, increasing, at quantiles of the rows; a value on an edge belongs to the bin above it."""
    values: tuple[str, ...] = ()
    """Of a category or text: the most frequent ones, most frequent first; the bin behind them holds the rest. Of a
    number: the only value in each bin, increasing, where every bin holds just one; else empty."""
    counts: tuple[int, ...]
    """Rows per bin: `len(edges) + 1` of a number, else `len(values) + 1`; and one more for missing."""
    blocks: tuple[tuple[int, ...], ...] = ()
    """`counts` of runs of the rows, in the order of time where the data has one: how much the world moves by itself."""
    own: tuple[int, ...] = ()
    """Of an answer: `counts` of what the model itself answers on some of these rows, which it has learned from. It is
    another fit than the ones that had not seen them, and answers a little otherwise."""
    n_distinct: int | None = None
    """Different values; exact up to 10,000, `None` above or where nobody counted."""
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    decimals: tuple[int, ...] = ()
    """Of a number: values by digits behind the point, 0 to 6 and more, in a thinned sample."""
    is_moment: bool = False
    """Of a number: seconds since 1970 (UTC)."""
    vocabulary: bytes = b""
    """Of `unseen_tokens`: sorted 32-bit hashes of the tokens that were seen, little endian."""

    @property
    def n_rows(self) -> int:
        """Rows that were counted."""
        return sum(self.counts)

    @property
    def n_missing(self) -> int:
        """Rows without a value."""
        return self.counts[-1]

    @property
    def n_other(self) -> int:
        """Rows with a value that is not among `values`."""
        return self.n_rows - self.n_missing - (sum(self.counts[: len(self.values)]))

    @property
    def top(self) -> tuple[tuple[str, int], ...]:
        """`values` that some row holds, with their rows; the most frequent first."""
        held = [(value, count) for value, count in zip(self.values, self.counts, strict=False) if count]
        return tuple(sorted(held, key=lambda pair: -pair[1]))


class Description(Record, frozen=True, kw_only=True):
    """What rows look like, column by column."""

    n_rows: int
    columns: tuple[ColumnShape, ...]
