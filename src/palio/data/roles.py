"""Give the columns their parts: target, id, group, time, feature, or none of these, each with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

from palio.core.records import Column, OnViolation, Schema
from palio.data.cells.evidence import MIXED_SHARE
from palio.data.cells.scan import ColumnScan
from palio.data.cells.words import are_many

_ID_NAME = re.compile(
    r"(^|[\W_])(id|ids|key|uuid|guid|no|nr|num|number|index|idx|row|rowid|rownames?)$|^unnamed",
    re.IGNORECASE,
)
_CAMEL_ID = re.compile(r"[a-z](ID|Id|UUID|Uuid|Key|No|Nr)$")
_UNNAMED = re.compile(r"column_[0-9]+")
"""What a column without a name is called: data frames write their index so."""
_DIFFERS = "another value in every row"
_CLOCK = (
    ("year", re.compile(r"^(year|yr|yyyy)$", re.I), 1000, 9999),
    ("month", re.compile(r"^(month|mon|mm|mnth)$", re.I), 1, 12),
    ("day", re.compile(r"^(day|dd|mday|dom|day_of_month)$", re.I), 1, 31),
    ("hour", re.compile(r"^(hour|hr|hh)$", re.I), 0, 24),
    ("minute", re.compile(r"^(minute|min|mi)$", re.I), 0, 59),
)


class Clock:
    """Watch whether columns called year, month, day, hour order the rows in time."""

    def __init__(self, names: Sequence[str]) -> None:
        found: list[str] = []
        for i, (_, pattern, _, _) in enumerate(_CLOCK):
            match = [name for name in names if pattern.match(name)]
            if len(match) != 1 or len(found) != i:
                break  # a year alone, or months without a year, do not order rows
            found.append(match[0])
        self.columns: tuple[str, ...] = tuple(found) if len(found) >= 2 else ()
        self._last: float | None = None
        self._holds = bool(self.columns)

    @property
    def orders_rows(self) -> bool:
        """Whether the rows seen so far never go back in time."""
        return self._holds

    def add(self, cells: Mapping[str, pl.Series]) -> None:
        """Take in more cells of the columns, cleaned."""
        if not self._holds or not all(name in cells for name in self.columns):
            return
        frame = pl.DataFrame({str(i): cells[name] for i, name in enumerate(self.columns)})
        rank = pl.lit(0.0)
        for i, (_, _, low, high) in enumerate(_CLOCK[: len(self.columns)]):
            part = pl.col(str(i)).cast(pl.Float64, strict=False)
            part = pl.when(part.is_between(low, high) & (part == part.floor())).then(part)
            rank = rank * 100 + part
        ranks = frame.select(rank).to_series()
        if not len(ranks):
            return
        if ranks.null_count() or not ranks.is_sorted() or (self._last is not None and float(ranks[0]) < self._last):
            self._holds = False
            return
        self._last = float(ranks[-1])


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the user gave to columns, by name."""

    target: str
    id: str | None = None
    group: str | None = None
    time: tuple[str, ...] = ()
    exclude: frozenset[str] = frozenset()
    stated: frozenset[str] = frozenset()
    """Columns whose source says what they are."""


class _Part(msgspec.Struct):
    feature: bool
    note: str


def assign(
    columns: Sequence[Column], scans: Mapping[str, ColumnScan], *, wishes: Wishes, clock: Clock
) -> tuple[Schema, list[str]]:
    """Choose the part that each column plays; what the user named is taken as given.

    Returns:
        The schema, and one sentence for each choice that a person should know about.
    """
    cast = _Cast(columns)
    _drop_useless(columns, scans, wishes, cast)
    time = wishes.time or _time(columns, scans, cast, clock)
    if len(time) > 1 and not wishes.time:
        cast.drop(time[0], "orders the rows in time; a year to come is not among those seen")
    if time:
        cast.notes.append(f"the rows are ordered in time by {', '.join(f'`{name}`' for name in time)}")
    id = wishes.id
    for column in columns:
        why = "" if column.name in time or column.name in wishes.stated else _identifies(column, scans[column.name])
        if why and cast.parts[column.name].feature:
            id = id or column.name
            cast.drop(column.name, why)
    alone = _only_words(columns, scans, cast, wishes)
    columns = [msgspec.structs.replace(c, type="text", categories=None) if c.name in alone else c for c in columns]
    id = None if id in alone else id
    if wishes.id and cast.parts[wishes.id].feature:
        cast.drop(wishes.id, "names the row", tell=False)
    if wishes.id and wishes.id not in wishes.stated and not scans[wishes.id].unique.holds:
        cast.notes.append(
            f"`{wishes.id}`: rows share a value, which palio run will refuse: keep one row for each, or name them by "
            "another --id"
        )
    if wishes.group and cast.parts[wishes.group].feature:
        cast.drop(wishes.group, "names the group of the row", tell=False)
    schema = Schema(
        columns=tuple(
            msgspec.structs.replace(
                c,
                feature=cast.parts[c.name].feature,
                note=cast.parts[c.name].note,
                on_missing=_on_missing(c, scans[c.name], wishes, feature=cast.parts[c.name].feature),
            )
            for c in columns
        ),
        target=wishes.target,
        id=id,
        group=wishes.group,
        time=time,
    )
    return schema, cast.notes


