"""Spread groups over the parts, so that each part holds each class where there are groups enough.

A group is cut with the rarest of the classes that it holds. Rarest first, each class takes for its stratum the groups
that no rarer one has; its points are laid so that no part lacks it, and that the rows of all strata so far have the
shares of the policy. Where classes share groups in such a way that one is left out nevertheless, the hashes are drawn
again. The number of the draw and the points of each stratum are kept, so that rows keep their part when the data grows.

Source: the order of the classes is that of Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label
data", ECML PKDD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import Parts, Stratum, Task
from palio.split.hashing import Hashes, uniform
from palio.split.strata import (
    ASIDE,
    TEST,
    TRAIN,
    VALIDATION,
    Assignment,
    Codes,
    Floats,
    codes_of,
    place,
    point_between,
)

MAX_DRAWS = 64
_DRAWN_GROUPS = 2_000_000
"""Groups times draws at most: with very many groups the first draw leaves no class out."""
ALL = "all"
"""The one stratum of a grouped cut by an earlier version."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """The distinct groups among rows, and what each holds; arrays of shape (n_groups,) unless stated."""

    keys: Hashes
    """Ascending."""
    of_row: Counts
    """Group of each row, shape (n_rows,)."""
    n_rows: Counts
    pairs: Counts
    """Each class that a group holds, as group and class, shape (n_pairs, 2); without rows for regression."""
    means: Floats
    """Of the target; without rows for classification."""


@dataclass(frozen=True)
class Spread:
    """How groups were cut."""

    strata: tuple[Stratum, ...]
    draw: int
    parts: Assignment
    """Of each row, shape (n_rows,)."""


def groups_of(keys: Hashes, target: npt.NDArray[Any], task: Task, *, held: Counts | None = None) -> Groups:
    """Find the groups of rows; arguments of shape (n_rows,). What is unlabelled counts for its group alone.

    Where a row holds several classes, `held` are its pairs of row and class, shape (n_pairs, 2).
    """
    distinct, of_row, n_rows = np.unique(keys, return_inverse=True, return_counts=True)
    if not task.classes:
        known = np.where(np.isnan(target), 0.0, target)
        means = np.bincount(of_row, weights=known, minlength=distinct.size) / n_rows
        return Groups(distinct, of_row, n_rows, np.empty((0, 2), np.int64), means)
    n_classes, labelled = len(task.classes), target >= 0
    rows, classes = (np.flatnonzero(labelled), target[labelled]) if held is None else (held[:, 0], held[:, 1])
    pairs = np.unique(of_row[rows] * n_classes + classes)
    pairs = np.stack([pairs // n_classes, pairs % n_classes], axis=1)
    return Groups(distinct, of_row, n_rows, pairs, np.empty(0))


def n_groups_a_class(groups: Groups, task: Task) -> Counts:
    """Count the groups that hold each class, shape (n_classes,)."""
    return np.bincount(groups.pairs[:, 1], minlength=len(task.classes))


def spread(
    groups: Groups,
    task: Task,
    *,
    shares: tuple[float, float],
    seed: int,
    previous: Parts | None = None,
    known: Assignment | None = None,
) -> Spread:
    """Cut groups into parts.

    Args:
        groups: All of them.
        task: What is to be predicted.
        shares: Nominal points (end of train, end of validation).
        seed: Another seed is another cut.
        previous: An earlier cut, whose points stay.
        known: Part of each group in the earlier cut, 255 for one that it had not.
    """
    codes, keys, uppers = _strata(groups, task, previous)
    points = {stratum.key: stratum for stratum in previous.strata} if previous else {}
    n_draws = max(1, min(MAX_DRAWS, _DRAWN_GROUPS // max(groups.keys.size, 1)))
    best: tuple[int, Spread] | None = None
    for draw in [previous.draw] if previous else range(n_draws):
        where = uniform(groups.keys, seed, "split", *([draw] if draw else []))
        cutter = _Cutter(groups, task, codes, where, shares, known)
        strata = tuple(
            cutter.cut(code, key, upper, points.get(key))
            for code, (key, upper) in enumerate(zip(keys, uppers, strict=True))
        )
        n_lacking = cutter.n_lacking()
        if best is None or n_lacking < best[0]:
            best = n_lacking, Spread(strata, draw, cutter.parts[groups.of_row])
        if not n_lacking:
            break
    assert best is not None  # noqa: S101 (there is at least one draw)
    return best[1]


def strata_of(keys: Hashes, target: npt.NDArray[Any], task: Task, *, held: Counts | None = None) -> Codes:
    """Return the stratum of the group of each row, shape (n_rows,): by its rarest class, or its mean target."""
    groups = groups_of(keys, target, task, held=held)
    return _strata(groups, task, None)[0][groups.of_row]


def _strata(groups: Groups, task: Task, previous: Parts | None) -> tuple[Codes, list[str], list[float | None]]:
    """Return the stratum of each group, and key and upper bound of each stratum."""
    n_groups = groups.keys.size
    before = [stratum.key for stratum in previous.strata] if previous else []
    if before == [ALL]:
        return np.zeros(n_groups, np.int32), [ALL], [None]
    if not task.classes:
        return codes_of(groups.means, task, previous.strata if previous else ())
    of_class, rows = n_groups_a_class(groups, task), _rows_a_class(groups, task)
    rarest_first = sorted(np.flatnonzero(of_class).tolist(), key=lambda c: (of_class[c], rows[c], c))
    labels = [task.classes[c] for c in rarest_first]
    # a class that the earlier cut did not know comes first: its groups are new, or have their part from before
    ordered = [label for label in labels if label not in before] + [key for key in before if key in task.classes]
    rank = np.full(len(task.classes), len(ordered), np.int32)
    rank[[task.classes.index(label) for label in ordered]] = np.arange(len(ordered))
    codes = np.full(n_groups, len(ordered), np.int32)
    np.minimum.at(codes, groups.pairs[:, 0], rank[groups.pairs[:, 1]])
    return codes, ordered, [None] * len(ordered)


def _rows_a_class(groups: Groups, task: Task) -> Counts:
    """Count the rows of the groups that hold each class: what decides among classes in as many groups."""
    return np.bincount(
        groups.pairs[:, 1], weights=groups.n_rows[groups.pairs[:, 0]], minlength=len(task.classes)
    ).astype(np.int64)


class _Cutter:
    """Cuts one stratum after the other, and remembers what the parts hold so far."""

    def __init__(
        self,
        groups: Groups,
        task: Task,
        codes: Codes,
        where: Floats,
        shares: tuple[float, float],
        known: Assignment | None,
    ) -> None:
        self.parts = np.full(groups.keys.size, ASIDE, np.uint8)
        self._groups, self._where, self._shares, self._known = groups, where, shares, known
        self._needed = [TRAIN, TEST] if shares[0] == shares[1] else [TRAIN, VALIDATION, TEST]
        self._rows = np.zeros(3, np.int64)  # of each part, so far
        self._classes = list(task.classes)
        self._holds = np.zeros((len(task.classes), 3), bool)
        self._order = np.lexsort((where, codes))
        self._begins = np.searchsorted(codes[self._order], np.arange(int(codes.max(initial=0)) + 2))
        of_pair = codes[groups.pairs[:, 0]]
        self._pairs = groups.pairs[np.argsort(of_pair, kind="stable")]
        self._pairs_begin = np.searchsorted(np.sort(of_pair), np.arange(int(codes.max(initial=0)) + 2))

    def cut(self, code: int, key: str, upper: float | None, stratum: Stratum | None) -> Stratum:
        """Give the groups of a stratum their parts; by the points of `stratum` if it was cut before."""
        members, pairs = _slice(self._order, self._begins, code), _slice(self._pairs, self._pairs_begin, code)
        if stratum is None:
            train, validation = self._points(members, key)
            stratum = Stratum(key=key, train=train, validation=validation, upper=upper)
        parts = place(self._where[members], np.zeros(members.size, np.int32), [stratum], self._shares)
        if self._known is not None:
            before = self._known[members]
            parts = np.where(before == ASIDE, parts, before)
        self.parts[members] = parts
        self._rows += np.bincount(parts, weights=self._groups.n_rows[members], minlength=3).astype(np.int64)
        self._holds[pairs[:, 1], self.parts[pairs[:, 0]]] = True
        return stratum

    def _points(self, members: Counts, key: str) -> tuple[float, float]:
        """Lay the points of a stratum: no part without its class, and the shares of all rows so far."""
        if not members.size:
            return self._shares
        places, below = self._where[members], np.r_[0, np.cumsum(self._groups.n_rows[members])]
        total = int(self._rows.sum() + below[-1])
        first = _nearest(below, self._shares[0] * total - self._rows[TRAIN])
        second = _nearest(below, self._shares[1] * total - self._rows[TRAIN] - self._rows[VALIDATION])
        least = self._least(members.size, key)
        first = min(max(first, least[TRAIN]), members.size - least[VALIDATION] - least[TEST])
        second = min(max(second, first + least[VALIDATION]), members.size - least[TEST])
        if VALIDATION not in self._needed:
            first = second = min(max(second, least[TRAIN]), members.size - least[TEST])
        train = point_between(places, first, self._shares[0])
        return train, max(train, point_between(places, second, self._shares[1]))

    def _least(self, n_groups: int, key: str) -> list[int]:
        """Return how many groups each part must get, at least, so that no part lacks the class, or every row."""
        held = self._holds[self._classes.index(key)] if key in self._classes else self._rows > 0
        lacking = [part for part in self._needed if not held[part]]
        lacking.sort(key=lambda part: (part != TRAIN, self._rows[part] > 0, part != TEST))
        return [int(part in lacking[:n_groups]) for part in (TRAIN, VALIDATION, TEST)]

    def n_lacking(self) -> int:
        """Count where a part lacks a class that has groups enough for all; an empty part counts most."""
        enough = np.bincount(self._pairs[:, 1], minlength=len(self._classes)) >= len(self._needed)
        n_lacking = int((~self._holds[enough][:, self._needed]).sum())
        return n_lacking + 1_000_000 * int((self._rows[self._needed] == 0).sum())


def _nearest(below: Counts, wanted: float) -> int:
    return int(np.abs(below - wanted).argmin())


def _slice(values: Counts, begins: Counts, code: int) -> Counts:
    """Return what belongs to a stratum, of `values` in the order of strata."""
    return values[begins[code] : begins[code + 1]] if code + 1 < begins.size else values[:0]


def parts_of(keys: Hashes, ranked: Hashes, parts: Assignment) -> Assignment:
    """Look up the part of each key among the `ranked` ones, which are sorted; 255 where there is none."""
    if not ranked.size:
        return np.full(keys.size, ASIDE, np.uint8)
    at = np.minimum(np.searchsorted(ranked, keys), ranked.size - 1)
    return np.where(ranked[at] == keys, parts[at], np.uint8(ASIDE))
