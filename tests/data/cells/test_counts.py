"""Whole numbers that count or spell moments are told from those that do not."""

from __future__ import annotations

import pytest

from palio.data.cells.counts import counted_moment


def sample(*cells: object) -> dict[str, int]:
    return {str(cell): 1 for cell in cells}


@pytest.mark.parametrize(
    ("cells", "name", "form"),
    [
        ([1650000000 + i for i in range(9)], "created_at", "epoch"),
        ([(1650000000 + i) * 1000 for i in range(9)], "ts", "epoch"),
        ([(1650000000 + i) * 10**6 for i in range(9)], "timestamp", "epoch"),
        ([(1650000000 + i) * 10**9 for i in range(9)], "timestamp", "epoch"),
        ([f"202201{i:02d}" for i in range(1, 29)], "x", "%Y%m%d"),
        ([f"202201{i:02d}101500" for i in range(1, 29)], "x", "%Y%m%d%H%M%S"),
        ([f"202201{i:02d}1015" for i in range(1, 9)], "stamp", "%Y%m%d%H%M"),
        ([f"2022{i:02d}" for i in range(1, 13)], "month", "%Y%m"),
        ([44600 + i for i in range(9)], "date", "excel"),
    ],
)
def test_moments_are_found_by_their_size_their_digits_and_their_name(cells: list[object], name: str, form: str) -> None:
    found = counted_moment(sample(*cells), name, 0.05)
    assert found is not None
    assert found.format == form
    assert "if they are plain numbers" in found.doubt


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([1650000000 + i for i in range(9)], "amount"),
        ([f"2022{i:02d}" for i in range(40, 53)], "month"),
        ([f"2022{i:02d}" for i in range(1, 13)], "order"),
        ([44600 + i for i in range(9)], "price"),
        ([44600 + i for i in range(9)], "candidate"),
        ([44600 + i for i in range(9)], "media"),
        ([44600 + i for i in range(9)], "response_time"),
        ([f"202213{i:02d}" for i in range(1, 29)], "date"),
    ],
)
def test_other_numbers_are_left_alone(cells: list[object], name: str) -> None:
    assert counted_moment(sample(*cells), name, 0.05) is None
