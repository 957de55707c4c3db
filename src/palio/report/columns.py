"""Say how each column is read, in words for a terminal and for a page."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import jinja2
from markupsafe import Markup, escape

from palio.core.records import MANY, ColumnReading, Form, Record, Specimen, Task
from palio.core.words import counted
from palio.report.page import keep_together, read_asset
from palio.report.rounding import clean, count, percent

_NAME, _CELL, _SENTENCE = 60, 40, 400
_LISTED = 6


class Row(Record, frozen=True, kw_only=True):
    """A column, in words: safe to show."""

    name: str
    reading: str
    short: str
    """The reading in fewer letters, where an example stands beside it."""
    part: str
    example: str
    """One cell, as it is written and read; values of a column of words."""
    examples: tuple[tuple[str, str], ...]
    range: str
    """From the least to the largest, or how many values."""
    missing: str
    """Share of the cells that are missing, or count as missing because they cannot be read; empty: none."""
    share: float
    absent: str
    """How many are not there."""
    unread: str
    """How many are there and cannot be read."""
    why: str
    doubts: tuple[str, ...]


class Begun(Protocol):
    """What is told of a project that was begun."""

    @property
    def task(self) -> Task:
        """What is predicted."""

    @property
    def source(self) -> str:
        """Where the rows came from."""

    @property
    def form(self) -> Form:
        """How it is written."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def n_rows(self) -> int:
        """Rows that were read."""

    @property
    def n_features(self) -> int:
        """Columns that models read."""

    @property
    def readings(self) -> tuple[ColumnReading, ...]:
        """How the columns are read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be known."""


def rows(readings: Sequence[ColumnReading], n_rows: int) -> list[Row]:
    """Put readings into words."""
    return [_row(one, n_rows) for one in readings]


def first(found: Sequence[Row], most: int) -> list[Row]:
    """Choose the rows that are shown where there are too many: the target, then those in doubt, then the others."""
    if len(found) <= most:
        return list(found)
    return sorted(found, key=lambda row: (row.part != "target", not row.doubts))[:most]


