"""Say what a sheet holds that its cells do not show: what is hidden, merged, or a formula without a value."""

from __future__ import annotations

import html
import re
import zipfile
from pathlib import Path

from palio.core.words import counted

_LARGEST = 1 << 28
"""Bytes of a sheet that is looked at; a larger one is seldom written by hand."""
_SHEET = re.compile(r"<sheet\b[^>]*>")
_RELATION = re.compile(r"<Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w:]+)="([^"]*)"')
_HIDDEN_ROW = re.compile(rb'<row\b[^>]*\bhidden="(?:1|true)"')
_HIDDEN_COLUMN = re.compile(rb'<col\b[^>]*\bhidden="(?:1|true)"[^>]*>')
_MERGED = re.compile(rb'<mergeCell\b[^>]*\bref="[A-Z]+(\d+):[A-Z]+(\d+)"')
_NO_VALUE = re.compile(rb'<c\b(?![^>]*\bt="str")[^>]*>\s*<f\b[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>')
"""A cell of the type `str` was computed: to a text, which may be empty."""


def marks_of(path: Path, sheet: str, *, header_row: int) -> list[str]:
    """Say what is hidden, merged or not computed in a sheet of an `.xlsx` file; nothing of other files.

    Args:
        path: The file.
        sheet: Name of the sheet.
        header_row: Row of the names of columns, counted from 1; merged cells above the rows below it are no matter.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, sheet)
            if member is None or archive.getinfo(member).file_size > _LARGEST:
                return []
            content = archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeDecodeError):
        return []  # what is broken was told by who read the cells
    found = []
    if n := len(_HIDDEN_ROW.findall(content)):
        found.append(f"{counted(n, 'hidden row')} of the sheet `{sheet}` {'is' if n == 1 else 'are'} read, too")
    if n := sum(map(_n_columns, _HIDDEN_COLUMN.findall(content))):
        found.append(f"{counted(n, 'hidden column')} of the sheet `{sheet}` {'is' if n == 1 else 'are'} read, too")
    merged = [(int(top), int(bottom)) for top, bottom in _MERGED.findall(content)]
    if n := sum(top > header_row and bottom > top for top, bottom in merged):
        found.append(
            f"{counted(n, 'merged cell')} below the names of columns: only the first of the rows that one covers has "
            "its value, in the others it is missing; fill them before"
        )
    if n := len(_NO_VALUE.findall(content)):
        found.append(
            f"{counted(n, 'cell')} {'holds a formula' if n == 1 else 'hold formulas'} whose value was never computed, "
            "read as missing: open the file in a spreadsheet and save it"
        )
    return found


def _member(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Find the file of a sheet inside of the spreadsheet."""
    targets = {
        one.get("Id"): one.get("Target", "")
        for one in map(_attributes, _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels").decode()))
    }
    for one in map(_attributes, _SHEET.findall(archive.read("xl/workbook.xml").decode())):
        target = targets.get(one.get("r:id"), "")
        if one.get("name") == sheet and target:
            return target[1:] if target.startswith("/") else f"xl/{target}"
    return None


def _attributes(tag: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(tag)}


def _n_columns(tag: bytes) -> int:
    found = _attributes(tag.decode())
    first, last = int(found.get("min", 1)), int(found.get("max", 1))
    return last - first + 1 if last < 16_384 else 0  # the last column of all: nothing is there
