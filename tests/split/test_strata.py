"""Cut points: exact now, kept for later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.records import Stratum
from palio.split.strata import (
    ASIDE,
    SHARES,
    cut_points,
    place,
    place_in_time,
    policy_of,
    stratify,
    target_codes,
    target_uppers,
    time_cuts,
)


@pytest.mark.parametrize("policy", list(SHARES))
@pytest.mark.parametrize("n_rows", [10, 11, 57, 100, 1_234, 20_000])
def test_the_first_cut_has_exact_proportions(policy: str, n_rows: int) -> None:
    uniforms = np.random.default_rng(n_rows).random(n_rows)
    train, validation = cut_points(uniforms, SHARES[policy])
    assert (uniforms < validation).sum() == round(n_rows * SHARES[policy][1])
    assert (uniforms < train).sum() == round(n_rows * SHARES[policy][0])


def test_two_rows_go_to_train_and_test_and_three_to_each_part() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        two = rng.random(2)
        train, validation = cut_points(two, (0.6, 0.8))
        assert ((two < train).sum(), (two >= validation).sum()) == (1, 1)
        three = rng.random(3)
        train, validation = cut_points(three, (0.6, 0.8))
        assert ((three < train).sum(), (three < validation).sum()) == (1, 2)


def test_a_lone_row_is_trained_on() -> None:
    for where in (0.01, 0.7, 0.99):
        train, _ = cut_points(np.array([where]), (0.6, 0.8))
        assert where < train


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=60), st.sampled_from(list(SHARES)))
def test_cut_points_are_in_order_and_inside_the_unit_interval(values: list[float], policy: str) -> None:
    train, validation = cut_points(np.array(values), SHARES[policy])
    assert 0.0 <= train <= validation <= 1.0


def test_many_rows_are_cut_at_points_near_the_nominal_ones() -> None:
    train, validation = cut_points(np.random.default_rng(1).random(50_000), (0.8, 0.9))
    assert train == pytest.approx(0.8, abs=0.01)
    assert validation == pytest.approx(0.9, abs=0.01)


def test_rows_of_each_stratum_follow_its_own_points() -> None:
    strata = [Stratum(key="a", train=0.1, validation=0.2), Stratum(key="b", train=1.0, validation=1.0)]
    where = np.array([0.05, 0.15, 0.5, 0.5, 0.5, 0.7])
    codes = np.array([0, 0, 0, 1, -1, 2], np.int32)
    assert place(where, codes, strata, (0.6, 0.8)).tolist() == [0, 1, 2, 0, ASIDE, 1]


def test_quintiles_of_the_target_have_equal_sizes_and_ties_stay_together() -> None:
    target = np.r_[np.arange(100.0), np.nan]
    uppers = target_uppers(target)
    codes = target_codes(target, uppers)
    assert np.bincount(codes[:-1]).tolist() == [20] * 5
    assert codes[-1] == -1
    mostly_zero = np.r_[np.zeros(90), np.arange(1.0, 11.0)]
    codes = target_codes(mostly_zero, target_uppers(mostly_zero))
    assert len(set(codes[:90].tolist())) == 1


def test_every_class_is_cut_in_the_same_proportions() -> None:
    rng = np.random.default_rng(3)
    codes = (rng.random(5_000) < 0.1).astype(np.int32)
    where = rng.random(5_000)
    strata = stratify(where, codes, keys=["no", "yes"], uppers=[None, None], shares=(0.6, 0.8))
    parts = place(where, codes, strata, (0.6, 0.8))
    for code in (0, 1):
        rows = parts[codes == code]
        assert (rows == 0).sum() == round(rows.size * 0.6)
        assert (rows == 2).sum() == rows.size - round(rows.size * 0.8)


def test_rows_of_one_moment_stay_together() -> None:
    moments = np.repeat(np.arange(10.0), 7)
    bounds = time_cuts(moments, (0.6, 0.8))
    assert bounds == (6.0, 8.0)
    parts = place_in_time(np.r_[moments, np.nan, 5.0], bounds, among=np.arange(72) < 71)
    assert np.bincount(parts[:-2]).tolist() == [42, 14, 14]
    assert parts[-2:].tolist() == [ASIDE, ASIDE]


@given(st.lists(st.integers(0, 6), min_size=3, max_size=40), st.sampled_from(list(SHARES)))
def test_no_part_is_empty_while_there_are_moments_enough(values: list[int], policy: str) -> None:
    moments = np.sort(np.array(values, float))
    parts = place_in_time(moments, time_cuts(moments, SHARES[policy]), among=np.ones(moments.size, bool))
    n_moments = len(set(values))
    if n_moments >= 3 or (n_moments == 2 and policy == "cv"):
        assert (parts == 0).any()
        assert (parts == 2).any()
        assert policy == "cv" or (parts == 1).any()


def test_the_policy_follows_the_number_of_rows() -> None:
    assert [policy_of(n) for n in (2_999, 3_000, 99_999, 100_000)] == ["cv", "60-20-20", "60-20-20", "80-10-10"]
