"""What a picture becomes in a table: the identity of its bytes, and columns that describe it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from palio.core.records import Column, Schema
from palio.data.pictures.notes import Note, note_of
from palio.pixels import STATISTICS, Limits

if TYPE_CHECKING:
    import pyarrow as pa

LIKENESS, MIRRORED, FORMAT = "likeness", "mirrored", "format"
PROBLEM = "problem"
"""End of the name of a column that is handed on with the rows but is no part of them: why a picture was set aside."""


def names_of(picture: str) -> tuple[str, ...]:
    """Name the columns that pictures give, `picture` itself first."""
    return (picture, *(f"{picture}.{name}" for name in (*STATISTICS, FORMAT, LIKENESS, MIRRORED)))


def columns_of(picture: str) -> dict[str, Column]:
    """Return the contract of the columns that pictures give."""
    about = f"describes `{picture}`, for people and monitors"
    found = {picture: Column(name=picture, type="image", on_missing="reject", missing=(), note="a picture")}
    for name in STATISTICS:
        column = Column(name=f"{picture}.{name}", type="number", feature=False, missing=(), note=about)
        found[column.name] = column
    for name, kind, why in (
        (FORMAT, "category", about),
        (LIKENESS, "text", f"what copies of `{picture}` share"),
        (MIRRORED, "text", f"what copies of `{picture}` share"),
    ):
        column = Column(name=f"{picture}.{name}", type=kind, feature=False, missing=(), note=why)  # type: ignore[arg-type]
        found[column.name] = column
    return found


def likenesses(schema: Schema) -> list[tuple[str, str]]:
    """Name the columns of likenesses, of pictures and of their mirror images, of each column of pictures."""
    names = {column.name for column in schema.columns}
    pictures = [column.name for column in schema.columns if column.type == "image"]
    pairs = [(f"{name}.{LIKENESS}", f"{name}.{MIRRORED}") for name in pictures]
    return [pair for pair in pairs if names.issuperset(pair)]


def picture_cells(picture: str, digests: Sequence[str], read: Callable[[str], bytes | None]) -> dict[str, list[Any]]:
    """Return the cells of `names_of` for pictures that are kept by their digest; each is decoded once.

    Args:
        picture: Name of their column.
        digests: One a row.
        read: Digest → bytes; None where they are gone: the picture is missing then.
    """
    limits = Limits()
    notes = {one: note_of(read(one) or b"", limits) for one in dict.fromkeys(digests)}
    cells = arrays_of([(one, notes[one]) for one in digests])
    return {name: one.to_pylist() for name, one in zip(names_of(picture), cells, strict=False)}


def arrays_of(found: Sequence[tuple[str, Note]]) -> list[pa.Array]:
    """Return the cells of `names_of`, and behind them why a picture cannot be used."""
    import pyarrow as pa

    def texts(cells: Sequence[str]) -> pa.Array:
        return pa.array([cell or None for cell in cells], pa.string())

    def at(note: Note, place: int) -> Any:
        return note.statistics[place] if note.statistics else None

    return [
        texts(["" if note.problem else digest for digest, note in found]),
        *(pa.array([at(note, i) for _, note in found], pa.float64()) for i in range(len(STATISTICS))),
        texts([note.format for _, note in found]),
        texts([note.likeness for _, note in found]),
        texts([note.mirrored for _, note in found]),
        texts([f"{note.kind}: {note.problem}" if note.problem else "" for _, note in found]),
    ]
