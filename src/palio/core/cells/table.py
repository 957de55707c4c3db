"""The table of kinds: what type of column is read by whom. A new kind of cell is a module and a line here."""

from __future__ import annotations

from palio.core.cells.booleans import Boolean
from palio.core.cells.boxes import Boxes
from palio.core.cells.categories import Category, Text
from palio.core.cells.cell import Kind
from palio.core.cells.moments import DateTime
from palio.core.cells.numbers import Number, WholeNumber
from palio.core.cells.pictures import Picture
from palio.core.records import Column, ColumnType

KINDS: dict[ColumnType, Kind] = {
    "number": Number(),
    "integer": WholeNumber(),
    "boolean": Boolean(),
    "category": Category(),
    "text": Text(),
    "datetime": DateTime(),
    "image": Picture(),
    "boxes": Boxes(),
}


def kind_of(column: Column) -> Kind:
    """Return what reads the cells of a column. Raises `KeyError` for a type that no reader is made for yet."""
    return KINDS[column.type]


def carries_text(column: Column) -> bool:
    """Tell whether a column travels into a graph as text (missing is "") rather than as float64 (missing is NaN)."""
    return KINDS[column.type].carries_text
