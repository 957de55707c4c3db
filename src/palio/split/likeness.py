"""Keep texts together that nearly are the same: sent again, quoted, with another number, mended in a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio import data, measure
from palio.core.records import Parts, Schema, Snapshot
from palio.core.seeds import derive
from palio.core.words import counted
from palio.data import mix
from palio.split.strata import ASIDE

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Store

FEWEST_WORDS = 8
"""Of a text that is compared: shorter ones resemble each other by chance."""
MOST_CHARACTERS = 4_000
"""Of each text that are compared, from its beginning."""
MOST_TEXTS = 200_000
"""Rows in which texts are compared; a hundred thousand short ones take 3 s."""
LARGEST, FEW = 0.05, 20
"""Share of the rows that may nearly be one text, and how many always may: more are written by a template."""
N_SIGNS, IN_BAND = 24, 3
"""Least hashes of pairs of words that stand for a text, and how many of them in a row bring two texts together: of two
texts that share 80 of 100 pairs 99.7 % are compared, of two that share 30, 20 %."""
LEAST_SHARED = 16
"""Of the signs, that two texts nearly the same have in common: two thirds of their pairs of words, about."""
_HELD = 8
"""Texts of a band that later ones are compared with."""
_DIGITS = re.compile(r"\d+")

Signs = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]


def signs_of(texts: Iterable[str]) -> tuple[Signs, npt.NDArray[np.bool_]]:
    """Return the signs of texts, shape (n, N_SIGNS), and which are long enough to be compared.

    Texts that share a share of their pairs of words share that share of their signs, on average. Case, signs, blanks
    and the digits of numbers do not count.

    Source: Broder 1997, "On the resemblance and containment of documents", Compression and Complexity of Sequences.
    """
    cells = np.array([_DIGITS.sub("0", text[:MOST_CHARACTERS]) for text in texts], object)
    if not len(cells):
        return np.zeros((0, N_SIGNS), np.uint32), np.zeros(0, bool)
    words, rows = measure.tokens(cells)
    n_words = np.bincount(rows, minlength=len(cells))
    follows = np.flatnonzero(rows[1:] == rows[:-1])
    pairs = mix(words[:-1][follows].astype(np.uint64) << np.uint64(32) | words[1:][follows].astype(np.uint64))
    signs = np.zeros((len(cells), N_SIGNS), np.uint32)
    there = n_words >= 2
    starts = np.searchsorted(rows[:-1][follows], np.flatnonzero(there))
    for number in range(N_SIGNS):
        salted = mix(pairs ^ np.uint64(derive(0, "signs", number)))
        if len(starts):
            signs[there, number] = np.minimum.reduceat(salted, starts) >> np.uint64(32)
    return signs, n_words >= FEWEST_WORDS


def first_alike(signs: Signs, there: npt.NDArray[np.bool_]) -> Rows:
    """Return for each text the first one that it nearly is, or its own place.

    Later texts change nothing for earlier ones: each joins the earliest that stands for itself and is near enough.
    """
    first = np.arange(len(signs))
    bands: list[dict[Any, list[int]]] = [{} for _ in range(N_SIGNS // IN_BAND)]
    for row in np.flatnonzero(there).tolist():
        own = signs[row]
        keys = [own[start : start + IN_BAND].tobytes() for start in range(0, N_SIGNS, IN_BAND)]
        near = sorted({place for band, key in zip(bands, keys, strict=True) for place in band.get(key, ())})
        leader = next((place for place in near if int((signs[place] == own).sum()) >= LEAST_SHARED), None)
        if leader is not None:
            first[row] = leader
            continue
        for band, key in zip(bands, keys, strict=True):
            held = band.setdefault(key, [])
            if len(held) < _HELD:
                held.append(row)
    return first


def first_of(store: Store, snapshot: Snapshot, previous: Parts | None, warnings: list[str]) -> Rows | None:
    """Return for each row of a snapshot the first one whose text it nearly repeats, or itself; say what was found.

    None if there are no texts or no copies among them, if there are more than are compared, if many are written by one
    template, or if an earlier cut, which rows are to keep, has parted copies.
    """
    columns = _columns(snapshot.schema, [column.name for column in snapshot.schema.columns])
    if not columns:
        return None
    if snapshot.n_rows > MOST_TEXTS:
        warnings.append(f"texts were not compared for near copies: there are more than {MOST_TEXTS:,} rows")
        return None
    found = [_signs(frame) for frame in data.frames(store, snapshot, columns=columns)]
    first = first_alike(np.concatenate([one for one, _ in found]), np.concatenate([there for _, there in found]))
    copies = np.flatnonzero(first != np.arange(first.size))
    if not copies.size:
        return None
    if not _tells(first):
        warnings.append(
            f"{np.bincount(first).max():,} texts are nearly the same, as if written by a template: taken for "
            "coincidence, not for copies; if they tell of one case, name a [data] group"
        )
        return None
    if previous is not None:
        before = np.frombuffer(store.blobs.get(previous.assignment), np.uint8)
        known = copies[copies < before.size]
        known = known[(before[known] != ASIDE) & (before[first[known]] != ASIDE)]
        if (before[known] != before[first[known]]).any():
            warnings.append("texts that nearly are the same stay where an earlier cut put them; another seed cuts anew")
            return None
    return first


def told(first: Rows) -> str:
    """Say how many texts are kept together with an earlier one."""
    n = int((first != np.arange(first.size)).sum())
    repeats = "text nearly repeats" if n == 1 else "texts nearly repeat"
    return f"{n:,} {repeats} an earlier one, but for case, numbers or a few words: kept together"


def parted(n_rows: int) -> list[str]:
    """Say how many rows were set aside because another part holds nearly the same text."""
    if not n_rows:
        return []
    repeats, were = ("repeats", "was") if n_rows == 1 else ("repeat", "were")
    return [f"{counted(n_rows, 'row')} nearly {repeats} a text of another part and {were} set aside"]


def in_frame(frame: pl.DataFrame, schema: Schema) -> Rows | None:
    """Do the same as `first_of` for the rows of a frame, silently."""
    columns = _columns(schema, frame.columns)
    if not columns or frame.height > MOST_TEXTS:
        return None
    first = first_alike(*_signs(frame.select(columns)))
    return first if _tells(first) and (first != np.arange(first.size)).any() else None


def _columns(schema: Schema, held: Sequence[str]) -> list[str]:
    names = (c.name for c in schema.features if c.type == "text" and c.name != schema.target)
    return [name for name in names if name in held]


def _signs(frame: pl.DataFrame) -> tuple[Signs, npt.NDArray[np.bool_]]:
    columns = [frame.get_column(name).cast(str).fill_null("").to_list() for name in frame.columns]
    return signs_of(" ".join(cells) for cells in zip(*columns, strict=True))


def _tells(first: Rows) -> bool:
    return int(np.bincount(first).max(initial=0)) <= max(FEW, LARGEST * first.size)
