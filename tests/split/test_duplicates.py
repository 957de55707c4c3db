"""Copies across parts are found and set aside; the test part is left whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palio.split.duplicates import copies_across, is_coarse, set_aside
from palio.split.strata import ASIDE

parts_and_features = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 255]), st.integers(0, 12), st.booleans()), max_size=60
).map(
    lambda rows: (
        np.array([row[0] for row in rows], np.uint8),
        np.array([row[1] for row in rows], np.uint64),
        np.array([row[2] for row in rows], bool),
    )
)


@given(parts_and_features)
def test_after_the_repair_no_row_has_its_equal_in_another_part(rows: tuple[np.ndarray, ...]) -> None:
    parts, features, _ = rows
    before = parts.copy()
    moved = set_aside(parts, features)
    assert not copies_across(parts, features).any()
    assert (parts[before == 2] == 2).all()
    assert moved == (parts != before).sum()
    assert (parts[parts != before] == ASIDE).all()


@given(parts_and_features)
def test_kept_rows_are_never_touched_and_added_ones_give_way(rows: tuple[np.ndarray, ...]) -> None:
    parts, features, kept = rows
    parts[kept] = 0  # what an earlier cut left has no copies across parts
    before = parts.copy()
    set_aside(parts, features, kept=kept)
    assert (parts[kept] == before[kept]).all()
    assert not copies_across(parts, features).any()


def test_train_gives_way_to_validation_and_both_to_test() -> None:
    parts = np.array([0, 1, 2, 0, 1, 0], np.uint8)
    features = np.array([1, 1, 1, 2, 2, 3], np.uint64)
    assert set_aside(parts, features) == 3
    assert parts.tolist() == [ASIDE, ASIDE, 2, ASIDE, 1, 0]


def test_a_few_answers_repeat_by_coincidence_and_a_few_copies_do_not() -> None:
    rng = np.random.default_rng(0)
    assert is_coarse(rng.integers(0, 8, 1_000).astype(np.uint64))
    distinct = np.arange(1_000, dtype=np.uint64)
    assert not is_coarse(distinct)
    assert not is_coarse(np.r_[distinct, distinct[:400]])
    assert is_coarse(np.r_[distinct, np.full(200, 7, np.uint64)])
    assert not is_coarse(np.empty(0, np.uint64))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_a_table_is_coarse_if_few_rows_differ_or_one_fills_it(times: list[int]) -> None:
    hashes = np.repeat(np.arange(len(times), dtype=np.uint64), times)
    few = len(times) < 0.5 * hashes.size
    assert is_coarse(hashes) == (few or max(times) > max(0.05 * hashes.size, 20))
