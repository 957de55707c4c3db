"""Measure what a fit costs on this machine by a small first one, and make settings cheaper that would take too long."""

from __future__ import annotations

import contextlib
import time

import numpy as np

from palio.train.examples import Examples
from palio.train.family import Family, OutOfTime, Params
from palio.train.lessons import Lesson

WARM_ROWS = 60
"""Rows of the fit that only loads what a family needs."""
FEW_ROUNDS, MANY_CLASSES = 4, 20
"""Rounds of a first fit of a family that learns in rounds; of so many classes and more, each a tree a round, one."""
FEWEST_ROWS, PART, MOST_PART = 400, 16, 2
"""Any other family first learns from one row of sixteen, no fewer than 400; from none, if that is over half of them."""
SHORTEST_S = 0.4
"""A limit is not held against a fit that is expected to take less."""
FEWEST_TRIED = 16
"""With fewer rows than three times as many, all are tried."""
LEAST_GAIN = 0.1
"""Share of a fit that twice as many rows cost at least, however the clock may have stumbled."""
LEAST_SHARE = 0.02
"""Settings that must cost less than this share of what they were are not tried."""


class Pace:
    """How fast this machine fits each family: seconds measured for each second that the family itself expects.

    Example:
        >>> Pace().of("linear") is None
        True
    """

    def __init__(self) -> None:
        self._found: dict[str, float] = {}
        self._warm: set[str] = set()

    def of(self, family: str) -> float | None:
        """Return the factor of a family; None if it was not fitted yet."""
        return self._found.get(family)

    def learn(self, family: Family, expected: float, seconds: float) -> None:
        """Take in what a fit took."""
        if expected > 0:
            self._found[family.name] = seconds / expected

    def warm_up(self, family: Family, lesson: Lesson) -> None:
        """Load what a family needs, by a fit on a few rows: that is no part of what its fits cost."""
        if family.name in self._warm or not getattr(family, "warms_up", True):
            return
        self._warm.add(family.name)
        examples = lesson.examples
        some = examples.take(np.arange(min(WARM_ROWS, len(examples.target))))
        params = dict(family.defaults(some.shape, some.task)[0])
        with contextlib.suppress(Exception):  # what is wrong with it is told by the fit that was asked for
            family.fit(some, params=params | ({family.rounds: 1} if family.rounds else {}), seed=0)

    def fit_into(self, family: Family, params: Params, examples: Examples, limit_s: float, *, seed: int) -> Params:
        """Return settings whose fit on `examples` ends within `limit_s`: those given, or cheaper ones.

        Raises:
            OutOfTime: no settings of the family are cheap enough.
        """
        if self.of(family.name) is None:
            self._try_small(family, params, examples, limit_s, seed=seed)
        expected = family.seconds(examples.shape, params) * (self.of(family.name) or 1.0)
        if expected <= max(limit_s, SHORTEST_S):
            return params
        share = limit_s / expected
        if not family.rounds or share < LEAST_SHARE:
            raise OutOfTime(f"a fit takes some {expected:.3g} s here, and {limit_s:.3g} s are left for it")
        return family.hurry(params, share)

    def _try_small(self, family: Family, params: Params, examples: Examples, limit_s: float, *, seed: int) -> None:
        n_tried = min(int(getattr(family, "tried_rows", 0)), len(examples.target) // 3)
        if n_tried >= FEWEST_TRIED:
            self._try_rows(family, params | {family.rounds: 1}, examples, n_tried, seed=seed)
            return
        few, some = params, examples
        if family.rounds:
            one = params | {family.rounds: 1}
            family.fit(some, params=one, seed=seed)  # what is computed once, e.g. the features, is no part of the pace
            few = one if some.shape.n_classes >= MANY_CLASSES else params | {family.rounds: FEW_ROUNDS}
        else:
            n_rows = len(examples.target)
            n_some = max(FEWEST_ROWS, n_rows // PART)
            if n_some * MOST_PART > n_rows:  # it would cost about as much as the fit itself
                return
            some = examples.take(np.unique(np.linspace(0, n_rows - 1, n_some).astype(np.int64)))
        started = time.perf_counter()
        family.fit(some, params=few, seed=seed, deadline=time.monotonic() + 2 * limit_s + 1)
        self.learn(family, family.seconds(some.shape, few), time.perf_counter() - started)

    def _try_rows(self, family: Family, params: Params, examples: Examples, n_rows: int, *, seed: int) -> None:
        """Fit some rows, and twice as many, for one round: what the others took more is the pace.

        For a family whose rounds are dear. What a fit costs whatever its rows (weights to be read, checks) is in both.
        """
        times, expected = [], []
        for n in (n_rows, 2 * n_rows):
            some = examples.take(np.unique(np.linspace(0, len(examples.target) - 1, n).astype(np.int64)))
            started = time.perf_counter()
            family.fit(some, params=params, seed=seed)
            times.append(time.perf_counter() - started)
            expected.append(family.seconds(some.shape, params))
        self.learn(family, expected[1] - expected[0], max(times[1] - times[0], LEAST_GAIN * times[1]))
