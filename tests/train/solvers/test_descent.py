from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.train.solvers.descent import lowest


@pytest.mark.parametrize("seed", range(5))
def test_the_lowest_point_of_a_bowl_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bends = np.exp(rng.uniform(-4, 4, size=12))
    middle = rng.normal(size=12)

    def slope(x: Any) -> tuple[float, Any]:
        return float((bends * (x - middle) ** 2).sum()), 2 * bends * (x - middle)

    assert lowest(slope, np.zeros(12), steps=400, least=0.0) == pytest.approx(middle, abs=1e-3)


def test_a_bent_valley_is_followed_to_its_end() -> None:
    def slope(x: Any) -> tuple[float, Any]:
        a, b = 1 - x[0], x[1] - x[0] ** 2
        return float(a**2 + 100 * b**2), np.array([-2 * a - 400 * x[0] * b, 200 * b])

    assert lowest(slope, np.array([-1.2, 1.0]), steps=200, least=0.0) == pytest.approx([1.0, 1.0], abs=1e-3)


def test_values_that_are_no_numbers_are_kept_away_from() -> None:
    def slope(x: Any) -> tuple[float, Any]:
        with np.errstate(all="ignore"):
            return float((x - np.log(x)).sum()), 1 - 1 / x

    assert lowest(slope, np.array([0.01, 50.0]), steps=200, least=0.0) == pytest.approx([1.0, 1.0], abs=1e-3)


def test_no_more_steps_are_taken_than_were_allowed() -> None:
    asked = []

    def slope(x: Any) -> tuple[float, Any]:
        asked.append(x.copy())
        return float((x**4).sum()), 4 * x**3

    reached = lowest(slope, np.array([2.0]), steps=1, least=0.0)
    assert 0 < abs(reached[0]) < 2.0
    assert len(asked) <= 22
