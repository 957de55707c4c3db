from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm

from palio import measure


def test_the_alarms_are_those_of_scipy():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(40) ** 3
        assert (measure.benjamini_hochberg(p) == (false_discovery_control(p) <= 0.05)).all()


def test_no_tests_give_no_alarms():
    assert measure.benjamini_hochberg(np.array([])).tolist() == []


def test_the_p_value_is_that_of_a_normal_difference():
    assert measure.two_sided_p(0.7, 0.3) == pytest.approx(2 * norm.sf(0.7 / 0.3))
    assert (measure.two_sided_p(0.0, 0.0), measure.two_sided_p(1.0, 0.0)) == (1.0, 0.0)
