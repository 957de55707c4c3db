"""Tell a change in the level of losses from chance: rows after a suspicion decide, never those that led to it.

A sequential detector that reads 50,000 rows suspects something now and then, and some of them all the time. The rows
that made it suspicious are bad by selection, so they prove nothing; the rows behind them are not selected by anybody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LOOKS = (50, 70, 100, 140, 200, 280, 400, 560, 800, 1120, 1600, 2240, 3200, 4500, 6400)
"""Fresh rows after which a suspicion is looked at; after the last it is dropped."""
MIN_CALM = 500
"""Rows that must have come before a suspicion, or it is not known what is usual, nor how errors cluster."""
_MIN_RUNS_FRESH = 20
"""Fresh rows must be worth so many independent ones: with fewer, clusters of errors look like a change."""
_SIZES = 10
"""Runs of 1, 2, 4, … 512 rows measure how much longer than by chance errors stay together."""
_MIN_PAIRS = 16


@dataclass
class Calm:
    """The losses since the last change, in fixed memory: their mean, and how they cluster in time."""

    n: int = 0
    total: float = 0.0
    _total_squares: float = 0.0
    _open: list[float] = field(default_factory=lambda: [0.0] * _SIZES)
    _pairs: list[int] = field(default_factory=lambda: [0] * _SIZES)
    _squares: list[float] = field(default_factory=lambda: [0.0] * _SIZES)

    @property
    def mean(self) -> float:
        """Mean loss; 0 before the first row."""
        return self.total / self.n if self.n else 0.0

    def add(self, loss: float) -> None:
        """Take the next loss; amortised constant time."""
        self.n += 1
        self.total += loss
        self._total_squares += loss * loss
        n = self.n
        for size in range(_SIZES):
            if n & 1:  # the first run of a pair
                self._open[size] = loss
                return
            difference = loss - self._open[size]
            self._pairs[size] += 1
            self._squares[size] += difference * difference
            loss += self._open[size]
            n >>= 1

    def dispersion(self) -> float:
        """Compare the spread of run sums with that of independent 0/1 losses: 1 for those, more if errors cluster.

        Less than 1 for losses that vary less than 0/1 losses of that mean. It is the largest over run lengths, each
        less its standard error, as the largest of many noisy figures is too large. Spread is measured between
        neighbours, so that a change of level is not taken for clusters. Long runs are few at first; until then what
        neighbouring rows have in common is carried on to them: (1 + ρ) / (1 - ρ).

        Source: Allan 1966, Proceedings of the IEEE 54(2), variance of neighbouring averages; Bartlett 1935, Journal of
        the Royal Statistical Society 98(3), effective number of rows with autocorrelation ρ.
        """
        chance = self.mean * (1 - self.mean)
        variance = self._total_squares / self.n - self.mean**2 if self.n else 0.0
        if chance <= 0 or variance <= 0 or self._pairs[0] < _MIN_PAIRS:
            return 1.0
        spreads = [
            square / (2 * pairs) / (1 << size) * (1 - math.sqrt(2 / pairs))
            for size, (square, pairs) in enumerate(zip(self._squares, self._pairs, strict=True))
            if pairs >= _MIN_PAIRS
        ]
        likeness = min(1 - self._squares[0] / (2 * self._pairs[0]) / variance - 1 / math.sqrt(self._pairs[0]), 0.99)
        if likeness > 0:
            spreads.append(variance * (1 + likeness) / (1 - likeness))
        return max(spreads) / chance


def evidence(n_before: int, before: float, n_after: int, after: float, dispersion: float = 1.0) -> float:
    """Bound the probability that two stretches of losses in [0, 1] differ that much in mean by chance.

    With the pooled mean m and the Kullback–Leibler divergence k of 0/1 losses, it is exp(-g) with
    g = (n₀ k(x̄₀, m) + n₁ k(x̄₁, m)) / dispersion: the likelihood ratio of two levels against one, read as a Chernoff
    bound, so that it also holds for few and rare errors.

    Example:
        >>> evidence(10_000, 0.10, 200, 0.20) < 0.001 < evidence(10_000, 0.10, 200, 0.13)
        True
        >>> evidence(10_000, 0.10, 200, 0.20, dispersion=4.0) > 0.01
        True

    Source: Hoeffding 1963, Journal of the American Statistical Association 58(301), theorem 1; dispersion as in
    McCullagh & Nelder 1989, Generalized Linear Models, section 4.5.
    """
    pooled = (n_before * before + n_after * after) / (n_before + n_after)
    return math.exp(-(n_before * _divergence(before, pooled) + n_after * _divergence(after, pooled)) / dispersion)


@dataclass
class Suspicion:
    """A detection that waits for fresh rows."""

    row: int
    n_before: int
    before: float
    dispersion: float
    level: float
    """Probability with which it may be confirmed although nothing changed."""
    p: float = 1.0
    _fresh: Calm = field(default_factory=Calm)

    @property
    def n_fresh(self) -> int:
        """Rows since the suspicion."""
        return self._fresh.n

    @property
    def after(self) -> float:
        """Mean of the fresh losses."""
        return self._fresh.mean

    def chance(self) -> float:
        """Bound the probability of the fresh losses if nothing had changed."""
        return self._chance(self._spread())

    def add(self, loss: float) -> bool | None:
        """Take the next fresh loss: True if it is confirmed, False if it is dropped, None if it waits on."""
        self._fresh.add(loss)
        if self.n_fresh not in LOOKS:
            return None
        spread = self._spread()
        self.p = self._chance(spread)
        if self.p < self.level / len(LOOKS) and self.n_fresh >= _MIN_RUNS_FRESH * spread:
            return True
        return False if self.n_fresh == LOOKS[-1] else None

    def _chance(self, spread: float) -> float:
        return evidence(self.n_before, self.before, self.n_fresh, self.after, spread) if self.n_fresh else 1.0

    def _spread(self) -> float:
        """Say how errors cluster: few rows before the suspicion may have held too few of them to show it."""
        return max(self.dispersion, self._fresh.dispersion())


def _divergence(x: float, y: float) -> float:
    """Kullback–Leibler divergence between 0/1 losses of mean x and of mean y."""
    parts = 0.0
    if x > 0:
        parts += x * math.log(x / y)
    if x < 1:
        parts += (1 - x) * math.log((1 - x) / (1 - y))
    return max(parts, 0.0)
