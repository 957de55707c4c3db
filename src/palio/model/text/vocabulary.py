"""Learn which words and pieces of words of a column count, and count them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import WordReading
from palio.model.reading.tokens import folded, pieces_of, runs_of, words_of
from palio.model.reading.words import WordReader

Array = npt.NDArray[Any]

MIN_COUNT = 2
"""Texts that hold an entry at least: what stands in one text alone says nothing of another."""
MOST_WORDS, MOST_PIECES = 50_000, 60_000
"""Entries of each kind, those that stand in most texts first: 1.5 MB, and 4 bytes more for each number they weigh."""
_TEXTS_AT_ONCE = 8192


def learn_reading(
    tensor: str,
    texts: Sequence[str],
    *,
    words: tuple[int, int] = (1, 2),
    pieces: tuple[int, int] = (2, 5),
    facts: bool = False,
    min_count: int = MIN_COUNT,
    most_words: int = MOST_WORDS,
    most_pieces: int = MOST_PIECES,
) -> tuple[WordReading, Any]:
    """Learn from `texts` which entries count, and count them.

    Args:
        tensor: Input that carries the column.
        texts: Shape (n_rows,); the empty one is missing.
        words: Fewest and most words in a row; (0, 0) for none.
        pieces: Fewest and most characters of a piece; (0, 0) for none.
        facts: Whether length, capitals, digits and signs are to be read, too.
        min_count: Texts that an entry stands in at least.
        most_words: Entries of words at most.
        most_pieces: Entries of pieces at most.

    Returns:
        The reading, and counts: a sparse matrix (n_rows, n_entries), float64. They are those that a `Reader` finds.

    Example:
        >>> reading, counts = learn_reading("note", ["win now", "win it"], pieces=(0, 0))
        >>> reading.word_entries, counts.toarray().tolist()
        (('win',), [[1.0], [1.0]])
    """
    from scipy import sparse

    most_characters = WordReading(input=tensor).most_characters
    found = [runs_of(folded(text[:most_characters])) for text in texts]
    word_entries, counts = [], []
    if words[1]:
        entries, block = _count_words([words_of(runs) for runs in found], words, min_count, most_words)
        word_entries, counts = entries, [block]
    piece_entries: list[str] = []
    if pieces[1]:
        piece_entries, block = _count_pieces(found, pieces, min_count, most_pieces)
        counts.append(block)
    reading = WordReading(
        input=tensor,
        words=words,
        pieces=pieces,
        facts=facts,
        word_entries=tuple(word_entries),
        piece_entries=tuple(piece_entries),
        n_entries=len(word_entries) + len(piece_entries),
    )
    return reading, sparse.hstack(counts, format="csr") if counts else sparse.csr_matrix((len(texts), 0))


def count_entries(reading: WordReading, texts: Sequence[str]) -> Any:
    """Count the entries of other texts, as a server does: a sparse matrix (n_rows, n_entries), float64."""
    from scipy import sparse

    reader = WordReader(reading)
    rows = [reader.row(text) for text in texts]
    ends = np.cumsum([0, *(len(ids) for ids, _, _ in rows)])
    ids = np.concatenate([np.empty(0, np.int64), *(ids for ids, _, _ in rows)])
    counts = np.concatenate([np.empty(0), *(counts for _, counts, _ in rows)])
    found = sparse.csr_matrix((counts, ids, ends), shape=(len(rows), reading.n_entries))
    found.sort_indices()
    return found


def _coded(found: Sequence[Sequence[str]]) -> tuple[list[str], Array, Array]:
    """Give each different token a number; return the tokens, the number of each place, and the row of each place."""
    numbers: dict[str, int] = {}
    flat = np.fromiter(
        (numbers.setdefault(token, len(numbers)) for token in chain.from_iterable(found)),
        np.int64,
        sum(map(len, found)),
    )
    return list(numbers), flat, np.repeat(np.arange(len(found)), [len(tokens) for tokens in found])


def _count_words(
    found: Sequence[Sequence[str]], sizes: tuple[int, int], min_count: int, most: int
) -> tuple[list[str], Any]:
    tokens, flat, rows = _coded(found)
    low, high = sizes
    names: list[list[str]] = [[token] for token in tokens]
    here, codes = np.arange(len(flat)), flat
    entries: list[str] = []
    kept_rows, kept_columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    ranks: list[Array] = []
    for n in range(1, high + 1):
        if n > 1:
            follows = (here + n - 1 < len(flat)) & (rows[np.minimum(here + n - 1, len(flat) - 1)] == rows[here])
            here, codes = here[follows], codes[follows]
            pairs, codes = np.unique(codes * len(tokens) + flat[here + n - 1], return_inverse=True)
            names = [[*names[pair // len(tokens)], tokens[pair % len(tokens)]] for pair in pairs.tolist()]
        if n < low or not len(codes):
            continue
        of_entry = np.bincount(np.unique(codes * len(found) + rows[here]) // len(found), minlength=len(names))
        place = np.full(len(names), -1)
        common = np.flatnonzero(of_entry >= min_count)
        place[common] = len(entries) + np.arange(len(common))
        entries += [" ".join(names[number]) for number in common.tolist()]
        ranks.append(of_entry[common])
        is_kept = place[codes] >= 0
        kept_rows.append(rows[here][is_kept])
        kept_columns.append(place[codes][is_kept])
    counts = _matrix(np.concatenate(kept_rows), np.concatenate(kept_columns), (len(found), len(entries)))
    return _most_frequent(entries, counts, np.concatenate([np.empty(0), *ranks]), most)


def _count_pieces(
    found: Sequence[Sequence[str]], sizes: tuple[int, int], min_count: int, most: int
) -> tuple[list[str], Any]:
    """Count pieces by way of the runs that hold them: a run is cut once, however many texts hold it."""
    runs, flat, rows = _coded(found)
    in_text = _matrix(rows, flat, (len(found), len(runs)))
    pieces, of_run, run_of = _coded([pieces_of(run, *sizes) for run in runs])
    in_run = _matrix(run_of, of_run, (len(runs), len(pieces)))
    n_texts = np.zeros(len(pieces), np.int64)
    for start in range(0, len(found), _TEXTS_AT_ONCE):
        n_texts += np.bincount((in_text[start : start + _TEXTS_AT_ONCE] @ in_run).indices, minlength=len(pieces))
    common = np.flatnonzero(n_texts >= min_count)
    common = np.sort(common[np.argsort(-n_texts[common], kind="stable")[:most]])
    counts = (in_text @ in_run[:, common]).tocsr()
    counts.sort_indices()
    return [pieces[number] for number in common.tolist()], counts


def _matrix(rows: Array, columns: Array, shape: tuple[int, int]) -> Any:
    from scipy import sparse

    return sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()


def _most_frequent(entries: list[str], counts: Any, n_texts: Array, most: int) -> tuple[list[str], Any]:
    if len(entries) <= most:
        return entries, counts
    kept = np.sort(np.argsort(-n_texts, kind="stable")[:most])
    return [entries[number] for number in kept.tolist()], counts[:, kept]
