"""Estimates know where they go astray: where rows are others than in the reference, and where nobody knows any."""

from __future__ import annotations

import numpy as np

from palio.monitor import Estimator
from palio.monitor.quality.slices import Slices
from tests.monitor.estimating import NUMBER, numbers, real


def test_an_error_that_hangs_on_a_column_counts_as_far_as_the_column_has_moved() -> None:
    chance = np.random.default_rng(0)
    columns = chance.normal(size=(8_000, 2))
    off = np.where(columns[:, 0] > 1, 0.5, -0.1) + chance.normal(size=8_000)
    slices = Slices(columns, [False, False], off)
    alike = columns[::7]
    moved, other, far = (alike + np.array(by) for by in ([1.0, 0.0], [0.0, 1.0], [9.0, 0.0]))
    assert slices.astray(alike) < 0.02
    assert slices.astray(moved) > 0.1 > slices.astray(other)
    assert slices.outside(alike) == 0.0 and slices.outside(far) == 1.0


def test_errors_of_numbers_are_estimated_right_where_inputs_shift() -> None:  # unchanged would be off by .29
    chance = np.random.default_rng(1)
    learnt = Estimator(numbers(chance, 12_000), NUMBER)
    for shift in (0.0, 0.5, 1.0):
        rows = numbers(chance, 6_000, shift=shift)
        estimator = learnt.fresh()
        estimator.add(rows)
        found = {one.metric: one for one in estimator.finish()}
        assert abs(found["mae"].value.value - real(NUMBER, rows)["mae"]) < 0.08
        assert found["mae"].outside < 0.05


def test_rows_beyond_the_reference_are_told() -> None:
    chance = np.random.default_rng(2)
    estimator = Estimator(numbers(chance, 3_000), NUMBER).fresh()
    estimator.add(numbers(chance, 1_000, shift=4.0))
    assert all(one.outside > 0.3 for one in estimator.finish())
