"""Numbers in sentences."""

from __future__ import annotations

import pytest

from palio.core.words import counted, listed


@pytest.mark.parametrize(
    ("n", "one", "text"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (2, "trial", "2 trials"),
        (1_000, "class", "1,000 classes"),
        (3, "family", "3 families"),
        (2, "day", "2 days"),
    ],
)
def test_only_one_is_singular(n: int, one: str, text: str) -> None:
    assert counted(n, one) == text


def test_an_irregular_plural_is_given() -> None:
    assert counted(2, "index", "indices") == "2 indices"


def test_a_long_list_says_how_much_it_leaves_out() -> None:
    assert listed([]) == ""
    assert listed(["a", "b"]) == "a and b"
    assert listed("abc", at_most=2) == "a, b and 1 more"
