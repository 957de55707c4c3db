"""Numbers that may be names are told, and others are not."""

from __future__ import annotations

from palio.data.cells.codes import about_codes


def test_of_versions_those_are_told_that_are_another_one_as_numbers() -> None:
    assert about_codes("version", {"1.9": 4, "1.10": 2})
    assert not about_codes("version", {"1.9": 4, "2.0": 2})
