"""Whole reviews of worlds in which nothing is wrong: a real champion, and rows drawn like those it learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio.monitor.movement.drift import RATE
from palio.monitor.movement.joint import RATE as JOINT_RATE
from tests.monitor.calm import Tally, World, calm_review, calm_world


@pytest.fixture(scope="module")
def bank(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return calm_world("bank", shared_data, tmp_path_factory.mktemp("calm") / "bank", budget_s=5)


@pytest.fixture(scope="module")
def adult(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return calm_world("adult", shared_data, tmp_path_factory.mktemp("calm") / "adult")


def tallied(world: World, sizes: dict[int, int]) -> Tally:
    tally = Tally()
    for size, n_trials in sizes.items():
        for seed in range(n_trials):
            tally.add(calm_review(world, size, seed))
    return tally


def test_reviews_of_a_calm_world_find_next_to_nothing(bank: World) -> None:
    tally = tallied(bank, {300: 8, 1_000: 8, 5_000: 1})
    assert tally.columns <= 0.01
    assert tally.n_shown <= 2 and tally.n_pages <= 1, tally.kinds  # of 17; the full trial is slow


def test_segments_add_to_the_rate_that_a_review_tells(bank: World) -> None:
    assert calm_review(bank, 300, 0).false_alarm_rate == RATE + JOINT_RATE
    found = calm_review(bank, 1_500, 0, segments=("marital",))
    n_judged = len({window.segment for window in found.windows if window.drift})
    assert n_judged > 1
    assert found.false_alarm_rate == pytest.approx(2 * RATE + JOINT_RATE), "all segments share one rate"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bank", "adult"])
def test_few_reviews_of_calm_worlds_find_anything(name: str, request: pytest.FixtureRequest) -> None:
    tally = tallied(request.getfixturevalue(name), {300: 150, 1_000: 150, 5_000: 60, 50_000: 10})
    assert tally.columns <= 0.01, tally.kinds
    assert tally.reports <= 0.05, tally.kinds
    assert tally.pages <= 0.01, tally.kinds
