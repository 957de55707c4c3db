from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.errors import InputError
from palio.core.monitoring import Reference
from palio.core.records import ColumnShape
from palio.monitor.timeline import Stretch, grid, joined, place, rows_of, segments_of

HOUR = dt.timedelta(hours=1)
NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
REFERENCE = Reference(
    n_rows=4,
    n_scored=4,
    in_time_order=False,
    columns=(
        ColumnShape(name="job", source="job", kind="category", values=("clerk", "cook"), counts=(2, 1, 0, 1)),
        ColumnShape(name="age", source="age", kind="number", edges=(40.0,), counts=(2, 2, 0)),
    ),
)


def test_windows_begin_at_full_lengths_and_end_now() -> None:
    found = grid(NOON - dt.timedelta(minutes=150), NOON + dt.timedelta(minutes=10), HOUR)
    assert [one.since.hour for one in found] == [9, 10, 11, 12]
    assert found[-1].until == NOON + dt.timedelta(minutes=10)


def test_too_many_windows_are_refused() -> None:
    with pytest.raises(InputError, match="at most 400") as caught:
        grid(NOON - dt.timedelta(days=400), NOON, HOUR)
    assert "longer" in caught.value.hint


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.integers(1, 150))
def test_joined_windows_hold_every_row_once_and_enough_of_them(n_rows: list[int], least: int) -> None:
    stretches = [Stretch(NOON + HOUR * turn, NOON + HOUR * (turn + 1)) for turn in range(len(n_rows))]
    found = joined(stretches, n_rows, least)
    inside = [
        sum(n for one, n in zip(stretches, n_rows, strict=True) if kept.since <= one.since < kept.until)
        for kept in found
    ]
    assert sum(inside) == sum(n_rows)
    assert all(n >= least for n in inside) or (len(inside) == 1 and sum(n_rows) < least)
    assert all(a.until <= b.since for a, b in itertools.pairwise(found))


def test_too_few_rows_are_a_window_that_begins_with_them() -> None:
    stretches = [Stretch(NOON + HOUR * turn, NOON + HOUR * (turn + 1)) for turn in range(9)]
    assert joined(stretches, [0, 0, 0, 0, 3, 0, 4, 2, 0], 200) == [Stretch(NOON + 4 * HOUR, NOON + 8 * HOUR)]
    assert joined(stretches, [0, 0, 3, 0, 0, 0, 90, 0, 0], 60) == [Stretch(NOON + 2 * HOUR, NOON + 7 * HOUR)]
    assert joined(stretches, [0] * 9, 200) == []


def test_moments_find_their_window() -> None:
    stretches = [Stretch(NOON, NOON + HOUR), Stretch(NOON + 2 * HOUR, NOON + 3 * HOUR)]
    at = np.array(
        ["2026-05-04T11:59", "2026-05-04T12:00", "2026-05-04T13:00", "2026-05-04T14:30", "2026-05-05"], "M8[us]"
    )
    assert place(at, stretches).tolist() == [-1, 0, -1, 1, -1]
    assert place(at, []).tolist() == [-1] * 5


def test_segments_are_the_values_of_a_category() -> None:
    found = segments_of(REFERENCE, ["job"])
    assert found == {"job = clerk": ("input.job", "clerk"), "job = cook": ("input.job", "cook")}
    batch = {"input.job": np.array(["cook", "clerk", ""], object)}
    assert rows_of(batch, found["job = cook"]).tolist() == [0]
    assert rows_of({}, found["job = cook"]).tolist() == []


@pytest.mark.parametrize(("column", "match"), [("age", "not a category"), ("jop", "no column `jop`")])
def test_a_segment_that_is_none_is_refused(column: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        segments_of(REFERENCE, [column])


def test_a_future_is_refused() -> None:
    with pytest.raises(InputError, match="still to come"):
        grid(NOON + HOUR, NOON, HOUR)
