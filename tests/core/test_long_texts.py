"""Long texts in the log: their beginning, length and digest stand for them."""

from __future__ import annotations

import numpy as np

from palio.core.long_texts import cut_texts, is_cut, length_of
from palio.measure import text_statistics


def test_a_text_within_the_limit_stays_as_it_is() -> None:
    texts = ["", "ü" * 100, "x" * 99]
    assert cut_texts(texts, 100) is texts
    assert not any(map(is_cut, texts))


def test_equal_texts_stay_equal_and_different_ones_different() -> None:
    one, same, other = cut_texts(["x" * 5000 + "a", "x" * 5000 + "a", "x" * 5000 + "b"], 100)
    assert one == same != other
    assert len(one) < 300


def test_what_is_known_of_a_long_text_is_its_length() -> None:
    (cut,) = cut_texts(["word \ud800 " * 1000], 100)  # half a surrogate, as JSON can hold it
    assert (is_cut(cut), length_of(cut)) == (True, 7000)
    assert text_statistics(np.array([cut, "abc"], object), np.empty(0, "<u4"))["length"].tolist() == [7000.0, 3.0]


def test_a_text_that_only_ends_in_brackets_is_whole() -> None:
    assert not is_cut("see [1]")
    assert not is_cut("… [12 characters]")
    assert length_of("see [1]") == 7
