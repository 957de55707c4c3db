"""The quick detector is the one of river, value by value."""

from __future__ import annotations

import numpy as np
import pytest

from palio.monitor.concept.kswin import Kswin

drift = pytest.importorskip("river.drift", reason="the monitor extra is not installed")


@pytest.mark.parametrize("seed", range(3))
def test_it_rings_where_the_one_of_river_rings(seed: int) -> None:
    chance = np.random.default_rng(seed)
    level = np.repeat([0.1, 0.4, 0.1, 0.2], 400)
    values = chance.binomial(10, level) / 10 if seed else chance.normal(level, 0.1)
    quick, known = (kind(alpha=0.005, seed=seed) for kind in (Kswin, drift.KSWIN))
    n_alarms = 0
    for value in values.tolist():
        quick.update(value)
        known.update(value)
        assert quick.drift_detected == known.drift_detected
        assert quick.p_value == pytest.approx(known.p_value, rel=1e-9)
        n_alarms += quick.drift_detected
    assert n_alarms >= 2
