from __future__ import annotations

from palio import measure


def test_a_time_is_over_a_limit_only_beyond_the_margin() -> None:
    assert not measure.is_clearly_over(20.0, 20.0)
    assert not measure.is_clearly_over(20.0 * (1 + measure.TIMING_MARGIN), 20.0)
    assert measure.is_clearly_over(20.0 * (1 + measure.TIMING_MARGIN) + 1e-9, 20.0)
