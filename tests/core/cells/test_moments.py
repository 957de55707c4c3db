"""Moments are read in the ways in which people and programs write them."""

from __future__ import annotations

import datetime as dt

import pytest

from palio.core.cells import CellReader
from palio.core.cells.moments import of_number, read_moment
from palio.core.records import Column


def read(cell: str) -> str | None:
    found = read_moment(cell, "dmy")
    return None if found is None else dt.datetime.fromtimestamp(found.seconds, dt.UTC).isoformat()[:16]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("20220105T101500Z", "2022-01-05T10:15"),
        ("20220105T1015", "2022-01-05T10:15"),
        ("2022\u5e741\u67085\u65e5", "2022-01-05T00:00"),
        ("2022\u5e741\u67085\u65e5 10:15", "2022-01-05T10:15"),
        ("2022\ub144 1\uc6d4 5\uc77c", "2022-01-05T00:00"),
        ("5 \u044f\u043d\u0432\u0430\u0440\u044f 2022 \u0433.", "2022-01-05T00:00"),
        ("5 stycznia 2022", "2022-01-05T00:00"),
        ("5. ledna 2022", "2022-01-05T00:00"),
        ("5 May\u0131s 2022", "2022-05-05T00:00"),
        ("5 maj 2022", "2022-05-05T00:00"),
        ("2022. janu\u00e1r 5.", "2022-01-05T00:00"),
        ("Wed Jan 05 10:15:00 2022", "2022-01-05T10:15"),
        ("Wed Jan 05 10:15:00 +0100 2022", "2022-01-05T09:15"),
        ("Mar 5, 2022", "2022-03-05T00:00"),
        ("05.01.2022, 10:15 Uhr", "2022-01-05T10:15"),
        ("05/01/2022 10h15", "2022-01-05T10:15"),
        ("/Date(1641377700000)/", "2022-01-05T10:15"),
        ("FY22 Q3", "2022-07-01T00:00"),
        ("Q3 FY2022", "2022-07-01T00:00"),
    ],
)
def test_days_and_times_are_read_as_they_are_written(cell: str, moment: str) -> None:
    assert read(cell) == moment


def test_a_place_says_how_far_its_clocks_are_ahead_on_that_day() -> None:
    pytest.importorskip("zoneinfo").ZoneInfo("Europe/Berlin")
    assert read("2022-01-05 10:15:00 Europe/Berlin") == "2022-01-05T09:15"
    assert read("2022-07-05 10:15:00 Europe/Berlin") == "2022-07-05T08:15"


@pytest.mark.parametrize(
    "cell", ["2022-01-05 10:15 Nowhere/Land", "2022-01-05 10:15 IST", "20221305T1015", "5 foo 2022"]
)
def test_what_leaves_a_doubt_is_no_moment(cell: str) -> None:
    assert read(cell) is None


@pytest.mark.parametrize("form", ["%d.%m.%Y", None])
def test_a_small_number_among_dates_is_no_moment_of_1970(form: str | None) -> None:
    reader = CellReader(Column(name="day", type="datetime", format=form))
    assert reader.read("44593").problem == "type"
    assert reader.read("1641377700").value == 1641377700.0


def test_numbers_that_spell_moments_are_read_as_such() -> None:
    assert of_number(202201051015, "%Y%m%d%H%M") == of_number(20220105101500, "%Y%m%d%H%M%S") == 1641377700.0
    assert of_number(1641377700, "%Y%m%d%H%M%S") == 1641377700.0


@pytest.mark.parametrize("cell", ["2099-12-31", "2099-12-31T00:00:00Z", "31.12.2099", 4102358400])
def test_a_moment_that_means_not_known_is_missing_however_it_is_written(cell: object) -> None:
    column = Column(name="end", type="datetime", format="%d.%m.%Y", missing=("", "2099-12-31", "0"))
    assert CellReader(column).is_missing(cell)
    assert not CellReader(column).is_missing("1970-01-01")
