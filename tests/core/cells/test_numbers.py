"""Numbers are read however they are written, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from palio.core.cells import CellReader
from palio.core.cells.numbers import read_text
from palio.core.records import Column


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("\u0661\u0662\u066b\u0665", 12.5),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665", 1234.5),
        ("\u00bd", 0.5),
        ("1 \u00bd", 1.5),
        ("-2\u00bc", -2.25),
        ("8.458D+04", 84580.0),
        ("1.5\u00d710^3", 1500.0),
        ("2 x 10^-2", 0.02),
        ("1\u00b4234.50", 1234.5),
    ],
)
def test_marks_fractions_and_powers_of_all_kinds_are_read(cell: str, value: float) -> None:
    assert read_text(cell) == value


@pytest.mark.parametrize("cell", ["5D", "12D", "2x10", "10^3", "120/80", "1 2\u00bd 3", "0x1f"])
def test_what_only_looks_like_a_number_is_none(cell: str) -> None:
    assert read_text(cell) is None


def test_a_fraction_is_the_same_with_either_mark_before_decimals() -> None:
    assert read_text("2\u00be", ",") == read_text("2\u00be", ".") == 2.75


def test_infinity_may_mean_that_nothing_is_known() -> None:
    reader = CellReader(Column(name="x", type="number", missing=("", "inf", "-inf")))
    assert [reader.read(cell).value for cell in ("inf", float("inf"), float("-inf"))] == [None] * 3
    assert not any(reader.read(cell).problem for cell in ("inf", float("inf")))
    assert CellReader(Column(name="x", type="number")).read(float("inf")).problem == "type"
