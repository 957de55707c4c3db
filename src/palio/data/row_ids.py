"""Find the rows whose id another row has: in streams, at eight bytes a row, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from palio.core.records import Violation
from palio.data.mixing import bits_of, mix

MAX_SUSPECTS = 100_000
"""Repeated texts that are looked up in the stored rows; beyond, equal hashes count as equal ids."""


class RowIds:
    """The ids of all rows so far, as sorted runs of 64-bit hashes, each run longer than the next.

    Numbers and moments are hashed one to one. Two texts may share a hash (once in 100,000 tables of 20 million rows):
    what looks repeated is looked up in the stored rows by `is_exact`, and if it is not there, all is read again under
    another seed.

    Example:
        >>> ids = RowIds("key")
        >>> ids.repeated(pl.Series(["a", "b", "a", None])).to_list()
        [False, False, True, False]
        >>> ids.repeated(pl.Series(["b", "c"])).to_list()
        [True, False]
        >>> ids.holds(pl.Series(["c", "d", None])).tolist()
        [True, False, False]
    """

    def __init__(self, column: str, *, seed: int = 0) -> None:
        self.column = column
        self._seed = seed
        self._runs: list[np.ndarray[Any, Any]] = []
        self._suspects: set[str] = set()

    def repeated(self, ids: pl.Series) -> pl.Series:
        """Take in the ids of more rows; tell which of these rows have one that was there before. None is no id."""
        present = ids.is_not_null().to_numpy()
        hashes = self._hashes(ids.drop_nulls())
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        again = np.zeros(len(ordered), bool)
        again[1:] = ordered[1:] == ordered[:-1]
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, ordered), len(run) - 1)
            again |= run[places] == ordered
        self._keep(ordered[~again])
        found = np.zeros(len(ids), bool)
        among = np.zeros(len(ordered), bool)
        among[order] = again
        found[present] = among
        mask = pl.Series(found)
        if again.any() and ids.dtype == pl.String and len(self._suspects) < MAX_SUSPECTS:
            self._suspects.update(ids.filter(mask).unique().head(MAX_SUSPECTS).to_list())
        return mask

    def holds(self, ids: pl.Series) -> np.ndarray[Any, Any]:
        """Tell which of these ids were taken in before, and take none in. None is no id.

        Two different texts count as one id where their hashes are equal: of ten million, two meet by chance once in
        300,000 times.
        """
        present = ids.is_not_null().to_numpy()
        hashes = self._hashes(ids.drop_nulls())
        among = np.zeros(len(hashes), bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            among |= run[places] == hashes
        found = np.zeros(len(ids), bool)
        found[present] = among
        return found

    def is_exact(self, stored: Iterable[pl.Series], *, n_times: int) -> bool:
        """Tell whether what looked repeated is: whether each such text is in the stored rows at least `n_times`."""
        if not self._suspects:
            return True
        seen: Counter[str] = Counter()
        wanted = pl.Series(sorted(self._suspects))
        for ids in stored:
            for value, n in ids.filter(ids.is_in(wanted.implode())).value_counts().iter_rows():
                seen[value] += n
        return all(seen[text] >= n_times for text in self._suspects)

    def _hashes(self, ids: pl.Series) -> np.ndarray[Any, Any]:
        if ids.dtype == pl.String:
            return ids.hash(seed=self._seed).to_numpy()
        numbers = ids.to_physical().to_numpy()
        return mix(bits_of(numbers + 0.0 if numbers.dtype == np.float64 else numbers))  # -0.0 is 0.0

    def _keep(self, fresh: np.ndarray[Any, Any]) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(fresh):
            fresh = np.concatenate([self._runs.pop(), fresh])
            fresh.sort(kind="stable")  # merges two sorted runs in one go
        if len(fresh):
            self._runs.append(fresh)


def repeats(ids: pl.Series, mask: pl.Series, column: str, *, first_row: int, rejects: bool) -> Violation:
    """Describe the rows of a batch whose id is not theirs alone."""
    examples = [str(value)[:80] for value in ids.filter(mask).head(200).unique(maintain_order=True).head(5)]
    examples[0] += f" (row {mask.arg_true()[0] + first_row + 1:,})"
    action: Any = "reject" if rejects else "flag"
    return Violation(column=column, rule="id", n_rows=int(mask.sum()), examples=tuple(examples), action=action)
