"""Values that programs write where there is none are noticed."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pytest

from palio.data.cells.sentinels import Sentinels


@pytest.mark.parametrize("value", [-999.0, 9999.0, -9.99e33, 1e20, -32768.0, 2147483647.0])
def test_fill_values_far_from_all_others_are_told(value: float) -> None:
    watch = Sentinels()
    watch.add(np.array([1.5, value, 2.5, 3.0, value]))
    (told,) = watch.doubts(Counter())
    assert "(2 rows) lies far from all other values, 1.5 to 3" in told
    assert f'missing = ["{value:.12g}"]' in told


@pytest.mark.parametrize("numbers", [[1.0, 99.0, 50.0, 99.0], [1e18, 2e18, 3e18], [65535.0, 65535.0, 32767.0, 0.0]])
def test_values_within_reach_of_the_others_are_not(numbers: list[float]) -> None:
    watch = Sentinels()
    watch.add(np.array(numbers))
    assert not watch.doubts(Counter())


def test_a_mark_that_stands_there_once_is_one_of_the_others() -> None:
    days = [dt.datetime.fromisoformat(f"{day}T00:00+00:00").timestamp() for day in ("1899-12-31", "1900-01-01")]
    none = dt.datetime.fromisoformat("9999-12-31T00:00+00:00").timestamp()
    watch = Sentinels(of_moments=True)
    watch.add(np.array([*days, none, none]))
    (told,) = watch.doubts(Counter(), "{:.0f}".format)
    assert f"{days[0]:.0f} to {days[1]:.0f}" in told


@pytest.mark.parametrize("day", ["9999-12-31", "1900-01-01"])
def test_days_that_stand_for_none_are_told_among_moments(day: str) -> None:
    moment = dt.datetime.fromisoformat(f"{day}T00:00+00:00").timestamp()
    watch = Sentinels(of_moments=True)
    watch.add(np.array([1.65e9, moment, 1.66e9, moment]))
    assert list(watch.found()) == [moment]
