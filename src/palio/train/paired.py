"""Say how sure the difference of two scores is where few folds were scored: by the rows that both answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from palio.train.ensemble import Unseen
from palio.train.examples import Array
from palio.train.field import Field, Finalist
from palio.train.work import score_numbers

N_GROUPS = 20
"""Groups of rows, of which one after the other is left out."""
MAX_ROWS = 20_000
"""Of more rows every other one, or fewer, is looked at."""
MIN_ROWS = 3 * N_GROUPS


@dataclass
class Paired:
    """What the scores of finalists are without one group of rows after the other.

    The same row always leaves at once: of repeated folds, everywhere. Boxes are not looked at, since their folds are
    of blocks.
    """

    of: Field
    finalists: Sequence[Finalist]
    _known: dict[str, Array] = field(default_factory=dict)

    def error(self, first: str, second: str) -> float:
        """Return the standard error of the difference of two finalists' scores, named by their runs.

        The jackknife of groups of rows, widened as that of folds is: fits share most of the rows that they learn from.

        Returns:
            A number ≥ 0; infinite where rows cannot tell.

        Source: Efron & Stein 1981, Annals of Statistics 9(3); Nadeau & Bengio 2003, Machine Learning 52(3).
        """
        one, other = (next((each for each in self.finalists if each.run.id == run), None) for run in (first, second))
        if one is None or other is None or not np.array_equal(one.rows, other.rows) or len(one.rows) < MIN_ROWS:
            return math.inf
        if self.of.terms.task.kind == "detection":
            return math.inf
        apart = self._without_each(one) - self._without_each(other)
        spread = float(np.sqrt((N_GROUPS - 1) / N_GROUPS * ((apart - apart.mean()) ** 2).sum()))
        return spread * math.sqrt(self._widening(one)) if math.isfinite(spread) else math.inf

    def _widening(self, one: Finalist) -> float:
        """Return by what the rows' own variance grows since fits are not independent, and since not all were seen."""
        n_folds = max(2, self.of.n_folds)
        shared = 0.0 if self.of.holdout else min(len(one.folds), n_folds) / (n_folds - 1)
        return (1.0 + shared) / _step(len(one.rows))

    def _without_each(self, one: Finalist) -> Array:
        if one.run.id not in self._known:
            unseen = self.of.unseen(one.folds)
            group = np.unique(unseen.rows, return_inverse=True)[1] % (N_GROUPS * _step(len(unseen.rows)))
            said = None if one.threshold is None else (one.answers[:, 1] >= one.threshold).astype(np.int64)
            found = [self._score(one, unseen, said, (group != left) & (group < N_GROUPS)) for left in range(N_GROUPS)]
            self._known[one.run.id] = np.array(found)
        return self._known[one.run.id]

    def _score(self, one: Finalist, unseen: Unseen, said: Array | None, kept: Array) -> float:
        """Score answers as folds and blocks are scored, on the rows that are kept."""
        terms, found = self.of.terms, []
        for places in unseen.groups():
            here = places[kept[places]]
            if len(here):
                told = score_numbers(
                    terms.task,
                    unseen.truth[here],
                    one.answers[here],
                    names=(terms.metric,),
                    said=None if said is None else said[here],
                )
                found.append(told.get(terms.metric, math.nan))
        known = [score for score in found if np.isfinite(score)]
        return float(np.mean(known)) if known else math.nan


def _step(n_rows: int) -> int:
    return max(1, math.ceil(n_rows / MAX_ROWS))
