"""Many cells are read at once as each would be alone."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from palio.core.records import Column
from palio.data.cells.frame import read_cells

DAY = dt.datetime(2022, 5, 4, 10, tzinfo=dt.UTC)
NONE = dt.datetime(2099, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "cells",
    [
        pl.Series([DAY, NONE]),
        pl.Series([DAY.timestamp(), NONE.timestamp()]),
        pl.Series(["2022-05-04T10:00:00Z", "2099-12-31T23:59:59Z"]),
        pl.Series(["2022-05-04 10:00", "2099-12-31 23:59:59"]),
    ],
)
def test_a_moment_that_means_not_known_is_missing_however_it_is_held(cells: pl.Series) -> None:
    column = Column(name="end", type="datetime", missing=("", "2099-12-31T23:59:59"))
    read = read_cells(cells, column)
    assert read.values.to_list() == [DAY, None]
    assert read.raw.is_null().to_list() == [False, True]
    assert read.unread is None
