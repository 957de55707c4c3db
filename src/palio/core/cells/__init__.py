"""Read cells: one reader for files, records, tensors and truths, so that no two doors disagree about a cell.

A kind of cell is one module; it is entered through the table here. What a cell says is settled by its column alone:
`CellReader` cuts blanks, knows the marks that mean "missing", lets the kind read the rest, and holds the value to the
contract. Rooms that read many cells at once (`palio.data.cells`) or in a hurry (the server's quick readers) take only
such cells by themselves as are plain, and leave the others to it.
"""

from __future__ import annotations

from palio.core.cells.booleans import Boolean, truth_of
from palio.core.cells.boxes import boxes_of, cell_of, counted, outside
from palio.core.cells.categories import Category, Text, encoded_alike, folded, label, one_of_each
from palio.core.cells.cell import FORM, FRACTION, MISSING_VALUE, RANGE, UNKNOWN, Kind, Parsed, Plain, Problem, Read
from palio.core.cells.keys import row_key
from palio.core.cells.moments import DateTime
from palio.core.cells.numbers import Number, WholeNumber
from palio.core.cells.pictures import PICTURE_STATISTICS, as_told, condition_as_told
from palio.core.cells.reader import BLANKS, MISSING, CellReader, marks_of, missing_in, moments_in, numbers_in
from palio.core.cells.table import KINDS, carries_text, kind_of

__all__ = [
    "BLANKS",
    "FORM",
    "FRACTION",
    "KINDS",
    "MISSING",
    "MISSING_VALUE",
    "PICTURE_STATISTICS",
    "RANGE",
    "UNKNOWN",
    "Boolean",
    "Category",
    "CellReader",
    "DateTime",
    "Kind",
    "Number",
    "Parsed",
    "Plain",
    "Problem",
    "Read",
    "Text",
    "WholeNumber",
    "as_told",
    "boxes_of",
    "carries_text",
    "cell_of",
    "condition_as_told",
    "counted",
    "encoded_alike",
    "folded",
    "kind_of",
    "label",
    "marks_of",
    "missing_in",
    "moments_in",
    "numbers_in",
    "one_of_each",
    "outside",
    "row_key",
    "truth_of",
]
