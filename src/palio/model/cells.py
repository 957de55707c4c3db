"""Turn the cells of one column into a feed: what records, tensors and files of rows all go through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import CellReader, Problem, kind_of
from palio.core.errors import ContractError
from palio.core.records import Column
from palio.model.names import input_name

Array = npt.NDArray[Any]
_EXACT = 1 << 53
"""Up to here every whole number is a float."""
Flags = list[tuple[int, str]]
"""Rows, and what is unusual about them: `age: out of range`."""


class ColumnReader:
    """Reads cells of one column into a feed of shape (n_rows, 1), by the one reader of cells (`palio.core.cells`).

    Cells that are plain already are taken as they are, which is what makes it fast; the reader sees the others.

    Example:
        >>> from palio.core.records import Column
        >>> reader = ColumnReader(Column(name="age", type="integer", low=18, high=90))
        >>> feed, flags = reader.read([33, " 40.5 ", None, True])
        >>> feed[:, 0].tolist(), flags
        ([33.0, 40.5, nan, 1.0], [(1, 'age: not whole'), (3, 'age: unusual form'), (3, 'age: out of range')])
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.input = input_name(column.name)
        """Name of the graph's input that takes the feed."""
        self.cells = CellReader(column)
        self.is_text = self.cells.kind.carries_text
        """Whether the feed holds texts (missing is "") rather than float64 (missing is NaN)."""
        self.is_plain = self.cells.is_plain()
        """The quick test of one float or text: it may be fed as it is, and nothing is unusual about it."""
        self._plain = self.cells.plain()
        self._type = str if self.is_text else float
        self._missing: float | str = "" if self.is_text else math.nan

    def read(self, cells: Sequence[Any]) -> tuple[Array, Flags]:
        """Read texts, numbers, truth values and None.

        Raises:
            ContractError: a cell cannot be read, or the policy of the column refuses it. `facts["violations"]` names
                column, rule and row; cells are never repeated.
        """
        flags: Flags = []
        if len(cells) > 1 and self._are_known(cells):
            return np.array(cells, object).reshape(-1, 1), flags
        wanted, is_plain, is_number = self._type, self.is_plain, not self.is_text
        values: list[float | str] = []
        for cell in cells:
            kind = type(cell)
            value = float(cell) if kind is int and is_number and -_EXACT <= cell <= _EXACT else cell
            if (kind is wanted or value is not cell) and is_plain(value):
                values.append(value)
            else:
                values.append(self._read(cell, len(values), flags))
        return np.array(values, np.float64 if is_number else object).reshape(-1, 1), flags

    def _are_known(self, cells: Sequence[Any]) -> bool:
        """Tell whether all cells are plain texts of a column that knows all of its plain texts."""
        texts = self._plain.texts
        try:
            return self.is_text and texts is not None and texts.issuperset(cells)
        except TypeError:  # a list or an object among them
            return False

    def read_array(self, cells: Array) -> tuple[Array, Flags]:
        """Read an array of cells; numbers may have any width, NaN is missing. Raises ContractError as `read`."""
        are_numbers = not self.is_text and cells.dtype.kind in "fiu"
        if cells.size == 1:
            cell = float(cells.item()) if are_numbers else cells.item()
            if type(cell) is self._type and self.is_plain(cell):
                return (cells.astype(np.float64) if are_numbers else cells).reshape(1, 1), []
        if not are_numbers:
            return self.read(cells.reshape(-1).tolist())
        with np.errstate(invalid="ignore"):  # NaN of another width
            feed = np.array(cells, np.float64).reshape(-1)
        low, high, is_whole, _ = self._plain
        plain = (feed >= low) & (feed <= high)
        if is_whole:
            plain &= np.floor(feed, where=plain, out=np.zeros_like(feed)) == feed
        if self.cells.counts:
            plain &= ~np.isin(feed, list(self.cells.counts))
        flags: Flags = []
        for row in np.flatnonzero(~plain).tolist():
            feed[row] = self._read(feed.item(row), row, flags)
        return feed.reshape(-1, 1), flags

    def _read(self, cell: Any, row: int, flags: Flags) -> float | str:
        value, raised, problem = self.cells.read(cell)
        if problem:
            raise self._refusal(problem, row)
        flags += [(row, f"{self.column.name}: {flag}") for flag in raised]
        return self._missing if value is None else value

    def _refusal(self, problem: Problem, row: int) -> ContractError:
        column, expected = self.column, self.cells.kind.expected
        what, hint = {
            "missing": ("is missing, but must be given", "give a value"),
            "type": (f"is not {expected}", f"send {expected}"),
            "range": (f"is out of range, it must be {range_of(column)}", "send a value in this range"),
            "category": ("is none of the known categories", _known(column)),
        }[problem]
        return ContractError(
            f"row {row}: `{column.name}` {what}",
            hint=hint,
            facts={"violations": [{"column": column.name, "rule": problem, "row": row}]},
        )


def range_of(column: Column) -> str:
    """Say what numbers a column may hold; either end may be open.

    Example:
        >>> from palio.core.records import Column
        >>> range_of(Column(name="age", type="integer", low=18))
        'at least 18'
    """
    show = kind_of(column).show
    if column.low is not None and column.high is not None:
        return f"between {show(column.low)} and {show(column.high)}"
    return f"at least {show(column.low)}" if column.low is not None else f"at most {show(column.high or 0.0)}"


def _known(column: Column) -> str:
    known = column.categories or ()
    shown = ", ".join(f"`{value}`" for value in known[:12])
    return f"send one of {shown}" + (" …" if len(known) > 12 else "")
