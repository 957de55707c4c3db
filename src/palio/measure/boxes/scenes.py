"""Pictures with what is in them and what is said of them, matched once so that many reweightings are quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from palio.core.records import Task
from palio.measure.boxes.matching import OVERLAPS, SIZES, Matched, match
from palio.measure.boxes.objects import Objects
from palio.measure.sample import Array, Sample

MOST_SAID = 100
"""Boxes of one class in one picture that average precision looks at, the surest first, as COCO has it."""
_KEPT = 20_000
"""Pictures whose matches are kept: slices and resamples ask for the same ones again."""
_known: dict[tuple[int, int], tuple[Objects, Objects, Matched]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """The boxes of all pictures in one row, pictures one after the other."""

    said_in: Array
    """Shape (n_said,): picture of each said box."""
    said_class: Array
    said_score: Array
    is_said: Array
    """Shape (n_said,): sure enough to be shown and counted."""
    rank: Array
    hits: Array
    """Shape (n_sizes, n_overlaps, n_said)."""
    counted: Array
    """Shape (n_sizes, n_overlaps, n_said)."""
    true_in: Array
    """Shape (n_true,): picture of each true box."""
    true_class: Array
    wanted: Array
    """Shape (n_sizes, n_true)."""


class Scenes(Sample):
    """Truth and answers of pictures; `truth` and `prediction` hold an `Objects` a picture."""

    def __init__(self, task: Task, truth: Array, prediction: Array) -> None:
        super().__init__(task, truth, prediction)

    def take(self, rows: Array) -> Scenes:
        """Return the pictures given by mask or index."""
        return Scenes(self.task, self.truth[rows], self.prediction[rows])

    def coarsened(self) -> Scenes:
        """Return the same: scores are kept as they are."""
        return self

    @property
    def cost(self) -> int:
        """Count the boxes of a picture, on average: so many must be summed for each resample."""
        return max(1, len(self.flat.said_in) // self.n_rows)

    @cached_property
    def matched(self) -> list[Matched]:
        """What became of the boxes of each picture."""
        return matched(self.truth.tolist(), self.prediction.tolist())

    @cached_property
    def flat(self) -> Flat:
        """All boxes in one row."""
        truths, said, found = self.truth.tolist(), self.prediction.tolist(), self.matched
        n_sizes, n_overlaps = len(SIZES), len(OVERLAPS)
        rows = np.arange(self.n_rows)
        return Flat(
            said_in=np.repeat(rows, [len(one) for one in said]),
            said_class=_row(said, "classes", np.int64),
            said_score=_row(said, "scores", np.float64),
            is_said=_row(said, "is_said", np.bool_),
            rank=_row(found, "rank", np.int64),
            hits=np.concatenate([np.zeros((n_sizes, n_overlaps, 0), bool), *(one.hits for one in found)], axis=2),
            counted=np.concatenate([np.zeros((n_sizes, n_overlaps, 0), bool), *(one.counted for one in found)], axis=2),
            true_in=np.repeat(rows, [len(one) for one in truths]),
            true_class=_row(truths, "classes", np.int64),
            wanted=np.concatenate([np.zeros((n_sizes, 0), bool), *(one.wanted for one in found)], axis=1),
        )

    @cached_property
    def tally(self) -> tuple[Array, Array, Array]:
        """True boxes that count, those of them that are found, and false alarms: at the threshold, by picture."""
        return self.tally_of(None)

    def tally_of(self, kind: int | None) -> tuple[Array, Array, Array]:
        """Count as `tally`, for one class alone."""
        flat = self.flat
        true = flat.wanted[0] if kind is None else flat.wanted[0] & (flat.true_class == kind)
        said = flat.is_said & flat.counted[0, 0]
        said = said if kind is None else said & (flat.said_class == kind)
        hit = flat.hits[0, 0]
        places = flat.true_in[true], flat.said_in[said & hit], flat.said_in[said & ~hit]
        counts = [np.bincount(where, minlength=self.n_rows).astype(np.float64) for where in places]
        return counts[0], counts[1], counts[2]

    @property
    def has_forecast(self) -> bool:
        """Tell whether a box was shown that is right or wrong."""
        return bool(self._judged.any())

    @cached_property
    def forecast(self) -> tuple[Array, Array]:
        """The score of each shown box that is right or wrong, and which it is, half overlapping.

        Nobody sees those below the threshold: hundreds of them, of two percent each, would say how sure it is.
        """
        return self.flat.said_score[self._judged], self.flat.hits[0, 0][self._judged].astype(np.float64)

    @property
    def _judged(self) -> Array:
        return np.asarray(self.flat.counted[0, 0] & self.flat.is_said)

    def says_one_thing(self, *, by_probability: bool) -> bool:  # noqa: ARG002
        """Tell whether nothing is said of any picture, though there is something to be seen."""
        return not len(self.flat.said_in) and bool(self.flat.wanted[0].any())

    def n_rarest(self) -> int:
        """Count the pictures that hold the class that is in the fewest."""
        flat = self.flat
        true = flat.wanted[0]
        pairs = np.unique(flat.true_class[true] * self.n_rows + flat.true_in[true]) // self.n_rows
        counts = np.bincount(pairs, minlength=1)
        return int(counts[counts > 0].min()) if len(pairs) else self.n_rows


def n_behind(sample: Sample, size: str) -> float:
    """Count the boxes that average precision of a size stands on; 0 where there are none.

    It is a mean over classes, each of which stands on its own boxes: with n₁, n₂, … of k classes it varies as a share
    of k² / (1/n₁ + 1/n₂ + …) things does. Of equal classes that is all boxes; a rare class weighs most.
    """
    flat = cast(Scenes, sample).flat
    counts = np.bincount(flat.true_class[flat.wanted[list(SIZES).index(size)]])
    counts = counts[counts > 0]
    return float(len(counts) ** 2 / (1 / counts).sum()) if len(counts) else 0.0


def matched(truths: Sequence[Objects], said: Sequence[Objects]) -> list[Matched]:
    """Match as `match` does; what was matched before is not matched again."""
    pairs = list(zip(truths, said, strict=True))
    keys = [(id(t), id(s)) for t, s in pairs]
    found = {key: known for key in keys if (known := _known.get(key)) is not None}
    new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in found}
    fresh = match([t for t, _ in new.values()], [s for _, s in new.values()])
    found |= {key: (*pair, one) for (key, pair), one in zip(new.items(), fresh, strict=True)}
    if len(_known) + len(new) > _KEPT:
        _known.clear()
    if len(new) <= _KEPT:
        _known.update((key, found[key]) for key in new)  # the boxes are held, so that their ids stay theirs
    return [found[key][2] for key in keys]


def _row(things: Sequence[object], name: str, dtype: type) -> Array:
    return np.concatenate([np.empty(0, dtype), *(getattr(one, name) for one in things)])
