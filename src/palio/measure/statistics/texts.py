"""Describe texts by numbers that hold for every language: length, characters by kind, and words never seen before.

Characters are sorted by their Unicode category. A token is a run of letters, marks, digits and `_`; in scripts that
put no space between words (Chinese, Japanese, Thai, …) each character is one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.long_texts import length_of
from palio.core.scripts import SPACELESS

Array = npt.NDArray[Any]

NAMES = ("length", "n_tokens", "digits", "uppercase", "punctuation", "unseen_tokens")
N_BLOCKS = 64
"""Blocks of texts that a vocabulary can be learned from."""
MAX_VOCABULARY = 65_536
"""Hashes of tokens that are kept, the most frequent first: 256 kB."""
_KNOWN, _WORD, _ALONE, _DIGIT, _UPPER, _SIGN = 1, 2, 4, 8, 16, 32
_CHARACTERS_AT_ONCE = 1 << 19
_MOST_CHARACTERS = 1 << 20
"""Of one text that are looked at: each takes some 60 bytes meanwhile."""
_LONGEST = 1_024
"""Characters of a token by which it is told from others; those behind count, but not their order."""
_kinds = np.zeros(0x110000, np.uint8)
_lower = np.zeros(0x110000, np.uint32)


def learn(values: Array) -> tuple[dict[str, Array], dict[str, bytes]]:
    """Compute the statistics of texts that a model learns from, and keep their vocabulary."""
    where = np.arange(len(values)) * N_BLOCKS // max(1, len(values))
    vocabulary, unseen = learn_vocabulary(values, where)
    found = text_statistics(values, np.frombuffer(vocabulary, "<u4")) | {"unseen_tokens": unseen}
    return found, {"unseen_tokens": vocabulary}


def compute(values: Array, kept: Mapping[str, bytes]) -> dict[str, Array]:
    """Compute the statistics of later texts, with the vocabulary of those that were learned from."""
    return text_statistics(values, np.frombuffer(kept.get("unseen_tokens", b""), "<u4"))


def as_texts(values: Array) -> Array:
    """Turn values into texts, as objects: each takes what it is long, where `astype(str)` pads all to the longest.

    Example:
        >>> np.unique(as_texts(np.array(["b", 1, None, "b"], object))).tolist()
        ['1', 'None', 'b']
    """
    cells = np.asarray(values)
    found = np.empty(cells.size, object)
    found[:] = [cell if type(cell) is str else str(cell) for cell in cells.ravel().tolist()]
    return found.reshape(cells.shape)


def text_statistics(texts: Array, vocabulary: Array) -> dict[str, Array]:
    """Compute all statistics of texts.

    Args:
        texts: Shape (n_rows,), texts; the empty one is missing.
        vocabulary: Sorted 32-bit hashes of the tokens that are known.

    Returns:
        Name of the statistic → shape (n_rows,) float64, NaN where the text is missing. `digits`, `uppercase` and
        `punctuation` are shares of the characters, `unseen_tokens` of the tokens (NaN if there are none). Of a text of
        more than a million characters, or of one that the log has cut, they tell of its beginning, but `length` of all
        of it.

    Example:
        >>> found = text_statistics(np.array(["Good day, 12!"], object), np.empty(0, "<u4"))
        >>> found["length"], found["n_tokens"], found["unseen_tokens"]
        (array([13.]), array([3.]), array([1.]))
    """
    pieces = [_describe(some) for some in _by_characters(texts.tolist())]
    found = {name: np.concatenate([np.empty(0), *(p[name] for p, _, _ in pieces)]) for name in NAMES[:5]}
    unseen = [
        share_of_rows(~is_known(hashes, vocabulary), rows, len(described["length"]))
        for described, hashes, rows in pieces
    ]
    found["unseen_tokens"] = np.concatenate([np.empty(0), *unseen])
    return found


def tokens(texts: Array) -> tuple[Array, Array]:
    """Find the tokens of texts.

    Returns:
        Shape (n_tokens,): a 32-bit hash of each, whatever its case; and the row that it stands in.
    """
    hashes, rows, n_before = [np.empty(0, np.uint32)], [np.empty(0, np.int64)], 0
    for described, some, where in map(_describe, _by_characters(texts.tolist())):
        hashes.append(some)
        rows.append(where + n_before)
        n_before += len(described["length"])
    return np.concatenate(hashes), np.concatenate(rows)


def learn_vocabulary(texts: Array, blocks: Array) -> tuple[bytes, Array]:
    """Learn which tokens are known, and how large the share of unknown ones is among rows that were not learned from.

    The share of a row counts a token as known if it stands in another block, too: on the rows that a vocabulary was
    made of nothing would ever be new, and every later text would look odd.

    Args:
        texts: Shape (n_rows,).
        blocks: Shape (n_rows,), from 0 to 63; the more, the nearer to rows that are really new.

    Returns:
        The vocabulary, sorted, four bytes a hash, little endian; and the share per row.
    """
    hashes, rows = tokens(texts)
    bits = np.uint64(1) << blocks[rows].astype(np.uint64)
    found, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    masks = np.zeros(len(found), np.uint64)
    np.bitwise_or.at(masks, inverse, bits)
    kept = np.zeros(len(found), bool)
    kept[np.argsort(-counts, kind="stable")[:MAX_VOCABULARY]] = True
    is_new = ~kept[inverse] | (masks[inverse] == bits)
    return found[kept].astype("<u4").tobytes(), share_of_rows(is_new, rows, len(texts))


def is_known(hashes: Array, vocabulary: Array) -> Array:
    """Tell of each hash whether it stands in a sorted vocabulary."""
    if not len(vocabulary):
        return np.zeros(len(hashes), bool)
    place = np.minimum(np.searchsorted(vocabulary, hashes), len(vocabulary) - 1)
    known: Array = vocabulary[place] == hashes
    return known


def share_of_rows(is_hit: Array, rows: Array, n_rows: int) -> Array:
    """Return the share of hits in each row; NaN in a row that has none to count."""
    total = np.bincount(rows, minlength=n_rows)
    hits = np.bincount(rows, is_hit, n_rows)
    share: Array = np.divide(hits, total, out=np.full(n_rows, np.nan), where=total > 0)
    return share


def _describe(texts: Sequence[str]) -> tuple[dict[str, Array], Array, Array]:
    """Return the first five statistics, and the hash and row of each token."""
    n_rows = len(texts)
    whole = np.fromiter(map(len, texts), np.float64, n_rows)
    length = np.minimum(whole, _MOST_CHARACTERS).astype(np.int64)
    start = np.cumsum(length) - length
    codes = np.frombuffer(
        "".join(text[:_MOST_CHARACTERS] for text in texts).encode("utf-32-le", "surrogatepass"), "<u4"
    )
    kinds = _kinds_of(codes)
    held = np.flatnonzero(length)

    def share(kind: int) -> Array:
        found = np.full(n_rows, np.nan)
        if len(held):
            found[held] = np.add.reduceat((kinds & kind) != 0, start[held], dtype=np.int64) / length[held]
        return found

    hashes, begins = _hashes(codes, kinds, start[held])
    rows = np.searchsorted(start, begins, side="right") - 1
    known = np.where(length > 0, 1.0, np.nan)
    described = {
        "length": np.fromiter(map(length_of, texts), np.float64, n_rows) * known,
        "n_tokens": np.bincount(rows, minlength=n_rows) * known,
        "digits": share(_DIGIT),
        "uppercase": share(_UPPER),
        "punctuation": share(_SIGN),
    }
    return described, hashes, rows


def _hashes(codes: Array, kinds: Array, starts: Array) -> tuple[Array, Array]:
    """Return the hash of each token and where it begins.

    Source: polynomial hashing (Karp and Rabin 1987) over mixed characters, finished as SplitMix64 (Steele et al. 2014).
    """
    is_word, is_alone = (kinds & _WORD) != 0, (kinds & _ALONE) != 0
    goes_on = np.zeros(len(codes), bool)
    goes_on[1:] = is_word[:-1] & ~is_alone[:-1] & ~is_alone[1:]
    goes_on[starts] = False
    is_begin = is_word & ~goes_on
    inside = np.flatnonzero(is_word)
    if not len(inside):
        return np.empty(0, np.uint32), np.empty(0, np.int64)
    begins = np.flatnonzero(is_begin)
    first = np.flatnonzero(is_begin[inside])
    place = np.arange(len(inside)) - np.repeat(first, np.diff(first, append=len(inside)))
    mixed = _mix(_lower[codes[inside]].astype(np.uint64)) * _POWERS[np.minimum(place, _LONGEST - 1)]
    return (_mix(np.add.reduceat(mixed, first)) >> np.uint64(32)).astype(np.uint32), begins


def _mix(values: Array) -> Array:
    values = (values + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(29)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(32)
    return values


_POWERS = np.cumprod(np.full(_LONGEST, 0xD1342543DE82EF95, np.uint64))


def _kinds_of(codes: Array) -> Array:
    """Look the kinds of characters up, those met for the first time in the tables of Unicode."""
    kinds = _kinds[codes]
    new = codes[kinds == 0]
    if not len(new):
        return kinds
    for code in np.unique(new).tolist():
        character = chr(code)
        category = unicodedata.category(character)
        lower = character.lower()
        _lower[code] = ord(lower) if len(lower) == 1 else code
        kind = _KNOWN
        if category[0] in "LMN" or character == "_":
            kind |= _WORD
        if any(low <= code <= high for low, high in SPACELESS):
            kind |= _ALONE
        kind |= {"N": _DIGIT, "P": _SIGN, "S": _SIGN}.get(category[0], 0)
        kind |= _UPPER if category in ("Lu", "Lt") else 0
        _kinds[code] = kind
    return _kinds[codes]


def _by_characters(texts: list[str]) -> Iterator[list[str]]:
    """Cut texts into runs of about half a million characters."""
    run: list[str] = []
    n_characters = 0
    for text in texts:
        run.append(text)
        n_characters += len(text)
        if n_characters >= _CHARACTERS_AT_ONCE:
            yield run
            run, n_characters = [], 0
    if run:
        yield run
