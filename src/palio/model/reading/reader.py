"""Read texts by a `Reading`: ids of the entries that a text holds, and how often it holds each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import log1p
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError, IntegrityError
from palio.core.records import Reading
from palio.model.reading.tokens import RULE, folded, pieces_of, runs_of, words_of

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]

METADATA = "palio.readings"
"""Key of the readings in the metadata of an ONNX file."""
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


class Reader:
    """Reads the texts of one column. Safe to share between threads.

    Example:
        >>> reader = Reader(Reading(input="note", tensor="#0", pieces=(0, 0), word_entries=("win", "win now", "now")))
        >>> feeds = reader.feeds([reader.row("Win, win now!"), reader.row("later")])
        >>> feeds["#0.ids"][:, :3].tolist(), feeds["#0.counts"][:, :3].tolist()
        ([[0, 2, 1], [0, 0, 0]], [[2.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._words = {entry: place for place, entry in enumerate(reading.word_entries)}
        first = len(self._words)
        self._pieces = {entry: place for place, entry in enumerate(reading.piece_entries, start=first)}
        self._known: dict[str, list[int]] = {}

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
        """Return the facts of one text alone, in the order of `Reading.FACTS`."""
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
            tensors[f"{tensor}.facts"] = facts.reshape(len(rows), len(Reading.FACTS))
        return tensors


def _facts(text: str, n_words: int) -> tuple[float, ...]:
    size = max(1, len(text))
    capitals, digits = sum(map(str.isupper, text)), sum(map(str.isdigit, text))
    signs = size - sum(map(str.isalnum, text)) - sum(map(str.isspace, text)) if text else 0
    return log1p(len(text)), log1p(n_words), capitals / size, digits / size, signs / size


class Readers:
    """All readings of one graph: turns what everybody sends into what the session takes.

    Args:
        readings: Of the graph.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = tuple(readings)
        self._by_input: dict[str, list[Reader]] = {}
        for reading in readings:
            self._by_input.setdefault(reading.input, []).append(Reader(reading))
        self.column_of = {name: reading.input for reading in readings for name in tensors_of(reading)}
        """Tensor of the graph → the text column that it is read from."""

    def chunks(self, feeds: Feeds, kept: frozenset[str]) -> Iterator[dict[str, Array]]:
        """Read the texts of `feeds`; yield feeds of the session for one run of rows after the other.

        Args:
            feeds: What everybody sends, one array of shape (n, 1) per column.
            kept: Inputs of the session that travel as they are.

        Raises:
            InputError: a text column does not hold one text a row.
        """
        read = [
            (reader, rows)
            for name, readers in self._by_input.items()
            for reader, rows in _rows(name, feeds[name], readers)
        ]
        n_rows = len(read[0][1])
        others = {name: value for name, value in feeds.items() if name in kept}
        start = 0
        while True:
            stop = _stop(read, start, n_rows)
            is_all = start == 0 and stop == n_rows
            found = others if is_all else {name: value[start:stop] for name, value in others.items()}
            found = dict(found)
            for reader, rows in read:
                found |= reader.feeds(rows[start:stop])
            yield found
            start = stop
            if start >= n_rows:
                return


def _rows(name: str, texts: Array, readers: Sequence[Reader]) -> list[tuple[Reader, list[Row]]]:
    cells = texts.ravel().tolist()
    if texts.shape[:1] != (len(cells),):
        raise InputError(f"feeds: `{name}` has the shape {texts.shape}", hint="give one text a row, shape (n, 1)")
    cells = [cell if type(cell) is str else _text(name, cell) for cell in cells]
    if len(cells) == 1:
        return [(reader, [reader.row(cells[0])]) for reader in readers]
    found = []
    for reader in readers:
        seen: dict[str, Row] = {}
        for cell in cells:
            if cell not in seen:
                seen[cell] = reader.row(cell)
        found.append((reader, [seen[cell] for cell in cells]))
    return found


def _text(name: str, cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, str):
        return str(cell)
    raise InputError(f"feeds: `{name}` holds a cell that is no text", hint="give texts, the empty one where missing")


def _stop(read: Sequence[tuple[Reader, list[Row]]], start: int, n_rows: int) -> int:
    """Return where a run of rows from `start` on ends, so that no tensor grows beyond the cap; at least one row."""
    stop, longest = start, 1
    while stop < n_rows:
        longest = max(longest, *(len(rows[stop][0]) for _, rows in read))
        if stop > start and longest * (stop + 1 - start) > CELLS_AT_ONCE:
            break
        stop += 1
    return stop


def tensors_of(reading: Reading) -> tuple[str, ...]:
    """Name the tensors of the graph that a reading feeds."""
    names = (f"{reading.tensor}.ids", f"{reading.tensor}.counts")
    return (*names, f"{reading.tensor}.facts") if reading.facts else names


def encode_readings(readings: Sequence[Reading]) -> str:
    """Write readings for the metadata of an ONNX file."""
    return msgspec.json.encode(list(readings)).decode()


def decode_readings(text: str) -> tuple[Reading, ...]:
    """Read readings from the metadata of an ONNX file, which may come from anybody.

    Raises:
        IntegrityError: these are no readings, or they ask for another rule or for more than is allowed.
    """
    try:
        found = msgspec.json.decode(text, type=tuple[Reading, ...])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _refuse(f"they are not readable ({str(error)[:200]})") from None
    for reading in found:
        if reading.rule != RULE:
            raise _refuse(f"they name rule {reading.rule}, this version of Palio knows rule {RULE}")
        for low, high in (reading.words, reading.pieces):
            if not 0 <= low <= high <= MAX_N or (low == 0) != (high == 0):
                raise _refuse(f"they count {low} to {high} in a row, at most {MAX_N} are allowed")
        if not 0 < reading.most_characters <= MAX_CHARACTERS:
            raise _refuse(f"they read {reading.most_characters} characters of a text")
        if len(reading.word_entries) + len(reading.piece_entries) != reading.n_entries:
            raise _refuse("entries are missing")
    return found


def _refuse(why: str) -> IntegrityError:
    return IntegrityError(
        f"model: its readings of texts cannot be used: {why}", hint="open it with the version of Palio that made it"
    )