def _on_missing(column: Column, scan: ColumnScan, wishes: Wishes, *, feature: bool) -> OnViolation:
    if column.name in wishes.stated:
        return column.on_missing
    return "flag" if feature and not scan.n_gaps else "accept"


class _Cast:
    """Who plays what, while it is being decided."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.parts = {c.name: _Part(feature=c.feature, note=c.note) for c in columns}
        self.notes: list[str] = []

    def drop(self, name: str, note: str, *, tell: bool = True) -> None:
        self.parts[name] = _Part(feature=False, note=note)
        if tell:
            self.notes.append(f"`{name}` is not a feature: {note}")


def _only_words(
    columns: Sequence[Column], scans: Mapping[str, ColumnScan], cast: _Cast, wishes: Wishes
) -> frozenset[str]:
    """Find short words, hardly ever the same (names, searches), where nothing else is left: to be read as texts.

    As categories they would say nothing of words that are new. Beside other columns they may name the row.
    """

    def are_words(column: Column) -> bool:
        note = cast.parts[column.name].note
        is_free = cast.parts[column.name].feature or note == _DIFFERS
        scan = scans[column.name]
        return is_free and column.type == "category" and are_many(scan.counts, scan.n_present)

    found = frozenset(c.name for c in columns if c.name not in wishes.stated and are_words(c))
    if not found or any(part.feature and name not in found for name, part in cast.parts.items()):
        return frozenset()
    for name in sorted(found):
        cast.notes = [one for one in cast.notes if not one.startswith(f"`{name}` is not a feature")]
        cast.parts[name] = _Part(feature=True, note="words that are hardly ever the same")
        cast.notes.append(
            f"`{name}` is read as text, its words in pieces: it is hardly ever the same, and all there is"
        )
    return found


def _drop_useless(columns: Sequence[Column], scans: Mapping[str, ColumnScan], wishes: Wishes, cast: _Cast) -> None:
    for column in columns:
        scan = scans[column.name]
        if scan.n_wrong or scan.has_huge:
            cast.notes.append(f"`{column.name}`: {column.note}")
        if column.name not in wishes.exclude:
            cast.notes.extend(scan.doubts())
        if column.name == wishes.target:
            cast.drop(column.name, "target", tell=False)
        elif column.name in wishes.exclude:
            cast.drop(column.name, "excluded", tell=False)
        elif scan.is_constant and column.name not in wishes.stated:
            cast.drop(column.name, "the same in every row" if scan.n_present else "every cell is missing")


def _time(columns: Sequence[Column], scans: Mapping[str, ColumnScan], cast: _Cast, clock: Clock) -> tuple[str, ...]:
    if clock.orders_rows and all(cast.parts[name].note not in ("target", "excluded") for name in clock.columns):
        return clock.columns
    moments = [
        c.name
        for c in columns
        if c.type == "datetime" and cast.parts[c.name].feature and scans[c.name].order and _is_whole(scans[c.name])
    ]
    return (moments[0],) if len(moments) == 1 else ()


def _is_whole(scan: ColumnScan) -> bool:
    """Tell whether so few moments are missing that the others order the rows."""
    return scan.n_gaps <= MIXED_SHARE * scan.n_rows


def _identifies(column: Column, scan: ColumnScan) -> str:
    """Say why a column names rows rather than describing them; empty if it does not."""
    if scan.n_gaps or scan.n_rows < 2 or not scan.unique.holds:
        return ""
    if column.type == "integer" and scan.is_consecutive:
        return "counts the rows"
    if column.type == "integer" and _UNNAMED.fullmatch(column.name) and scan.order.up:
        return "counts the rows, some of which are gone"
    named = bool(_ID_NAME.search(column.name) or _CAMEL_ID.search(column.name))
    if named and column.type in ("integer", "category", "text"):
        return "another value in every row: it names the row"
    if column.type == "category" and scan.n_rows >= 100:
        return _DIFFERS
    return ""