def not_read(found: Sequence[Row]) -> list[tuple[str, str]]:
    """Gather the columns that no model reads by the reason: their names, and why."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in found:
        if row.why:
            by_reason[row.why].append(row.name)
    return [(_listed(names), why) for why, names in by_reason.items()]


def to_look_at(found: Sequence[Row]) -> list[tuple[str, str]]:
    """Gather what is doubtful, once where many columns share a sentence: names, and the sentence."""
    by_doubt: dict[str, list[str]] = defaultdict(list)
    for row in found:
        for doubt in row.doubts:
            by_doubt[doubt].append(row.name)
    return [(_listed(names), doubt) for doubt, names in by_doubt.items()]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" and {count(len(names) - _LISTED)} more" if len(names) > _LISTED else "")


def form_sentence(begun: Begun) -> str:
    """Say how the source is written: rows, columns, and what was taken for separator, header and encoding.

    Example: ``sales.csv: 400 rows, 11 columns; `;` between cells, the first line names the columns, cp1252``
    """
    said = (
        f"{clean(begun.source, limit=_NAME)}: {counted(begun.n_rows, 'row')}, {counted(len(begun.readings), 'column')}"
    )
    form = begun.form
    if form.kind not in ("delimited", "sheet"):
        return said
    names = {"\t": "tabs", " ": "blanks"}
    parts = [f"sheet `{clean(form.sheet, limit=_CELL)}`"] if form.sheet else []
    parts += [f"cells {clean(form.range)}"] if form.range else []
    if form.separator and len(begun.readings) > 1:
        parts.append(f"{names.get(form.separator, f'`{form.separator}`')} between cells")
    parts.append("the first line names the columns" if form.header else "no header")
    parts += [f"{counted(form.n_before, 'line')} before it passed over"] if form.n_before else []
    parts += [form.encoding] if form.encoding else []
    return f"{said}; {', '.join(parts)}"


def task_sentences(begun: Begun) -> list[str]:
    """Say what is predicted, from what, and why it is taken so."""
    task = begun.task
    head = f"{task.kind} of `{clean(task.target, limit=_NAME)}`"
    what = head
    if task.classes:
        shown = ", ".join(clean(one, limit=_CELL) for one in task.classes[:5])
        shown += ", …" if len(task.classes) > 5 else ""
        what += f", {counted(len(task.classes), 'class')} ({shown})"
    if task.positive is not None and not any("is the class of interest" in note for note in begun.notes):
        what += f", `{clean(task.positive, limit=_CELL)}` is the class of interest"
    reason = clean(begun.reason, limit=_SENTENCE).removeprefix(f"{head}: ")
    return [f"{what}: from {counted(begun.n_features, 'feature')}", *([f"why: {reason}"] if reason else [])]


def _row(one: ColumnReading, n_rows: int) -> Row:
    is_words = one.n_values is not None or one.values == MANY
    examples = tuple((clean(cell, limit=_CELL), clean(value, limit=_CELL)) for cell, value in one.examples)
    values = clean(one.values, limit=120)
    share = (one.n_missing + one.n_unread) / n_rows if n_rows else 0.0
    how_many = "" if one.n_values == 0 else "many values" if one.n_values is None else counted(one.n_values, "value")
    return Row(
        name=clean(one.name, limit=_NAME) or "(blank)",
        reading=one.reading.replace(", decimal comma", "") if one.reading.startswith("whole") else one.reading,
        short=_short(one),
        part=one.role,
        example=_arrow(examples[0]) if examples else values if is_words else "",
        examples=examples,
        range=how_many if is_words else values,
        missing=percent(share) if share else "",
        share=share,
        absent=count(one.n_missing) if one.n_missing else "",
        unread=count(one.n_unread) if one.n_unread else "",
        why=clean(one.why, limit=_SENTENCE),
        doubts=tuple(clean(doubt, limit=_SENTENCE) for doubt in one.doubts),
    )


def _short(one: ColumnReading) -> str:
    """Leave out what the example shows, and what does not matter where numbers are whole."""
    mark = "" if one.reading.startswith("whole") else ", comma"
    return clean(one.reading.replace(", decimal comma", mark).replace(", in ", ", "), limit=_CELL)


def _arrow(example: tuple[str, str]) -> str:
    written, read = example
    is_same = read in (written, written.rstrip("0").rstrip("."))  # 1.50 is 1.5
    return written if is_same else f"{written} → {read}"


def columns_page(begun: Begun, *, name: str = "", specimens: Sequence[Specimen] = ()) -> str:
    """Return how each column is read as one HTML page that needs nothing else.

    Args:
        begun: What was found.
        name: Of the project or the file.
        specimens: Pictures with their boxes, to be shown.

    The same arguments give the same bytes.
    """
    found = rows(begun.readings, begun.n_rows)
    return _template().render(
        style=Markup(read_asset("page.css") + read_asset("columns.css")),  # noqa: S704 - our own files
        name=clean(name, limit=80) or "Columns",
        form=form_sentence(begun),
        task=task_sentences(begun),
        rows=[(row, f"c{i}", _bar(row.share)) for i, row in enumerate(found)],
        has_missing=any(row.missing for row in found),
        headline=_headline(found),
        doubtful=[(row, f"c{i}") for i, row in enumerate(found) if row.doubts],
        notes=[clean(note, limit=_SENTENCE) for note in begun.notes],
        pictures=[_drawn(one) for one in specimens],
    )


def _drawn(one: Specimen) -> Markup:
    """Return a picture with its boxes and what is said of it."""
    url = f"data:image/jpeg;base64,{base64.b64encode(one.jpeg).decode()}"
    said, file = clean(one.said, limit=_SENTENCE), clean(one.file, limit=_NAME)
    return Markup(
        '<figure class="specimen{}"><img src="{}" alt="{}" loading="lazy"><p><bdi>{}</bdi></p>'
        "<small><bdi>{}</bdi></small></figure>"
    ).format(" wrong" if one.is_wrong else "", url, said, said, file)


def _headline(found: Sequence[Row]) -> str:
    n = sum(bool(row.doubts) for row in found)
    columns = counted(len(found), "column")
    if not n:
        return f"{columns}, and nothing is doubtful"
    return f"{columns}, {count(n)} of them to look at" if len(found) > 1 else "One column, to look at"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=keep_together, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cells"] = _cells
    return environment.from_string(read_asset("columns.html"))


_QUOTED = re.compile(r"`([^`]*)`|(--[a-z][a-z-]+(?: [^\s,;]+)?|\b[a-z_]+ = (?:true|\[\]|&#34;[^&]*&#34;))")


def _cells(text: str) -> Markup:
    """Set cells and names, which stand in backticks, and what is to be typed apart from the words about them."""
    shown = str(escape(keep_together(text)))
    return Markup(_QUOTED.sub(_code, shown))  # noqa: S704 - escaped above


def _code(found: re.Match[str]) -> str:
    return f"<code>{found[1]}</code>" if found[2] is None else f'<code class="typed">{found[2]}</code>'


def _bar(share: float) -> Markup:
    """Draw a share; a small one is still to be seen."""
    width = max(2.0, 44 * share) if share else 0.0
    return Markup(  # noqa: S704 - numbers only
        f'<svg viewBox="0 0 44 8" aria-hidden="true"><rect class="empty" width="44" height="8" rx="2"/>'
        f'<rect class="{"full" if share < 0.5 else "bar warn"}" width="{width:.1f}" height="8" rx="2"/></svg>'
    )
