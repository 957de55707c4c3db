"""Read texts by a `WordReading`: ids of the entries that a text holds, and how often it holds each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log1p
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.records import TensorSpec, WordReading
from palio.model.reading.cells import refuse, text_of
from palio.model.reading.tokens import RULE, folded, pieces_of, runs_of, words_of

Array = npt.NDArray[Any]

CELLS_AT_ONCE = 1 << 18
"""Rows × entries of the longest that go through the graph together: one long text must not widen all others."""
WIDTH = 16
"""Rows are padded to a multiple of it: then sums over a row are the same to the last bit, whatever rows are beside."""
MAX_N = 8
"""Most words in a row, or characters of a piece, that a reading may ask for."""
MAX_CHARACTERS = 10_000_000
_MOST_KNOWN = 50_000
"""Words whose pieces a reader remembers; most words of a text were met before."""

Row = tuple[Array, Array, Sequence[float]]
"""Ids (int64), counts (float64) and facts of one text."""


class WordReader:
    """Reads the texts of one column. Safe to share between threads.

    Example:
        >>> reading = WordReading(input="note", tensor="#0", pieces=(0, 0), word_entries=("win", "win now", "now"))
        >>> reader = WordReader(reading)
        >>> feeds = reader.feeds([reader.row("Win, win now!"), reader.row("later")])
        >>> feeds["#0.ids"][:, :3].tolist(), feeds["#0.counts"][:, :3].tolist()
        ([[0, 2, 1], [0, 0, 0]], [[2.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, reading: WordReading) -> None:
        self.reading = reading
        self._words = {entry: place for place, entry in enumerate(reading.word_entries)}
        first = len(self._words)
        self._pieces = {entry: place for place, entry in enumerate(reading.piece_entries, start=first)}
        self._known: dict[str, list[int]] = {}

    at_once = CELLS_AT_ONCE

    def prepared(self, cells: Sequence[Any]) -> Sequence[Row]:
        """Read one text for each cell."""
        if len(cells) == 1:
            return [self.row(text_of(self.reading.input, cells[0]))]
        seen: dict[Any, Row] = {}
        for cell in cells:
            if cell not in seen:
                seen[cell] = self.row(text_of(self.reading.input, cell))
        return [seen[cell] for cell in cells]

    @staticmethod
    def width(row: Row) -> int:
        """Tell how many ids a text has."""
        return len(row[0])

    def is_cut(self, text: str) -> bool:
        """Tell whether a text goes on behind what is read of it."""
        return len(text) > self.reading.most_characters

    def row(self, text: str) -> Row:
        """Read one text."""
        reading = self.reading
        text = text[: reading.most_characters]
        runs = runs_of(folded(text))
        words = words_of(runs)
        ids = self._of_words(words)
        if self._pieces:
            known = self._known
            for run in runs:
                found = known.get(run)
                ids += self._of_pieces(run) if found is None else found
        counts = Counter(ids)
        n = len(counts)
        facts = _facts(text, len(words)) if reading.facts else ()
        return np.fromiter(counts, np.int64, n), np.fromiter(counts.values(), np.float64, n), facts

    def facts(self, text: str) -> Sequence[float]:
        """Return the facts of one text alone, in the order of `WordReading.FACTS`."""
        text = text[: self.reading.most_characters]
        return _facts(text, len(words_of(runs_of(folded(text)))))

    def _of_words(self, words: Sequence[str]) -> list[int]:
        if not self._words:
            return []
        place_of, (low, high) = self._words.get, self.reading.words
        found = list(map(place_of, words)) if low <= 1 else []
        if low <= 2 <= high:
            found += [place_of(f"{first} {second}") for first, second in pairwise(words)]
        for n in range(max(3, low), high + 1):
            found += [place_of(" ".join(words[at : at + n])) for at in range(len(words) - n + 1)]
        return [place for place in found if place is not None]

    def _of_pieces(self, run: str) -> list[int]:
        place_of = self._pieces.get
        found = [place for place in map(place_of, pieces_of(run, *self.reading.pieces)) if place is not None]
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[run] = found
        return found

    def feeds(self, rows: Sequence[Row]) -> dict[str, Array]:
        """Lay rows side by side as the tensors of the graph, padded to the longest."""
        longest = max((len(ids) for ids, _, _ in rows), default=0)
        width = max(1, -(-longest // WIDTH)) * WIDTH
        ids, counts = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width))
        for place, (found, how_often, _) in enumerate(rows):
            ids[place, : len(found)] = found
            counts[place, : len(found)] = how_often
        tensor = self.reading.tensor
        tensors = {f"{tensor}.ids": ids, f"{tensor}.counts": counts}
        if self.reading.facts:
            facts = np.array([facts for _, _, facts in rows], np.float64)
            tensors[f"{tensor}.facts"] = facts.reshape(len(rows), len(WordReading.FACTS))
        return tensors


def _facts(text: str, n_words: int) -> tuple[float, ...]:
    size = max(1, len(text))
    capitals, digits = sum(map(str.isupper, text)), sum(map(str.isdigit, text))
    signs = size - sum(map(str.isalnum, text)) - sum(map(str.isspace, text)) if text else 0
    return log1p(len(text)), log1p(n_words), capitals / size, digits / size, signs / size


def specs_of(reading: WordReading) -> tuple[TensorSpec, ...]:
    """Name the tensors of the graph that a reading feeds."""
    tensor = reading.tensor
    specs = [
        TensorSpec(name=f"{tensor}.ids", datatype="INT64", shape=(-1, -1)),
        TensorSpec(name=f"{tensor}.counts", datatype="FP64", shape=(-1, -1)),
    ]
    if reading.facts:
        specs.append(TensorSpec(name=f"{tensor}.facts", datatype="FP64", shape=(-1, len(WordReading.FACTS))))
    return tuple(specs)


def check(reading: WordReading) -> None:
    """Raise `IntegrityError` if a reading, which may come from anybody, asks for another rule or for too much."""
    if reading.rule != RULE:
        raise refuse(f"they name rule {reading.rule}, this version of Palio knows rule {RULE}")
    for low, high in (reading.words, reading.pieces):
        if not 0 <= low <= high <= MAX_N or (low == 0) != (high == 0):
            raise refuse(f"they count {low} to {high} in a row, at most {MAX_N} are allowed")
    if not 0 < reading.most_characters <= MAX_CHARACTERS:
        raise refuse(f"they read {reading.most_characters} characters of a text")
    if len(reading.word_entries) + len(reading.piece_entries) != reading.n_entries:
        raise refuse("entries are missing")


def brief(reading: WordReading) -> WordReading:
    """Leave out what a manifest does not repeat: the entries."""
    return msgspec.structs.replace(reading, word_entries=(), piece_entries=())
