"""Estimates know where they go astray: where rows are others than in the reference, and where nobody knows any."""

from __future__ import annotations

import numpy as np

from palio.monitor import Estimator
from palio.monitor.quality.intervals import Doubt, doubt_of, interval
from palio.monitor.quality.slices import Slices
from palio.monitor.quality.weighting import Overlap, overlap
from tests.monitor.estimating import NUMBER, numbers, real


def test_only_rows_that_have_gone_to_other_values_have_moved() -> None:
    chance = np.random.default_rng(0)
    columns = chance.normal(size=(8_000, 2))
    slices = Slices(columns, [False, False])
    alike = columns[::7]
    moved, far = (alike + np.array(by) for by in ([1.0, 0.0], [9.0, 0.0]))
    assert slices.moved(alike) < 0.02 < 0.2 < slices.moved(moved)
    assert slices.outside(alike) == 0.0 and slices.outside(far) == 1.0


def test_gaps_and_categories_that_the_reference_does_not_know_are_outside() -> None:
    chance = np.random.default_rng(1)
    columns = np.column_stack([chance.normal(size=4_000), chance.integers(0, 3, 4_000)])
    slices, now = Slices(columns, [False, True]), columns[:1_000].copy()
    now[:300, 0], now[300:500, 1] = np.nan, 30.0
    assert slices.outside(columns[:1_000]) == 0.0 and slices.outside(now) == 0.5


def test_rows_that_the_reference_hardly_has_are_not_stood_for() -> None:
    chance = np.random.default_rng(2)
    reference = chance.normal(size=(4_000, 3))
    alike, beside, away = (chance.normal(size=(2_000, 3)) + by for by in (0.0, 0.5, 5.0))
    known = [overlap(reference, now, [False] * 3).unknown for now in (alike, beside, away)]
    assert known[0] < 0.02 and known[1] < 0.15 and known[2] > 0.8


def test_what_estimates_missed_at_such_rows_widens_the_interval() -> None:
    chance = np.random.default_rng(3)
    odd = np.arange(2_000) < 200
    error = np.where(odd, 0.4, 0.0) + 0.1 * chance.normal(size=2_000)
    usual, many = Overlap.whole(2_000), Overlap(np.where(odd, 5.0, 5 / 9), 0.0)
    few, more = (doubt_of(error, 0.1, one, 2_000) for one in (usual, many))
    assert few.told < 0.05**2 < 0.15**2 < more.told
    first, second = (interval(0.8, np.full(5, 0.8), 1e-4, 500, doubt=one) for one in (Doubt(), more))
    assert second.high - second.low > 3 * (first.high - first.low)


def test_errors_of_numbers_are_estimated_right_where_inputs_shift() -> None:  # unchanged would be off by .29
    chance = np.random.default_rng(1)
    learnt = Estimator(numbers(chance, 12_000), NUMBER)
    for shift in (0.0, 0.5, 1.0):
        rows = numbers(chance, 6_000, shift=shift)
        estimator = learnt.fresh()
        estimator.add(rows)
        found = {one.metric: one for one in estimator.finish()}
        assert abs(found["mae"].value.value - real(NUMBER, rows)["mae"]) < 0.08
        assert found["mae"].outside < 0.05 or shift == 1.0


def test_rows_beyond_the_reference_are_told() -> None:
    chance = np.random.default_rng(2)
    estimator = Estimator(numbers(chance, 3_000), NUMBER).fresh()
    estimator.add(numbers(chance, 1_000, shift=4.0))
    assert all(one.outside > 0.3 for one in estimator.finish())
