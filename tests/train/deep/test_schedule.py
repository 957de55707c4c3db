"""The schedule: a rise, a fall, and an end in time."""

from __future__ import annotations

import numpy as np
import pytest

from palio.train.deep.schedule import Pace, rate_at, steps_that_fit


def test_the_rate_rises_to_its_height_and_falls_to_its_end() -> None:
    rates = [rate_at(step, 200, warm_up=0.2, end=0.02) for step in range(200)]
    assert rates[0] == pytest.approx(1 / 40)
    assert max(rates) == rates[39] == 1.0
    assert rates == sorted(rates[:40]) + sorted(rates[40:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_a_very_short_schedule_has_rates_too(n_steps: int) -> None:
    assert all(0 < rate_at(step, n_steps, warm_up=0.2, end=0.0) <= 1 for step in range(n_steps))


def test_the_steps_that_fit_stay_within_the_time() -> None:
    n_epoch = np.array([50, 50, 100, 100])
    for budget_s in (3.0, 30.0, 60.0, 110.0, 1_000.0):
        n_steps = steps_that_fit(n_epoch, step_s=0.3, epoch_s=2.0, budget_s=budget_s)
        n_looks = max(1, int(np.searchsorted(np.cumsum(n_epoch), n_steps, side="right")))
        assert 1 <= n_steps <= 300
        assert n_steps * 0.3 + n_looks * 2.0 <= budget_s
    assert n_steps == 300


def test_there_is_always_a_step() -> None:
    assert steps_that_fit(np.array([10]), step_s=5.0, epoch_s=9.0, budget_s=1.0) == 1


def test_what_is_left_follows_what_was_measured() -> None:
    pace = Pace(1.0, look_s=4.0)
    assert pace.left(10, 2) == 18.0
    for _ in range(95):
        pace.stepped(2.0)
    assert pace.left(10, 0) == pytest.approx(19.5)
