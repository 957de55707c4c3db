"""Each kind of cell keeps the contract."""

from __future__ import annotations

from palio.testing.cell import CellContract


class TestNumber(CellContract):
    type = "number"


class TestWholeNumber(CellContract):
    type = "integer"


class TestBoolean(CellContract):
    type = "boolean"


class TestCategory(CellContract):
    type = "category"


class TestText(CellContract):
    type = "text"


class TestDateTime(CellContract):
    type = "datetime"


class TestBoxes(CellContract):
    type = "boxes"
