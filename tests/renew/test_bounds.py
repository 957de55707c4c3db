from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio import measure
from palio.renew.bounds import mean_bounds, proportion_bounds, stability_index

LOOKS = [20, 50, 100, 200, 400, 700, 1000, 1500, 2000]


@pytest.mark.parametrize("truth", [0.01, 0.2, 0.5])
def test_the_truth_stays_within_the_bounds_at_all_looks_together(truth: float) -> None:
    rng, n_paths, misses, plain_misses = np.random.default_rng(7), 300, 0, 0
    for _ in range(n_paths):
        hits = np.cumsum(rng.random(LOOKS[-1]) < truth)
        bounds = [proportion_bounds(int(hits[n - 1]), n) for n in LOOKS]
        misses += any(not low <= truth <= high for low, high in bounds)
        plain = [measure.wilson(int(hits[n - 1]), n) for n in LOOKS]
        plain_misses += any(not low <= truth <= high for low, high in plain)
    assert misses / n_paths <= 0.05
    assert plain_misses / n_paths > 0.05, "an interval for one look does not do"


def test_the_mean_stays_within_its_bounds_at_all_looks_together() -> None:
    rng, n_paths, misses = np.random.default_rng(8), 300, 0
    for _ in range(n_paths):
        values = rng.exponential(2.0, LOOKS[-1])
        bounds = [mean_bounds(values[:n].mean(), values[:n].std(ddof=1), n) for n in LOOKS[1:]]
        misses += any(not low <= 2.0 <= high for low, high in bounds)
    assert misses / n_paths <= 0.05


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_share_lies_within_its_bounds(hits: int, misses: int) -> None:
    n = hits + misses
    low, high = proportion_bounds(hits, n)
    assert 0 <= low <= (hits / n if n else 0.5) <= high <= 1
    mirrored = proportion_bounds(misses, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_more_rows_narrow_the_bounds() -> None:
    widths = [np.diff(proportion_bounds(n // 10, n))[0] for n in (10, 100, 1000, 10_000)]
    assert widths == sorted(widths, reverse=True)
    assert mean_bounds(0.0, 1.0, 1) == (-np.inf, np.inf)


def test_chance_alone_rarely_exceeds_the_noise() -> None:
    rng, beyond = np.random.default_rng(9), 0
    for _ in range(500):
        first, second = rng.multinomial(2000, [0.1] * 10), rng.multinomial(300, [0.1] * 10)
        index, noise = stability_index(first.tolist(), second.tolist())
        beyond += index > noise
    assert beyond <= 3, "one in a thousand"


def test_a_shift_exceeds_the_noise() -> None:
    index, noise = stability_index([500, 500], [900, 100])
    assert index > 0.5 > noise
    assert stability_index([], [])[1] == np.inf
    assert stability_index([10, 0], [7, 0]) == (0.0, 0.0)
