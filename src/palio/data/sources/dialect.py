"""Find out how a delimited file is written: separator, quotes, comments, titles, header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from palio.core.errors import InputError
from palio.data.source import SourceOptions
from palio.data.sources import attributes, header, names
from palio.data.sources.rows import Row, is_plain, lines_of, rows_of, usual_width
from palio.data.sources.text_stream import Scan

SEPARATORS = ",;\t|"
HEAD_BYTES = 1 << 18
_HEAD_ROWS = 200
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_SELDOM = "\x01\x1e\x1f^~§¦¬¤"
"""Signs that hardly ever stand in a text."""
_EVEN = 0.9
_CALLED = {"\t": "a tab", " ": "a blank"}
_BY_ENDING = {".tsv": "\t", ".tab": "\t", ".psv": "|"}
_SAID = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)
_RULE = re.compile(r"[-=:+]+$")
_QUOTED_CELL = re.compile(r"(?:^|,)\s*'[^']*'\s*(?:,|$)", re.MULTILINE)
_COLUMNS_OF_BLANKS = re.compile(r"\S {2,}\S")


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How a delimited file is written, and what its columns are called."""

    separator: str
    quote: str
    """Empty: quotes are plain characters."""
    escape: bool
    """Whether a backslash stands before a quote inside a cell, instead of a second quote."""
    padded: bool
    """Whether a blank stands between a separator and a quote."""
    comment: str
    header: bool
    n_before: int
    """Lines before the header or the first row."""
    n_lines: int
    """Lines before the first row of cells."""
    starts_at: int
    """Bytes of UTF-8 before it."""
    width: int
    """Cells of a whole row, nameless ones too."""
    raw_header: tuple[str, ...]
    """Empty if there is none."""
    names: names.Names
    notes: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first rows of cells, to look at."""
    looks_headed: bool
    """Whether the cells alone say that the first row names the columns."""


def called(separator: str) -> str:
    """Write a separator for people."""
    return _CALLED.get(separator, f"`{separator}`" if separator.isprintable() else f"the control sign {ord(separator)}")


def sniff(head: str, name: str, ending: str, options: SourceOptions, *, scan: Scan) -> Dialect:
    """Find out how a file is written from its beginning.

    Raises:
        InputError: no lines at all, no columns, cells of fixed width, or the target is among double names.
    """
    lines = lines_of(head)
    if len(head.encode()) < scan.size_bytes and len(lines) > 1:
        lines = lines[:-1]  # the last one is cut off
    start = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    if start == len(lines):
        raise InputError(f"{name}: the file holds no rows", hint="name a file with a header and rows")
    if (above := attributes.declared(lines, name)) is not None:
        return _declared(lines, above, name, options)
    said = _SAID.match(lines[start].lstrip("\ufeff"))
    start += bool(said) and len(lines) > start + 1
    comment, n_comments = _comment(lines, start, options.comment)
    shown = [
        "\n" if i < start or (comment and line.startswith(comment) and i < n_comments) else line
        for i, line in enumerate(lines[: start + _HEAD_ROWS + n_comments])
    ]
    evidence = (options.target, *options.expected)
    separator = _separator(shown, options.separator, ending, said[1] if said else "", frozenset(evidence) - {""})
    quote = _quote(shown, separator, options.quote, scan)
    shown, padded, escape = _odd_quotes(shown, separator, quote)
    rows = rows_of(shown, separator, quote, escape=escape)
    if not rows:
        raise InputError(f"{name}: the file holds no rows", hint="name a file with a header and rows")
    if options.separator == "auto" and usual_width(rows)[0] == 1:
        _refuse_fixed_width(shown, name)
        _refuse_quoted_lines(rows, name, frozenset(evidence))
    comment, rows = _hidden_header(lines, comment, n_comments, rows, separator, quote, options)
    body_width = usual_width(rows)[0]
    known = [n for n in evidence if n in options.expected or header.is_evidence(n, body_width)]
    found = header.find(rows, options.header, marks=frozenset(options.missing), names=known)
    how = {"separator": separator, "quote": quote, "comment": comment, "escape": escape, "padded": padded}
    return _dialect(lines, rows, found, name, options, **how)


def _declared(lines: Sequence[str], above: attributes.Declared, name: str, options: SourceOptions) -> Dialect:
    """Describe a file that declares its columns above the rows."""
    begun, below = above.n_lines, [line for line in lines[above.n_lines :] if not line.startswith("%")]
    quote = "'" if any(_QUOTED_CELL.search(line) for line in below) else '"'
    escape = any(f"\\{quote}" in line for line in below)
    first = next((line for line in below if line.strip()), "")
    separator = next((one for one in ",\t " if one in first.strip()), ",")
    rows = [Row(begun, begun, above.columns), *rows_of(below, separator, quote, escape=escape)]
    found = header.Found(first=0, header=True)
    how = {"separator": separator, "quote": quote, "comment": "%", "escape": escape, "padded": False}
    dialect = _dialect(lines, rows, found, name, options, **how)
    note = f"{name}: its columns are declared above the rows, as in ARFF"
    return msgspec.structs.replace(dialect, notes=(note, *dialect.notes))


def _dialect(
    lines: Sequence[str], rows: Sequence[Row], found: header.Found, name: str, options: SourceOptions, **how: Any
) -> Dialect:
    top = rows[found.first]
    below, notes = list(rows[found.first + int(found.header) :]), list[str]()
    n_lines = top.end if found.header else top.line
    if found.header and below and all(_RULE.match(cell) for cell in below[0].cells if cell):
        n_lines = below.pop(0).end  # a line of dashes under the header
    said = header.descriptions(below, frozenset(options.missing)) if found.header else 0
    if said:
        n_lines = below[said - 1].end
        notes.append(header.about_descriptions(below[:said], name))
    body = [row.cells for row in below[said:]]
    widths = [len(cells) for cells in body]
    width = max({len(top.cells), *widths}, key=lambda width: (widths.count(width), width == len(top.cells), width))
    if found.n_titles:
        before = "the line above the table is" if found.n_titles == 1 else f"{found.n_titles} lines above the table are"
        notes.append(f"{name}: {before} passed over")
    raw = top.cells if found.header else ("",) * width
    if found.header and len(raw) == width - 1 and any(len(cells) == width and cells[-1] for cells in body):
        notes.append(f"{name}: rows have one cell more than the header: their first column is taken for names of rows")
        raw = ("", *raw)
    raw = (*raw, *[""] * (width - len(raw)))
    empty = _empty(raw, body, header=found.header)
    row_names = found.header and len(raw) > 1 and not raw[0] and all(raw[1:])  # written with numbers of rows
    tidied = names.tidy(
        raw, name, target=options.target, expected=options.expected, empty=empty, told=found.header and not row_names
    )
    return Dialect(
        **how,
        header=found.header,
        n_before=top.line,
        n_lines=n_lines,
        starts_at=len("".join(lines[:n_lines]).encode()),
        width=len(raw),
        raw_header=top.cells if found.header else (),
        names=tidied,
        looks_headed=header.has_header(rows[found.first :], frozenset(options.missing)),
        notes=(*notes, *tidied.notes),
        rows=tuple(
            tuple(row[i] for i in tidied.positions) for row in body if len(row) > max(tidied.positions, default=0)
        ),
    )


def _empty(raw: Sequence[str], body: Sequence[tuple[str, ...]], *, header: bool) -> frozenset[int]:
    """Return the positions that hold no cell; if nothing is named or filled at all, only those at the end count."""
    if header and not body:
        return frozenset(range(max((i for i, name in enumerate(raw) if name), default=0) + 1, len(raw)))
    filled = {i for cells in body if len(cells) <= len(raw) for i, cell in enumerate(cells) if cell}
    if header:
        return frozenset(range(len(raw))) - filled
    return frozenset(range(max(filled, default=0) + 1, len(raw))) if len(body) > 2 else frozenset()


def _comment(lines: Sequence[str], start: int, wanted: str) -> tuple[str, int]:
    """Return what begins a comment, and up to which line comments stand above the table."""
    if wanted == "none":
        return "", 0
    sign = "#" if wanted == "auto" else wanted
    end = start
    while end < len(lines) and (lines[end].startswith(sign) or not lines[end].strip()):
        end += 1
    if wanted != "auto":
        return sign, len(lines)
    return (sign, end) if any(line.startswith(sign) for line in lines[start:end]) else ("", 0)


def _hidden_header(
    lines: Sequence[str],
    comment: str,
    n_comments: int,
    rows: list[Row],
    separator: str,
    quote: str,
    options: SourceOptions,
) -> tuple[str, list[Row]]:
    """See whether the last comment above the table is its header, and what begins a remark among the rows."""
    if not comment or options.comment != "auto":
        return comment, rows
    width = usual_width(rows)[0]
    last = max(i for i in range(n_comments) if lines[i].startswith(comment))
    above = rows_of(lines[last : last + 1], separator, quote)
    marks = frozenset(options.missing)
    if above and len(above[0].cells) == width > 1 and last + 1 == n_comments:
        cells = above[0].cells
        if not header.has_header(rows, marks) and not any(map(is_plain, cells)):
            rows = [Row(last, last + 1, cells), *rows]
    # whole rows that begin with `#` are rows: only remarks that are written like those above, with a blank, are none
    remarks = [line.rstrip() for line in lines[:n_comments] if line.startswith(comment)]
    if not all(line == comment or line.startswith(f"{comment} ") for line in remarks):
        return "", rows
    comment = f"{comment} "
    others = [row for row in rows if not row.cells[0].startswith(comment)]
    return (comment, others) if len(others) * 10 >= len(rows) * 9 else ("", rows)


def _separator(lines: list[str], wanted: str, ending: str, said: str, names: frozenset[str]) -> str:
    if wanted != "auto":
        separator = _NAMED.get(wanted, wanted)
        if len(separator) != 1 or separator in '"\r\n':
            raise InputError(
                f"[data] separator: got `{wanted}`, one character is wanted", hint="use `,`, `;`, `|`, `tab` or `auto`"
            )
        return separator
    if said and any(said in line for line in lines):
        return said
    if ending in _BY_ENDING and usual_width(rows_of(lines, _BY_ENDING[ending], "") or [Row(0, 0, ())])[0] > 1:
        return _BY_ENDING[ending]
    best, best_score = "", (0, 0.0, 0)
    for separator in SEPARATORS:
        rows = rows_of(lines, separator, '"')
        if not rows:
            continue
        usual, share = usual_width(rows)
        held = max((len(names.intersection(row.cells)) for row in rows[:50]), default=0)
        if usual > 1 and (score := (held, share, usual)) > best_score:
            best, best_score = separator, score
    return best or _unusual_separator(lines, names) or (" " if _is_spaced(lines) else ",")


def _unusual_separator(lines: Sequence[str], names: frozenset[str]) -> str:
    """Find a sign that is seldom used: with it the columns that are asked for are there, or it stands in no text."""
    first = next(line for line in lines if line.strip())
    if first.strip() in names:
        return ""
    found, most = "", 1
    for sign in dict.fromkeys(first.rstrip("\r\n")):
        if sign.isalnum() or sign.isspace() or sign in "\"'_.-+()" or len(sign.encode()) > 2:
            continue
        rows = rows_of(lines, sign, '"')
        width, share = usual_width(rows)
        is_told = any(names.intersection(row.cells) for row in rows[:50]) or (not names and sign in _SELDOM)
        if is_told and share > _EVEN and width > most:
            found, most = sign, width
    return found


def _is_spaced(lines: Sequence[str]) -> bool:
    """Tell whether single blanks stand between cells."""
    written = [line for line in lines if line.strip()]
    if len(written) < 3 or any(line.startswith(" ") or "  " in line for line in written):
        return False
    rows = rows_of(written, " ", '"')
    usual, share = usual_width(rows[1:] or rows)
    return usual > 1 and share == 1 and len(rows[0].cells) in (usual, usual - 1)


def _refuse_fixed_width(lines: Sequence[str], name: str) -> None:
    written = [line.rstrip() for line in lines if line.strip()]
    wide = [line for line in written if _COLUMNS_OF_BLANKS.search(line.strip())]
    if len(written) > 2 and len(wide) * 10 >= len(written) * 8:
        raise InputError(
            f"{name}: no separator stands between the cells, they are aligned by blanks",
            hint="export the table with a separator, e.g. as CSV",
        )


def _refuse_quoted_lines(rows: Sequence[Row], name: str, names: frozenset[str]) -> None:
    """Raise `InputError` if each line is enclosed in quotes as a whole: a table that was written as one cell a row."""
    inside = rows[0].cells[0]
    for separator in SEPARATORS:
        cells = [cell.strip(' "') for cell in inside.split(separator)]
        if len(cells) > 1 and names.intersection(cells) and inside not in names:
            raise InputError(
                f"{name}: each line is enclosed in quotes as a whole, so that it holds a single cell: `{inside[:60]}`",
                hint=f"export it again with {called(separator)} between cells, or remove the quotes around the lines",
            )


def _odd_quotes(lines: list[str], separator: str, quote: str) -> tuple[list[str], bool, bool]:
    """See whether blanks stand before quotes (`1, "a, b"`), or backslashes before quotes inside cells.

    The latter only where rows then have one width, and had not.
    """
    if not quote:
        return lines, False, False

    def evenness(lines: list[str], *, escape: bool = False) -> float:
        rows = rows_of(lines, separator, quote, escape=escape)
        return usual_width(rows)[1] if rows else 0.0

    even = evenness(lines)
    wide, narrow = f"{separator} {quote}", f"{separator}{quote}"
    if any(wide in line for line in lines):
        drawn = [line.replace(wide, narrow) for line in lines]
        loose = any(
            len(cell) > 1 and cell[0] == cell[-1] == quote
            for row in rows_of(lines, separator, quote)
            for cell in row.cells
        )
        if evenness(drawn) > even or (loose and evenness(drawn) == even):
            return drawn, True, False
    if any(f"\\{quote}" in line for line in lines) and evenness(lines, escape=True) > even:
        return lines, False, True
    return lines, False, False


def _are_enclosed(lines: Sequence[str], separator: str, quote: str) -> bool:
    """Tell whether a quote stands around all names of columns, or around nearly every cell."""
    rows = rows_of(lines, separator, "")[:50]
    width = usual_width(rows)[0] if rows else 0
    whole = [row.cells for row in rows if len(row.cells) == width]
    if width < 2 or len(whole) < 2:
        return False
    cells = [cell for row in whole for cell in row if cell]
    n = sum(len(cell) > 1 and cell[0] == cell[-1] == quote for cell in cells)
    return n >= _EVEN * len(cells) or all(len(cell) > 2 and cell[0] == cell[-1] == quote for cell in whole[0])


def _quote(lines: Sequence[str], separator: str, wanted: str, scan: Scan) -> str:
    """Tell what encloses cells. Between tabs quotes may be plain characters, as in text messages."""
    if wanted == "none":
        return ""
    if wanted != "auto":
        if len(wanted) != 1 or not wanted.isascii() or wanted in "\r\n" or wanted == separator:
            raise InputError(f"[data] quote: got `{wanted}`, one character is wanted", hint="use `\"`, `'` or `none`")
        return wanted
    evenness = {quote: usual_width(rows_of(lines, separator, quote) or [Row(0, 0, ())])[1] for quote in ('"', "'", "")}
    if evenness["'"] > max(evenness['"'], evenness[""]) or _are_enclosed(lines, separator, "'"):
        return "'"
    if separator != "\t" or scan.opening_quotes == scan.closing_quotes:
        return '"'
    # a quote at the end of a line may also stand inside a cell: then only reading the quotes gives rows of one width
    return '"' if evenness['"'] > evenness[""] else ""
