"""Make names of columns that can be told apart, whatever stands in the header."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from palio.core.cells import encoded_alike, folded
from palio.core.errors import InputError
from palio.core.words import listed

MAX_COLUMNS = 20_000
"""More columns than this are refused: every column costs a graph input, a profile and a line of the schema."""
MAX_LENGTH = 20_000
"""Characters of a name; a longer one is a text that slipped into the header."""
_HALF = re.compile("[\ud800-\udfff]")
_EDGE = "\ufeff\u200b\u2060 \t\r\n\f\v\u00a0"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a table, as they are called from now on."""

    columns: tuple[str, ...]
    positions: tuple[int, ...]
    """Where each of them stands among the raw names, from 0."""
    empty: tuple[int, ...] = ()
    """Positions of columns that are passed over because they have neither name nor cells."""
    passed_over: Mapping[str, str]
    notes: tuple[str, ...]


def tidy(
    raw: Sequence[str],
    where: str,
    *,
    target: str = "",
    expected: Sequence[str] = (),
    empty: frozenset[int] = frozenset(),
    told: bool = True,
) -> Names:
    """Strip names, number the nameless ones, make double ones different.

    A name that differs from an expected one only in case, blanks or how a letter is encoded is taken for it.

    Args:
        raw: The names as they stand in the header.
        where: Name of the source.
        target: Column that must be told apart from all others.
        expected: What the columns were called before.
        empty: Positions of columns that hold no cell; where they have no name either, they are passed over.
        told: Whether nameless columns are worth a note.

    Raises:
        InputError: no names, too many, or the target is among double ones.
    """
    if len(raw) > MAX_COLUMNS:
        raise InputError(
            f"{where}: {len(raw):,} columns, at most {MAX_COLUMNS:,} are allowed",
            hint="check the separator, or choose columns before",
        )
    cleaned = [_HALF.sub("\ufffd", name.strip(_EDGE)) for name in raw]
    passed_over, notes = {}, list[str]()
    if missed := _missed(cleaned, expected):
        other_case = {name: called for name, called in missed.items() if spelt(name) != spelt(called)}
        if other_case:
            shown = listed(f"`{name}` for `{called}`" for name, called in other_case.items())
            notes.append(f"{where}: names are written in another case: {shown}")
        cleaned = [missed.get(name, name) for name in cleaned]
    kept = []
    for i, name in enumerate(cleaned):
        if not name and i in empty:
            passed_over[f"column_{i + 1}"] = "no name and no cell"
        elif len(name) > MAX_LENGTH:
            passed_over[f"column_{i + 1}"] = (
                f"its name has {len(name):,} characters, at most {MAX_LENGTH:,} are allowed"
            )
        else:
            kept.append(i)
    if not kept:
        raise InputError(f"{where}: there are no columns", hint="name a table with a header and rows")
    places: dict[str, list[int]] = {}
    for i in kept:
        places.setdefault(cleaned[i], []).append(i)
    double = {name: at for name, at in places.items() if name and len(at) > 1}
    if target in double:
        shown = ", ".join(str(i + 1) for i in double[target])
        raise InputError(
            f"{where}: column `{target}` occurs more than once in the header, at the positions {shown}",
            hint="give each its own name, or name the target by its position",
            facts={"columns": sorted(double), "positions": [i + 1 for i in double[target]]},
        )
    names = _distinct(cleaned, kept)
    for name, at in list(double.items())[:5]:
        new = ", ".join(f"`{names[i]}`" for i in at)
        notes.append(f"{where}: {len(at)} columns are called `{name}`, from now on {new}")
    if len(double) > 5:
        notes.append(f"{where}: {len(double) - 5} more names occur more than once")
    nameless = [i for i in kept if not cleaned[i]]
    if nameless and told:
        shown = ", ".join(str(i + 1) for i in nameless[:8]) + (" …" if len(nameless) > 8 else "")
        those = f"column {shown} has" if len(nameless) == 1 else f"columns {shown} have"
        called = f"`{names[nameless[0]]}`" + (" …" if len(nameless) > 1 else "")
        notes.append(f"{where}: {those} no name, called {called}")
    return Names(
        columns=tuple(names[i] for i in kept),
        positions=tuple(kept),
        empty=tuple(i for i, name in enumerate(cleaned) if not name and i in empty),
        passed_over=passed_over,
        notes=tuple(notes),
    )


def spelt(name: str) -> str:
    """Write a name so that it is equal to others that differ in blanks or in how a letter is encoded alone.

    Example:
        >>> spelt("Gro\u0308\u00dfe\u00a0 (cm)") == spelt("Gr\u00f6\u00dfe (cm)"), spelt("Age") == spelt("age")
        (True, False)
    """
    return " ".join(unicodedata.normalize("NFKC", encoded_alike(name)).split())


def _missed(cleaned: Sequence[str], expected: Sequence[str]) -> dict[str, str]:
    """Map names to expected ones that are not there, and that they alone may stand for."""
    there = set(cleaned)
    found: dict[str, str] = {}
    for alike in (spelt, folded):
        absent, spare = Counter[str](), Counter[str]()
        absent.update(alike(name) for name in expected if name not in there and name not in found.values())
        if not absent:
            break
        spare.update(alike(name) for name in cleaned if name and name not in expected and name not in found)
        called = {alike(name): name for name in expected if name not in there}
        for name in cleaned:
            key = alike(name)
            if name not in expected and name not in found and absent[key] == spare[key] == 1:
                found[name] = called[key]
    return found


def refuse_if_passed_over(target: str, passed_over: Mapping[str, str], where: str) -> None:
    """Raise `InputError` if the column that is asked for cannot be read."""
    if target in passed_over:
        raise InputError(
            f"{where}: column `{target}` cannot be read: {passed_over[target]}",
            hint="write it as plain cells, or name another column",
        )


def about_passed_over(passed_over: Mapping[str, str], where: str) -> list[str]:
    """Say in a sentence which columns are left out, and why."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in passed_over.items():
        by_reason.setdefault(reason, []).append(name)
    notes = []
    for reason, names in list(by_reason.items())[:6]:
        shown = ", ".join(f"`{name}`" for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        notes.append(f"{where}: {shown} {'is' if len(names) == 1 else 'are'} passed over: {reason}")
    return notes


def about_no_header(columns: tuple[str, ...], where: str) -> str:
    """Say in a sentence how columns without names are called."""
    if len(columns) == 1:
        return f"{where} has no header: its column is called {columns[0]}"
    return f"{where} has no header: its columns are called {columns[0]} … {columns[-1]}"


def _distinct(cleaned: list[str], kept: list[int]) -> dict[int, str]:
    taken, names = {cleaned[i] for i in kept}, dict[int, str]()
    seen: dict[str, int] = {}
    for i in kept:
        base = cleaned[i]
        if base and base not in seen:
            seen[base], names[i] = 1, base
            continue
        stem, number = (base, seen[base] + 1) if base else ("column", i + 1)
        while (name := f"{stem}_{number}") in taken:
            number += 1
        if base:
            seen[base] = number
        taken.add(name)
        names[i] = name
    return names
