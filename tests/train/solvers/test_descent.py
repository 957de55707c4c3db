from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.train.solvers.descent import N_KEPT, Bends, lowest


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


@pytest.mark.parametrize("n_steps", [1, 3, N_KEPT, 2 * N_KEPT + 3])
def test_what_is_known_of_the_bends_explains_the_last_step_and_always_leads_down(n_steps: int) -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(30, 30)) / 5 + np.eye(30)
    known = Bends(30)
    for moved in rng.normal(size=(n_steps, 30)):
        turned = root @ root.T @ moved
        known.add(moved, turned)
    assert len(known) == min(n_steps, N_KEPT)
    assert known.way(turned) == pytest.approx(-moved, abs=1e-6)
    one, other = rng.normal(size=(2, 30))
    assert one @ known.way(other) == pytest.approx(other @ known.way(one), abs=1e-6)
    assert one @ known.way(one) < 0
