"""Take the cells that a reading reads as what they must be, and refuse readings that cannot be used."""

from __future__ import annotations

from typing import Any

from palio.core.errors import InputError, IntegrityError


def text_of(name: str, cell: Any) -> str:
    """Return the text of a cell. Raises `InputError` if it is none."""
    if type(cell) is str:
        return cell
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, str):
        return str(cell)
    raise InputError(f"feeds: `{name}` holds a cell that is no text", hint="give texts, the empty one where missing")


def refuse(why: str) -> IntegrityError:
    """Say why the readings of a graph cannot be used."""
    return IntegrityError(
        f"model: its readings cannot be used: {why}", hint="open it with the version of Palio that made it"
    )
