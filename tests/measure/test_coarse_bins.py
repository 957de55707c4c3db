from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.measure.coarse_bins import MISSING, N_COARSE, REST

RNG = np.random.default_rng(9)


def test_fine_bins_fold_into_even_ones_that_hold_every_row() -> None:
    column = measure.number_column("x", np.r_[RNG.lognormal(0, 2, 50_000), np.full(77, np.nan)])
    coarse = measure.fold(column)
    counts = coarse.of(column.counts)
    assert len(coarse.labels) == len(counts) == N_COARSE
    assert coarse.labels[-1] == MISSING
    assert counts.sum() == 50_077
    assert counts[-1] == 77
    assert counts[:-1].max() < 1.2 * counts[:-1].min()
    assert len(set(coarse.labels)) == N_COARSE


def test_labels_say_what_a_bin_holds() -> None:
    column = measure.number_column("x", np.array([0.25, 0.5, 1.0, 2.0]))
    assert measure.fold(column).labels == ("below 0.375", "0.375 to 0.75", "0.75 to 1.5", "1.5 and more", "missing")


def test_whole_numbers_are_named_by_the_numbers_in_the_bin() -> None:
    column = measure.number_column("x", np.array([0.0, 1.0, 2.0, 3.0, 2_000.0]))
    assert measure.fold(column).labels == ("up to 0", "1", "2", "3 to 1,001", "1,002 and more", "missing")


def test_edges_that_are_close_are_told_apart() -> None:
    column = measure.number_column("x", 1e6 + np.array([0.001, 0.002, 0.003]))
    assert measure.fold(column).labels[0] == "below 1000000.0015"


def test_moments_are_named_by_their_day() -> None:
    days = np.array([0.0, 86_400.0, 172_800.0])
    column = measure.number_column("when", days, is_moment=True)
    assert measure.fold(column).labels == (
        "below 1970-01-01",
        "1970-01-01 to 1970-01-02",
        "1970-01-02 and more",
        "missing",
    )


def test_the_most_frequent_categories_keep_their_bin() -> None:
    values = np.array([f"v{i}" for i in np.minimum(RNG.zipf(1.2, 5_000), 80)] + [""] * 5, dtype=object)
    column = measure.category_column("c", values)
    coarse = measure.fold(column, n_bins=6)
    counts = coarse.of(column.counts)
    assert coarse.labels == (*column.values[:4], REST, MISSING)
    assert counts.tolist() == [*column.counts[:4], sum(column.counts[4:-1]), 5]


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [3.5, 3.5]])
def test_a_column_that_says_nothing_has_one_bin(values: list[float]) -> None:
    column = measure.number_column("x", np.array(values))
    coarse = measure.fold(column)
    assert coarse.labels == ("all values", "missing")
    assert coarse.of(column.counts).sum() == len(values)


def test_bins_of_logarithms_are_told_in_what_they_stand_for():
    sizes = np.log([100.0 * 100, 100 * 100, 320 * 240, 320 * 240])
    column = measure.number_column("photo.pixels", sizes, statistic="pixels")
    assert set(measure.fold(column, n_bins=3).labels) == {"below 27,700", "27,700 and more", "missing"}
    assert "below 27,700" not in measure.fold(measure.number_column("size", sizes), n_bins=3).labels
