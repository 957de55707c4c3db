"""Tell from some cells how moments are written: which number is the day, and whether that is certain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from palio.core.cells.moments import QUARTER, WEEK, Moment, read_moment

_ORDERS = ("dmy", "mdy", "ymd")
_SPAN = 5.0
"""A reading that spreads the same cells over so many times the time is the wrong one: days were taken for years."""
_MIN_YEAR, _MAX_YEAR = -2_208_988_800.0, 4_102_444_800.0
"""1900 and 2100: outside, a month or a period is rather a code."""
_SHORT = re.compile(r"^(\d{1,2})([-/. ])(\d{1,2})\2 ?(\d{4}|\d{2})\b")
_TIME = re.compile(r"(T|,? +)?\d{1,2}:\d{2}(:\d{2})?([.,]\d+)?")


@dataclass(frozen=True, slots=True)
class DateEvidence:
    """What the cells say as moments."""

    n_read: int
    """Cells that are a moment in the order that is taken."""
    orders: tuple[str, ...]
    """Orders of day, month and year in which (nearly) all cells are moments, the one that is taken first."""
    format: str | None
    rival: str | None = None
    """The format if day and month, or day and year, change places; None where they cannot."""
    doubts: tuple[str, ...] = ()
    """What a person should know, each the end of a sentence that begins with the column."""


def date_evidence(sample: Mapping[str, int], *, order: str = "", wanted: str = "") -> DateEvidence | None:
    """Look at cells as moments; None: hardly any is one.

    Args:
        sample: Cells and how often each was seen.
        order: What decides where day and month may be either.
        wanted: The order that a person asked for.
    """
    n_cells = sum(sample.values())
    read: dict[str, dict[str, Moment]] = {}
    for candidate in (wanted,) if wanted else _ORDERS:
        found = {cell: moment for cell in sample if (moment := read_moment(cell, candidate)) is not None}
        read[candidate] = {c: m for c, m in found.items() if m.way not in ("month", "quarter", "week") or _is_near(m)}
    best = max(sum(sample[cell] for cell in found) for found in read.values())
    if best < 0.5 * n_cells:
        return None
    fits = [o for o, found in read.items() if sum(sample[cell] for cell in found) == best]
    if not any(_SHORT.match(cell) for cell in sample):
        fits = fits[:1]  # no number has to be told from another
        found = read[fits[0]]
        return DateEvidence(best, (), _format(found, sample, ""), doubts=_doubts(found, sample))
    fits = _narrowest(read, fits)
    if order in fits:
        fits = [order, *(o for o in fits if o != order)]
    taken = fits[0]
    found = read[taken]
    rival = _format(read[fits[1]], sample, fits[1]) if len(fits) > 1 and not wanted else None
    n_read = sum(sample[cell] for cell in found)
    return DateEvidence(n_read, tuple(fits), _format(found, sample, taken), rival, _doubts(found, sample))


def _doubts(found: Mapping[str, Moment], sample: Mapping[str, int]) -> tuple[str, ...]:
    """Say which moments mean something else than they say, if others of their column are right."""
    timed = {cell: moment.has_zone for cell, moment in found.items() if moment.has_time}
    bare = [cell for cell, has_zone in timed.items() if not has_zone]
    if bare and len(bare) < len(timed):
        n = sum(sample[cell] for cell in bare)
        what = "moment names" if n == 1 else "moments name"
        return (f"{n:,} {what} no zone, as `{bare[0]}`, where others do, and {'is' if n == 1 else 'are'} read as UTC",)
    fiscal = next((cell for cell, m in found.items() if m.way == "quarter" and "FY" in cell.upper()), "")
    return (f"quarters of fiscal years, as `{fiscal}`, are read as those of the calendar",) if fiscal else ()


def _is_near(moment: Moment) -> bool:
    return _MIN_YEAR <= moment.seconds <= _MAX_YEAR


def _narrowest(read: dict[str, dict[str, Moment]], fits: list[str]) -> list[str]:
    """Leave out the orders that spread the cells over far more time than another does."""
    spans = {}
    for order in fits:
        seconds = [moment.seconds for moment in read[order].values()]
        spans[order] = max(seconds) - min(seconds) + 86_400.0
    least = min(spans.values())
    return sorted((o for o in fits if spans[o] <= _SPAN * least), key=lambda o: (o == "ymd", fits.index(o)))


def _format(found: Mapping[str, Moment], sample: Mapping[str, int], order: str) -> str | None:
    """Write how most cells are written, as for strptime; None: in ways of their own, as ISO 8601."""
    ways: Counter[tuple[str, bool]] = Counter()
    for cell, moment in found.items():
        ways[moment.way, moment.is_short] += sample[cell]
    (way, is_short), _ = ways.most_common(1)[0]
    year = "%y" if is_short else "%Y"
    if way == "clock":
        return None
    if way in ("week", "quarter"):
        return WEEK if way == "week" else QUARTER
    if way == "month":
        return f"%b {year}" if any(c.isalpha() for c in next(iter(found))) else "%Y-%m"
    cells = [cell for cell, moment in found.items() if (moment.way, moment.is_short) == (way, is_short)]
    if way == "named":
        return f"%d %b {year}" + _clock(cells)
    if way == "ymd" and not is_short:
        mark = next(iter(cells))[4]
        if not mark.isascii():
            return "%Y年%m月%d日"
        return f"%Y{mark}%m{mark}%d" + _clock(cells) if mark in "-/. " else "%Y%m%d"
    mark = (_SHORT.match(cells[0]) or ["", "", "-"])[2] if cells else "-"
    letters = {"d": "%d", "m": "%m", "y": year}
    return mark.join(letters[letter] for letter in (order or "ymd")) + _clock(cells)


def _clock(cells: list[str]) -> str:
    """Return the format of the time of day if all cells have the same, else nothing: the reader takes any."""
    forms = set()
    for cell in cells[:200]:
        found = _TIME.search(cell, 6)
        if found is None:
            forms.add("")
            continue
        text = found[0]
        rest = cell[found.end() :].strip()
        start = "T" if text.startswith("T") else " " if text[0] in ", " else ""
        form = start + ("%H:%M:%S" if text.count(":") == 2 else "%H:%M") + (".%f" if found[3] else "")
        zoned = rest[:1] in ("Z", "+", "-") and len(rest) <= 6
        forms.add(form + ("%z" if zoned and start else "") if not rest or zoned else "?")
    return forms.pop() if len(forms) == 1 and "?" not in forms else ""
