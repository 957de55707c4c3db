"""A text is cut by one fixed rule, whatever stands in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.model.reading.tokens import folded, pieces_of, runs_of, words_of


def words(text: str) -> list[str]:
    return list(words_of(runs_of(folded(text))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Win £100!!", ["win", "£", "100", "!", "!"]),
        ("don't", ["don", "'", "t"]),
        ("a1b2 3rd", ["a1b2", "3rd"]),
        ("http://x.io/a?b=1", ["http", ":", "/", "/", "x", ".", "io", "/", "a", "?", "b", "=", "1"]),
        ("<b>so</b>&amp;", ["<", "b", ">", "so", "<", "/", "b", ">", "&", "amp", ";"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁne ﬀ", ["fine", "ff"]),
        ("ŁÓDŹ Zażółć", ["łódź", "zażółć"]),
        ("ΣΊΣΥΦΟΣ", ["σίσυφοσ"]),
        ("fr\u00adee f\u200bree", ["free", "free"]),
        ("a\x00b\tc\u2028d", ["a", "b", "c", "d"]),
        ("😀😀👍🏽", ["😀", "😀", "👍", "🏽"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("\u202eمرحبا\u202c", ["مرحبا"]),
        ("东京 abc", ["东", "京", "abc"]),
        ("abc東京", ["abc", "東", "京"]),
        ("हिन्दी", ["हिन्दी"]),
        ("a\ud800x", ["a", "x"]),
    ],
)
def test_words_are_what_a_reader_of_the_script_takes_for_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_the_turkish_capital_i_is_one_word_with_its_dot() -> None:
    assert words("İstanbul") == words("i\u0307stanbul") == ["i\u0307stanbul"]


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert words("caf\u00e9") == words("cafe\u0301")


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text())
def test_no_word_holds_a_blank(text: str) -> None:
    assert all(word and not any(map(str.isspace, word)) for word in words(text))


@given(st.text(alphabet="abc ,!ß", max_size=40))
def test_case_and_order_of_blanks_change_no_word(text: str) -> None:
    assert words(text.upper().replace(" ", "\n ")) == words(text)


def test_pieces_mark_where_a_run_begins_and_ends() -> None:
    assert pieces_of("go", 2, 5) == [" g", "go", "o ", " go", "go ", " go "]


def test_pieces_of_an_endless_run_are_bounded() -> None:
    assert len(pieces_of("x" * 2_000_000, 2, 5)) < 300
