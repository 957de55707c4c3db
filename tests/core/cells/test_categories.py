"""Values are matched by what they say, not by how their letters are encoded."""

from __future__ import annotations

from palio.core.cells import FORM, CellReader, folded
from palio.core.records import Column

COMPOSED, APART = "Caf\u00e9", "Cafe\u0301"


def test_letters_that_look_alike_are_one_value_and_it_is_flagged() -> None:
    read = CellReader(Column(name="x", type="category", categories=(COMPOSED, "no"))).read
    assert read(APART).value == read(f"{COMPOSED}\u200b").value == COMPOSED
    assert FORM in read(APART).flags
    assert "unknown category" in read("Cafe").flags


def test_values_that_the_contract_tells_apart_stay_apart() -> None:
    read = CellReader(Column(name="x", type="category", categories=(COMPOSED, APART))).read
    assert (read(COMPOSED).value, read(APART).value) == (COMPOSED, APART)


def test_folding_takes_all_encodings_of_a_letter_for_one() -> None:
    assert len({folded(text) for text in ("YES", "yes\u200b", "\uff59\uff45\uff53", " yes")}) == 1
    assert folded("yes") != folded("ye s")
