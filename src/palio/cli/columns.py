"""The table that `palio init` ends with: how each column is read, at most 100 characters wide, doubts last."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from palio.core.words import counted
from palio.report import clean, columns, count

if TYPE_CHECKING:
    from palio.flow import Started

WIDTH = 100
MOST = 40
"""Columns that are shown; of more, those in doubt and the target come first."""
_GAP = "  "
_LEAST, _MOST, _NAME = 7, 40, 20
"""Width to which a column of the table is cut at the utmost, of the widest, and of names that are cut first."""
_RIGHT = 4
"""Column of the table whose cells end in line."""
_WORDS = str.maketrans({"→": ">", "…": "~", "–": "-", "−": "-", "’": "'", "“": '"', "”": '"'})
"""For a terminal that knows no more than ASCII."""


def show(started: Started, *, folder: Path, page: Path | None = None) -> None:
    """Print how the columns are read, what is doubtful, the task, and what comes next."""
    encoding = (sys.stdout.encoding or "").lower()
    is_plain = "utf" not in encoding
    if is_plain and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    width = min(WIDTH, max(60, shutil.get_terminal_size((WIDTH, 40)).columns))
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        for line in screen(started, folder=folder, page=page, width=width):
            console.print(line, soft_wrap=line.overflow == "ignore")
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    click.echo(text.translate(_WORDS) if is_plain else text)


def screen(started: Started, *, folder: Path, page: Path | None = None, width: int = WIDTH) -> Iterator[Text]:
    """Make the lines of the screen, from top to bottom."""
    rows = columns.rows(started.readings, started.n_rows)
    shown = columns.first(rows, MOST)
    yield from (Text(line) for line in _wrapped(columns.form_sentence(started), width))
    yield Text()
    yield from _table(shown, width)
    if len(shown) < len(rows):
        yield Text(f"  … and {count(len(rows) - len(shown))} more: palio init --html", style="dim")
    yield Text()
    doubtful = columns.to_look_at(rows)
    for names, doubt in doubtful[:MOST]:
        yield from _item("!", "bold yellow", f"{names}: ", doubt, width)
    if len(doubtful) > MOST:
        yield Text(f"  … and {counted(len(doubtful) - MOST, 'doubt')} more: palio init --html", style="dim")
    for note in started.notes:
        yield from _item("-", "dim", "", clean(note, limit=400), width)
    for names, why in columns.not_read(rows):
        yield from _item("-", "dim", f"{names}: ", f"not read, {why}", width)
    if doubtful or started.notes or any(row.why for row in rows):
        yield Text()
    for sentence in columns.task_sentences(started):
        yield from (Text(line) for line in _wrapped(sentence, width))
    written = ", ".join([started.config, started.contract, *([str(page)] if page else [])])
    # whole, so that they can be copied
    yield Text(f"written: {clean(written, limit=1_000)}", style="dim", no_wrap=True, overflow="ignore")
    there = "" if folder == Path() else f" --dir {folder}"
    yield Text(f"next: palio run{there}", style="bold", no_wrap=True, overflow="ignore")


def _item(mark: str, style: str, subject: str, text: str, width: int) -> Iterator[Text]:
    for i, line in enumerate(_wrapped(subject + text, width - 2)):
        head = subject if i == 0 and line.startswith(subject) else ""
        yield Text.assemble((f"{mark if i == 0 else ' '} ", style), (head, "bold"), line[len(head) :])


def _wrapped(text: str, width: int) -> list[str]:
    """Break a sentence between words; a longer word is cut apart."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if line and cell_len(joined) > width:
            lines.append(line)
            joined = word
        while cell_len(joined) > width:
            part = set_cell_size(joined, width)
            lines.append(part.rstrip())
            joined = joined[len(part.rstrip()) or 1 :]
        line = joined
    return [*lines, line]


def _table(rows: Sequence[columns.Row], width: int) -> Iterator[Text]:
    heads = ("column", "read as", "for example", "range", "missing", "part")
    cells = [(row.name, row.short, row.example, row.range, row.missing, row.part) for row in rows]
    # values of words are cut before a cell that is written otherwise than it is read
    least = [
        *(min(_NAME, max(cell_len(line[0]) for line in ((heads[0],), *cells))), 0),
        *(max((cell_len(row.example) for row in rows if row.examples), default=0), 0, 0, 0),
    ]
    kept = [i for i in range(len(heads)) if i in (0, 1, 5) or any(line[i] for line in cells)]
    wide = [max(cell_len(heads[i]), *(cell_len(line[i]) for line in cells)) for i in kept]
    widths = _widths(wide, [least[i] or wide[k] for k, i in enumerate(kept)], width - 2 - len(_GAP) * (len(kept) - 1))
    yield _line(" ", heads, kept, widths, "dim")
    for row, line in zip(rows, cells, strict=True):
        style = "bold" if row.part == "target" else "dim" if row.part == "not read" and not row.doubts else ""
        yield _line("!" if row.doubts else " ", line, kept, widths, style)


def _line(mark: str, cells: Sequence[str], kept: Sequence[int], widths: Sequence[int], style: str) -> Text:
    parts = [_fitted(cells[i], width, right=i == _RIGHT) for i, width in zip(kept, widths, strict=True)]
    return Text.assemble((f"{mark} ", "bold yellow"), (_GAP.join(parts), style), no_wrap=True, overflow="crop")


def _fitted(text: str, width: int, *, right: bool) -> str:
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def _widths(wide: Sequence[int], least: Sequence[int], limit: int) -> list[int]:
    """Give each column what it needs, where there is room; else what it needs least, else the widest give.

    Example:
        >>> _widths([10, 40], [10, 12], 30), _widths([30, 40], [20, 30], 30)
        ([10, 20], [15, 15])
    """
    widths = [min(_MOST, one) for one in wide]
    least = [min(one, width) for one, width in zip(least, widths, strict=True)]
    while sum(widths) > limit and max(widths) > _LEAST:
        spare = [i for i, width in enumerate(widths) if width > least[i]] or range(len(widths))
        widest = max(spare, key=lambda i: (widths[i], -i))
        widths[widest] -= 1
    return widths
