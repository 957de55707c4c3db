"""Numbers that hide in words are told."""

from __future__ import annotations

import pytest

from palio.data.cells import unread


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (["120/80", "135/90"], "several numbers in each cell, as `120/80`"),
        (["0-9", "10-19", "20-29"], "several numbers"),
        (["1h30m", "2h05m"], "several numbers"),
        (["PT1H30M", "PT2H"], ""),
        (["0x1f", "0xff"], "hexadecimal numbers"),
        (["Jan-22", "Feb-22"], "months or days without a year"),
        (["3-Mar", "4-Mar"], "months or days without a year"),
        (["red", "blue"], ""),
        (["A17", "B4"], ""),
        (["INV-2022-1", "INV-2022-2"], ""),
        (["120/80"], ""),
    ],
)
def test_cells_of_several_numbers_are_told_and_codes_are_not(values: list[str], what: str) -> None:
    found = unread.about(values)
    assert found[0].startswith(what) if what else not found
