from __future__ import annotations

import re
import tracemalloc
import unicodedata
from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.measure.statistics.texts import MAX_VOCABULARY, NAMES, learn_vocabulary, tokens

NOTHING = np.empty(0, "<u4")


def texts(*values: str) -> Any:
    return np.array(values, dtype=object)


def test_a_text_is_described_by_its_characters_and_words() -> None:
    found = measure.text_statistics(texts("Ab 12, c_d!", "", "!!!"), NOTHING)
    assert tuple(found) == NAMES
    np.testing.assert_array_equal(found["length"], [11, np.nan, 3])
    np.testing.assert_array_equal(found["n_tokens"], [3, np.nan, 0])
    np.testing.assert_allclose(found["digits"], [2 / 11, np.nan, 0])
    np.testing.assert_allclose(found["uppercase"], [1 / 11, np.nan, 0])
    np.testing.assert_allclose(found["punctuation"], [3 / 11, np.nan, 1])  # `_` is a sign and part of a word
    np.testing.assert_array_equal(found["unseen_tokens"], [1, np.nan, np.nan])


def test_statistics_equal_those_of_one_text_after_the_other() -> None:
    rng = np.random.default_rng(1)
    letters = list("aäßÉЖя9٣ _-.,!\n\t€")
    some = ["".join(rng.choice(letters, n)) for n in rng.integers(0, 40, 500)]
    found = measure.text_statistics(texts(*some), NOTHING)
    for row, text in enumerate(some):
        if not text:
            assert np.isnan(found["length"][row])
            continue
        kinds = [unicodedata.category(character)[0] for character in text]
        assert found["length"][row] == len(text)
        assert found["n_tokens"][row] == len(re.findall(r"\w+", text))
        assert found["digits"][row] == pytest.approx(kinds.count("N") / len(text))
        assert found["punctuation"][row] == pytest.approx((kinds.count("P") + kinds.count("S")) / len(text))
        assert found["uppercase"][row] == pytest.approx(sum(c.isupper() for c in text) / len(text))


def test_tokens_are_told_apart_by_their_letters_alone() -> None:
    hashes, rows = tokens(texts("Good good day", "", "day, GOOD; doog ab ba"))
    assert rows.tolist() == [0, 0, 0, 2, 2, 2, 2, 2]
    good, again, day, day_again, loud, backwards, ab, ba = hashes.tolist()
    assert good == again == loud
    assert day == day_again
    assert len({good, day, backwards, ab, ba}) == 5


def test_different_tokens_have_different_hashes() -> None:
    words = [f"w{i}" for i in range(20_000)] + [str(i) for i in range(20_000)]
    hashes, _ = tokens(texts(" ".join(words)))
    assert len(np.unique(hashes)) >= len(words) - 3  # 32 bits: 0.2 collisions are expected


def test_scripts_without_spaces_have_a_token_a_character() -> None:
    found = measure.text_statistics(texts("今日は good", "สวัสดี", "한국어 말"), NOTHING)
    assert found["n_tokens"].tolist() == [4, 6, 2]


def test_a_word_with_marks_is_one_token() -> None:
    assert measure.text_statistics(texts("हिन्दी भाषा"), NOTHING)["n_tokens"].tolist() == [2]


def test_half_a_surrogate_pair_and_very_long_texts_are_no_trouble() -> None:
    long = "x" * 700_000 + " y"
    found = measure.text_statistics(texts("a\ud800b", long, "", long), NOTHING)
    np.testing.assert_array_equal(found["length"], [3, 700_002, np.nan, 700_002])
    np.testing.assert_array_equal(found["n_tokens"], [2, 2, np.nan, 2])


def test_rows_that_a_vocabulary_was_made_of_are_judged_as_if_they_were_new() -> None:
    vocabulary, share = learn_vocabulary(texts("a b", "a c", "a b"), np.array([0, 0, 1]))
    assert share.tolist() == [0.0, 0.5, 0.0]  # `c` stands in one block only
    known = np.frombuffer(vocabulary, "<u4")
    assert (np.diff(known.astype(np.int64)) > 0).all()
    assert measure.text_statistics(texts("a c", "a d"), known)["unseen_tokens"].tolist() == [0.0, 0.5]


def test_the_share_of_unseen_tokens_is_the_same_on_new_rows_as_in_the_reference() -> None:
    rng = np.random.default_rng(2)
    words = np.array([f"w{i}" for i in range(200_000)])

    def some(n: int) -> Any:
        return texts(*[" ".join(words[np.minimum(rng.zipf(1.3, 20), 199_999)]) for _ in range(n)])

    vocabulary, share = learn_vocabulary(some(4_000), np.arange(4_000) * 64 // 4_000)
    later = measure.text_statistics(some(4_000), np.frombuffer(vocabulary, "<u4"))["unseen_tokens"]
    assert share.mean() > 0.02
    assert later.mean() == pytest.approx(share.mean(), rel=0.1)


def test_a_vocabulary_is_bounded_and_keeps_the_frequent_tokens() -> None:
    many = " ".join(f"t{i}" for i in range(MAX_VOCABULARY + 5_000))
    vocabulary, _ = learn_vocabulary(texts(many, "often often"), np.array([0, 1]))
    assert len(vocabulary) == 4 * MAX_VOCABULARY
    known = np.frombuffer(vocabulary, "<u4")
    assert measure.text_statistics(texts("often"), known)["unseen_tokens"].tolist() == [0.0]


def test_texts_without_any_token_teach_nothing() -> None:
    vocabulary, share = learn_vocabulary(texts("", "?"), np.array([0, 1]))
    assert vocabulary == b""
    assert np.isnan(share).all()


def test_of_a_text_without_end_the_beginning_is_looked_at_and_the_length_is_true() -> None:
    endless = "ab " * 3_000_000
    tracemalloc.start()
    found = measure.text_statistics(texts(endless, "a b"), NOTHING)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["length"].tolist() == [9_000_000, 3]
    assert found["n_tokens"][1] == 2
    assert peak < 120e6


def test_values_become_texts_of_any_length_and_form() -> None:
    found = measure.as_texts(np.array(["long" * 1_000_000, None, 1.5, "a\ud800"], object))
    assert found[1:].tolist() == ["None", "1.5", "a\ud800"]
    assert measure.as_texts(np.array([[1, 2]])).tolist() == [["1", "2"]]
    assert measure.as_texts(np.empty(0)).tolist() == []
