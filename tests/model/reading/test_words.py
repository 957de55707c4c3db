"""Texts become ids and counts by a rule that is data, alone or in a batch."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from palio.core.errors import InputError, IntegrityError
from palio.core.records import WordReading
from palio.model.reading.readers import Readers, decode_readings, encode_readings
from palio.model.reading.words import CELLS_AT_ONCE, WordReader
from palio.model.text.vocabulary import count_entries, learn_reading
from palio.model.text.weighing import fit_weighing

NASTY = [
    "", " ", "\x00", "Win win WIN £100", "😀😀 free 😀", "İstanbul istanbul", "straße ﬁne", "東京都庁 東京", "ไทยแลนด์",
    "مرحبا بالعالم", "a1b2c3 " * 50, "http://x.io/?q=free", "<b>free</b>", "x" * 30_000, "free " * 10_000, "\ud800",
]  # fmt: skip


def reading(**changes: object) -> WordReading:
    return msgspec.structs.replace(learn_reading("note", [*NASTY, *NASTY])[0], tensor="#0", **changes)


def test_a_reader_finds_the_counts_that_were_learned_from() -> None:
    learned, counts = learn_reading("note", [*NASTY, *NASTY])
    assert learned.word_entries
    assert learned.piece_entries
    assert (count_entries(learned, [*NASTY, *NASTY]) != counts).nnz == 0


def test_three_words_in_a_row_are_counted_as_they_are_learned() -> None:
    texts = ["a b c d a b c", "a b c", "b c", ""]
    learned, counts = learn_reading("note", texts, words=(2, 3), pieces=(0, 0))
    assert learned.word_entries == ("a b", "b c", "a b c")
    assert counts.toarray().tolist() == [[2, 2, 2], [1, 1, 1], [0, 1, 0], [0, 0, 0]]
    assert (count_entries(learned, texts) != counts).nnz == 0


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    reader = WordReader(reading(most_characters=10))
    assert reader.row("free free free free")[1].tolist() == reader.row("free free x")[1].tolist()


def test_entries_that_are_too_many_go_by_how_many_texts_hold_them() -> None:
    texts = ["a b", "a b", "a c", "a c d", "c d"]
    learned, counts = learn_reading("note", texts, words=(1, 1), pieces=(0, 0), most_words=2)
    assert learned.word_entries == ("a", "c")
    assert counts.shape == (5, 2)


def test_a_long_text_does_not_widen_all_others() -> None:
    learned = reading()
    words = [chr(0x4E00 + place) for place in range(4_000)]
    wide = msgspec.structs.replace(learned, word_entries=tuple(words), piece_entries=(), n_entries=len(words))
    texts = np.array([["".join(words)], *[["一"]] * 500], object)
    parts = [part for part, _ in Readers([wide]).chunks({"note": texts}, frozenset())]
    assert len(parts) > 1
    assert all(part["#0.ids"].size <= CELLS_AT_ONCE for part in parts)
    assert sum(len(part["#0.ids"]) for part in parts) == len(texts)


def test_facts_are_length_words_and_shares() -> None:
    facts = WordReader(reading(facts=True)).row("AB 1!")[2]
    assert np.allclose(facts, [np.log1p(5), np.log1p(3), 2 / 5, 1 / 5, 1 / 5])
    assert np.allclose(WordReader(reading(facts=True)).row("")[2], 0)


def test_a_cell_that_is_no_text_is_refused_and_not_quoted() -> None:
    with pytest.raises(InputError, match="`note` holds a cell that is no text") as caught:
        list(Readers([reading()]).chunks({"note": np.array([[b"fine"], [7331]], object)}, frozenset()))
    assert "7331" not in str(caught.value)


def test_two_cells_a_row_are_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        list(Readers([reading()]).chunks({"note": np.array([["a", "b"]], object)}, frozenset()))


def test_no_rows_are_read_as_no_rows() -> None:
    ((part, _),) = Readers([reading(facts=True)]).chunks({"note": np.empty((0, 1), object)}, frozenset())
    assert [value.shape for value in part.values()] == [(0, 16), (0, 16), (0, 5)]


def test_readings_survive_being_written() -> None:
    found = decode_readings(encode_readings([reading()]))
    assert found == (reading(),)


@pytest.mark.parametrize(
    "changes",
    [{"rule": 2}, {"words": (2, 1)}, {"pieces": (1, 99)}, {"words": (0, 2)}, {"most_characters": 0}, {"n_entries": 1}],
)
def test_readings_that_ask_for_too_much_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="readings"):
        decode_readings(encode_readings([reading(**changes)]))


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[[]]", '[{"input": 3}]', "[" * 100_000])
def test_what_is_no_reading_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError, match="readings"):
        decode_readings(text)


def test_weights_of_words_and_of_pieces_have_length_one() -> None:
    learned, counts = learn_reading("note", NASTY * 2)
    weights = fit_weighing(learned, counts).weigh(counts)
    n_words = len(learned.word_entries)
    for block in (weights[:, :n_words], weights[:, n_words:]):
        lengths = np.sqrt(block.multiply(block).sum(axis=1)).ravel()
        assert np.allclose(lengths[lengths > 0], 1.0)
