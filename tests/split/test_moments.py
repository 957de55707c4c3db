"""Time columns become one number that orders the rows, whatever other rows there are."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from palio.core.errors import InputError
from palio.core.records import Schema
from palio.split.moments import moments


def schema(*time: str) -> Schema:
    return Schema(columns=(), time=time)


def test_a_datetime_is_its_seconds() -> None:
    frame = pl.DataFrame({"at": [dt.datetime(1970, 1, 2, tzinfo=dt.UTC), None]})
    first, second = moments(frame, schema("at"))
    assert first == 86_400.0
    assert np.isnan(second)


def test_year_month_day_hour_order_rows_like_a_calendar() -> None:
    hours = [dt.datetime(2010, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=7 * i) for i in range(5_000)]
    frame = pl.DataFrame({"y": [h.year for h in hours], "m": [h.month for h in hours],
                          "d": [h.day for h in hours], "h": [h.hour for h in hours]})  # fmt: skip
    assert (np.diff(moments(frame, schema("y", "m", "d", "h"))) > 0).all()


def test_more_rows_do_not_change_the_moments_of_others() -> None:
    frame = pl.DataFrame({"y": [2010, 2011, 2012], "m": [3, 1, 12]})
    assert (moments(frame[:2], schema("y", "m")) == moments(frame, schema("y", "m"))[:2]).all()


@pytest.mark.parametrize("digits", [[1.5, 2.0], [-1.0, 2.0], [1.0, 400.0]])
def test_a_finer_column_that_is_no_digit_is_refused(digits: list[float]) -> None:
    with pytest.raises(InputError, match="`m`: orders the rows inside `y`"):
        moments(pl.DataFrame({"y": [1, 2], "m": digits}), schema("y", "m"))


def test_text_does_not_order_rows() -> None:
    with pytest.raises(InputError, match="holds text") as caught:
        moments(pl.DataFrame({"month": ["may", "june"]}), schema("month"))
    assert "datetime" in caught.value.hint


def test_too_many_columns_are_refused_rather_than_confused() -> None:
    names = [f"c{i}" for i in range(8)]
    frame = pl.DataFrame({name: [399] for name in names})
    with pytest.raises(InputError, match="too fine"):
        moments(frame, schema(*names))
