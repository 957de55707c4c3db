"""Tell copies of a row from rows that happen to be alike, so that a row that is asked about again counts once.

Rows are scored anew every hour, requests are tried again, probes ask the same thing all day: a test that takes copies
for rows is surer than it may be. In some tables rows are alike by nature, though; there equal rows are rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
MOST_KNOWN = 200_000
"""Different rows of a window that are remembered, 16 bytes each; later ones are taken for rows of their own."""
_NATURAL = 0.1
"""Copies a row that chance may make before equal rows are no longer taken for copies."""
_COMMON = 3
"""A row that stands so often in the reference is alike by nature."""
_TELLING = 0.1
"""Of the power to tell rows apart that all cells have, what the cells that are not missing must keep: two rows without
what makes them different are no copies of each other."""
_SAMPLED = 1_000
"""Rows of the reference that show what tells rows apart."""
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))
_MISSING = np.uint64(0x7FF8000000000000)


def fingerprints(rows: Mapping[str, Array], names: Sequence[str]) -> tuple[Array, Array]:
    """Return a 64-bit hash of the cells of each row, shape (n_rows,), and which cells there are, (n_rows, n_names).

    Hashes hold within this process only.
    """
    found = [_bits(rows[name]) for name in names]
    return _mixed([cells for cells, _ in found]), np.stack([known for _, known in found], axis=1)


def _mixed(columns: Sequence[Array]) -> Array:
    total = np.zeros(len(columns[0]), np.uint64)
    for cells in columns:
        total = (total ^ cells) * _FACTORS[0]
        total ^= total >> np.uint64(29)
        total *= _FACTORS[1]
        total ^= total >> np.uint64(32)
    return total


def _bits(values: Array) -> tuple[Array, Array]:
    if values.dtype.kind in "biuf":
        numbers = np.asarray(values, np.float64) + 0.0  # one zero
        known = ~np.isnan(numbers)
        return np.where(known, np.ascontiguousarray(numbers).view(np.uint64), _MISSING), known
    texts = ["" if one is None else str(one) for one in values.tolist()]
    known = np.fromiter(map(bool, texts), bool, len(texts))
    return np.fromiter(map(hash, texts), np.int64, len(texts)).view(np.uint64), known


class Marks(NamedTuple):
    """What tells rows apart."""

    mark: Array
    """A hash of the inputs."""
    known: Array
    """Whether there are any inputs; rows whose inputs were not kept are rows of their own."""
    common: Array
    """Whether such rows are alike by nature."""

    def take(self, rows: Array) -> Marks:
        """Choose rows."""
        return Marks(self.mark[rows], self.known[rows], self.common[rows])

    def and_besides(self, hashes: Array) -> Marks:
        """Tell rows apart by something else, too, such as their truth."""
        return self._replace(mark=(self.mark ^ hashes.view(np.uint64)) * _FACTORS[0])


class Nature:
    """Which rows of a table are alike by nature, as its reference tells.

    Args:
        rows: Of the reference, `input.<column>`.
        columns: Inputs that tell rows apart, as the log keeps them.
    """

    def __init__(self, rows: Mapping[str, Array], columns: Sequence[str]) -> None:
        self.names = tuple(name for name in dict.fromkeys(columns) if name in rows and rows[name].ndim == 1)
        self.common, self.most = np.empty(0, np.uint64), 0
        if not self.names:
            return
        marks, _ = fingerprints(rows, self.names)
        some = np.unique(np.linspace(0, len(marks) - 1, min(len(marks), _SAMPLED)).astype(np.int64))
        self._sample = [_bits(rows[name][some])[0] for name in self.names]
        self._tell: dict[bytes, bool] = {}
        different, counts = np.unique(marks, return_counts=True)
        self.common = different[counts >= _COMMON]
        n_rows, n_pairs = len(marks), int((counts == _COMMON - 1).sum())
        alike = 2 * (n_pairs + 1) / max(n_rows * (n_rows - 1), 1)  # chance that two rows that are not common are alike
        self.most = min(MOST_KNOWN, int(_NATURAL / alike))

    def marks(self, rows: Mapping[str, Array], n_rows: int) -> Marks:
        """Mark rows, columns as in the log."""
        if not self.names or any(name not in rows for name in self.names):
            return Marks(np.zeros(n_rows, np.uint64), np.zeros(n_rows, bool), np.zeros(n_rows, bool))
        mark, cells = fingerprints(rows, self.names)
        known = np.ones(n_rows, bool)
        for row in np.flatnonzero(~cells.all(axis=1)):
            known[row] = self._tells(cells[row])
        return Marks(mark, known, known & np.isin(mark, self.common) if len(self.common) else np.zeros(n_rows, bool))

    def _tells(self, there: Array) -> bool:
        """Tell whether the cells that are there, shape (n_names,), tell rows of the reference apart as all do."""
        key = there.tobytes()
        if key not in self._tell:
            held = [cells for cells, one in zip(self._sample, there, strict=True) if one]
            self._tell[key] = bool(held) and _TELLING * _n_alike(held) <= _n_alike(self._sample)
        return self._tell[key]

    def watch(self) -> Copies:
        """Begin to look for copies in a window."""
        return Copies(self)


def _n_alike(columns: Sequence[Array]) -> int:
    """Count the pairs of rows that are alike, and one more."""
    counts = np.unique(_mixed(columns), return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum()) + 1


class Copies:
    """The rows of a window that were seen before; grows batch by batch up to `MOST_KNOWN` rows.

    Example:
        >>> chance = np.random.default_rng(0)
        >>> nature = Nature({"input.x": chance.normal(size=900)}, ["input.x"])
        >>> copies = nature.watch()
        >>> copies.fresh(nature.marks({"input.x": np.array([1.5, 2.5, 1.5])}, 3)).tolist()
        [True, True, False]
        >>> copies.fresh(nature.marks({"input.x": np.array([2.5, 3.5])}, 2)).tolist()
        [False, True]
    """

    def __init__(self, nature: Nature) -> None:
        self._most = nature.most
        self._known, self._times = np.empty(0, np.uint64), np.empty(0, np.int64)
        self._n_common = self._n_common_kept = 0

    def fresh(self, marks: Marks) -> Array:
        """Say which of the next rows are no copies of earlier ones.

        Of rows that are alike by nature every so manieth is kept as the others were copied, so that the mixture stays.
        """
        if len(self._known) > self._most:
            return np.ones(len(marks.mark), bool)
        fresh = ~marks.known
        own = np.flatnonzero(marks.known & ~marks.common)
        if len(own):
            different, first, counts = np.unique(marks.mark[own], return_index=True, return_counts=True)
            place = np.searchsorted(self._known, different)
            at = np.minimum(place, max(len(self._known) - 1, 0))
            old = self._known[at] == different if len(self._known) else np.zeros(len(different), bool)
            self._times[at[old]] += counts[old]
            fresh[own[first[~old]]] = True
            self._known = np.insert(self._known, place[~old], different[~old])
            self._times = np.insert(self._times, place[~old], counts[~old])
        return fresh | self._of_common(marks.common)

    def _of_common(self, common: Array) -> Array:
        rows = np.flatnonzero(common)
        times = max(1.0, float(np.median(self._times))) if len(self._times) else 1.0
        self._n_common += len(rows)
        n_more = min(len(rows), max(0, int(self._n_common / times) - self._n_common_kept))
        self._n_common_kept += n_more
        kept = np.zeros(len(common), bool)
        kept[rows[np.linspace(0, len(rows) - 1, n_more).astype(int)] if n_more else rows[:0]] = True
        return kept
