"""Which said box is which true one: picture by picture, for each class, overlap asked for, and size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from palio.measure.boxes.covering import areas, overlaps
from palio.measure.boxes.objects import Objects
from palio.measure.sample import Array

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""Overlaps asked for, .50 to .95."""
SIZES: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""Area in square pixels, both ends included, as COCO has them."""
_CELLS = 2_000_000
"""Overlaps held at once, times thresholds and sizes."""
_LEAST = 1 - 1e-10
"""The most that is asked for."""
_RANGES = np.array(list(SIZES.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """What became of the boxes of one picture; boxes in the order of its `Objects`."""

    hits: Array
    """Shape (n_sizes, n_overlaps, n_said): a true box that counts is met."""
    counted: Array
    """Shape (n_sizes, n_overlaps, n_said): right or wrong; not if it lies on what is ignored or has another size."""
    partner: Array
    """Shape (n_overlaps, n_said): place of the true box that it meets, of any size; -1: none."""
    rank: Array
    """Shape (n_said,): place among the boxes of its class, the surest first."""
    wanted: Array
    """Shape (n_sizes, n_true): it counts as found or missed."""


def match(truths: Sequence[Objects], said: Sequence[Objects]) -> list[Matched]:
    """Give each said box, the surest first, the true box of its class that it covers best and that is still free.

    A box on a region that is ignored counts neither way, and such a region takes any number of boxes. Of equal overlaps
    the true box that was named last wins, as in the reference code.

    Source: Lin et al. 2014, Microsoft COCO (ECCV), evaluation code.
    """
    empty = [_empty(t, s) for t, s in zip(truths, said, strict=True)]
    jobs = [
        (picture, kind)
        for picture, (t, s) in enumerate(zip(truths, said, strict=True))
        for kind in sorted(set(t.classes.tolist()) & set(s.classes.tolist()))
    ]
    for group in _alike(truths, said, jobs):
        _match_group(truths, said, group, empty)
    return empty


def _empty(truth: Objects, said: Objects) -> Matched:
    """Judge boxes that meet nothing."""
    n, shape = len(said), (len(SIZES), len(OVERLAPS), len(said))
    order = np.argsort(said.classes, kind="stable")
    sorted_ = said.classes[order]
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n) - np.searchsorted(sorted_, sorted_)
    inside = _inside(areas(said.corners))
    return Matched(
        hits=np.zeros(shape, bool),
        counted=np.repeat(inside[:, None], len(OVERLAPS), axis=1),
        partner=np.full(shape[1:], -1, np.int64),
        rank=rank,
        wanted=_inside(areas(truth.corners)) & ~truth.ignored,
    )


def _inside(area: Array) -> Array:
    return np.asarray((area >= _RANGES[:, :1]) & (area <= _RANGES[:, 1:]))


_Job = tuple[int, int]


def _alike(truths: Sequence[Objects], said: Sequence[Objects], jobs: list[_Job]) -> Iterator[list[_Job]]:
    """Put pictures with about as many true boxes together, so that little is padded."""
    sizes = {job: int((truths[job[0]].classes == job[1]).sum()) for job in jobs}
    group: list[_Job] = []
    for job in sorted(jobs, key=lambda job: (sizes[job], len(said[job[0]]))):
        if group and (len(group) + 1) * sizes[job] * len(OVERLAPS) * len(SIZES) > _CELLS:
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def _match_group(truths: Sequence[Objects], said: Sequence[Objects], jobs: list[_Job], found: list[Matched]) -> None:
    """Match all pictures of a group at once, box after box."""
    true_places = [np.flatnonzero(truths[picture].classes == kind) for picture, kind in jobs]
    said_places = [np.flatnonzero(said[picture].classes == kind) for picture, kind in jobs]
    n_true, n_said = max(map(len, true_places)), max(map(len, said_places))
    corners, ignored = np.zeros((len(jobs), n_true, 4)), np.zeros((len(jobs), n_true), bool)
    wanted, is_there = np.zeros((len(jobs), len(SIZES), n_true), bool), np.zeros((len(jobs), n_true), bool)
    boxes = np.zeros((len(jobs), n_said, 4))
    for row, ((picture, _), own, theirs) in enumerate(zip(jobs, true_places, said_places, strict=True)):
        corners[row, : len(own)] = truths[picture].corners[own]
        ignored[row, : len(own)] = truths[picture].ignored[own]
        wanted[row, :, : len(own)] = found[picture].wanted[:, own]
        is_there[row, : len(own)] = True
        boxes[row, : len(theirs)] = said[picture].corners[theirs]
    least = np.minimum(OVERLAPS, _LEAST)[None, None, :, None]
    free = np.repeat(np.repeat(is_there[:, None, None], len(SIZES), axis=1), len(OVERLAPS), axis=2)
    lengths = np.array([len(theirs) for theirs in said_places])
    for step in range(n_said):
        rows = np.flatnonzero(lengths > step)
        covers = overlaps(boxes[rows, step : step + 1], corners[rows], ignored[rows])[:, :, None]
        can = free[rows] & (covers >= least)
        counts = can & wanted[rows][:, :, None]
        can = np.where(counts.any(axis=-1, keepdims=True), counts, can)
        best = n_true - 1 - np.argmax(np.where(can, covers, -1.0)[..., ::-1], axis=-1)
        chosen = best[..., None]
        meets = np.take_along_axis(can, chosen, axis=-1)[..., 0]
        is_region = np.take_along_axis(np.broadcast_to(ignored[rows][:, None, None], can.shape), chosen, axis=-1)[
            ..., 0
        ]
        right = meets & np.take_along_axis(counts, chosen, axis=-1)[..., 0]
        takes = meets & ~is_region
        at = np.nonzero(takes)
        free[rows[at[0]], at[1], at[2], best[at]] = False
        for place, row in enumerate(rows.tolist()):
            one, box = found[jobs[row][0]], said_places[row][step]
            one.hits[:, :, box] = right[place]
            one.counted[:, :, box] = np.where(meets[place], right[place], one.counted[:, :, box])
            one.partner[:, box] = np.where(
                meets[place, 0], true_places[row][np.minimum(best[place, 0], len(true_places[row]) - 1)], -1
            )
