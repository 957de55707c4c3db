from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.measure.bins import EDGE_ROWS, N_CATEGORIES, N_FINE, decimals_of
from palio.measure.statistics.texts import learn_vocabulary

RNG = np.random.default_rng(5)


def texts(values: Sequence[str]) -> Any:
    return np.array(values, dtype=object)


def naive(column: Any, values: Any) -> list[int]:
    """Count value by value, as the record says."""
    counts = [0] * len(column.counts)
    for value in values:
        if column.kind == "category":
            place = column.values.index(value) if value in column.values else len(column.values)
            counts[-1 if value == "" else place] += 1
        else:
            counts[-1 if value != value else sum(edge <= value for edge in column.edges)] += 1
    return counts


@pytest.mark.parametrize(
    "values",
    [
        RNG.lognormal(0, 3, 5_000),
        RNG.integers(0, 7, 3_000).astype(float),
        np.where(RNG.random(4_000) < 0.9, 0.0, RNG.normal(size=4_000)),
        np.array([1.0]),
        np.array([np.nan, np.nan]),
        np.array([]),
        np.array([-np.inf, 1.0, 2.0, np.inf]),
        np.array([0.1, np.nextafter(0.1, 1), 1e308, -1e308]),
    ],
)
def test_numbers_are_counted_as_the_record_says(values: Any) -> None:
    column = measure.number_column("x", values)
    strange = np.r_[values, np.nan, -np.inf, np.inf, column.edges, 1e9, -1e9]
    found = measure.count(column, strange)
    assert list(found.counts) == naive(column, strange)
    assert column.counts == measure.count(column, values).counts
    assert list(np.bincount(measure.bins_of(column, strange), minlength=len(column.counts))) == naive(column, strange)
    if column.low is not None and column.high is not None:
        assert found.n_low == (strange < column.low).sum()
        assert found.n_high == (strange > column.high).sum()


def test_mean_and_spread_are_those_of_the_finite_numbers() -> None:
    values = RNG.normal(1e6, 3, 150_000)
    column = measure.number_column("x", np.r_[values, np.nan, np.inf])
    assert column.mean == pytest.approx(values.mean(), rel=1e-12)
    assert column.standard_deviation == pytest.approx(values.std(ddof=1), rel=1e-9)
    assert (column.low, column.high) == (values.min(), values.max())
    one = measure.number_column("x", np.array([2.0]))
    assert (one.mean, one.standard_deviation) == (2.0, None)
    huge = measure.number_column("x", np.array([1e308, 1e308, -1e308]))
    assert huge.standard_deviation is None


def test_few_distinct_numbers_have_a_bin_each() -> None:
    values = RNG.choice([1.0, 2.0, 5.0, 5.5], 1_000)
    column = measure.number_column("x", values)
    assert column.edges == (1.5, 3.5, 5.25)
    assert column.counts == (*np.unique(values, return_counts=True)[1].tolist(), 0)


def test_many_distinct_numbers_fill_bins_evenly() -> None:
    values = RNG.lognormal(0, 3, 100_000)
    column = measure.number_column("x", values)
    assert len(column.edges) == N_FINE - 1
    assert max(column.counts[:-1]) - min(column.counts[:-1]) <= 2


def test_a_long_column_is_cut_by_a_sample_and_counted_whole() -> None:
    values = RNG.normal(size=EDGE_ROWS * 2 + 11)
    column = measure.number_column("x", values)
    assert sum(column.counts) == len(values)
    assert max(column.counts[:-1]) < 2 * len(values) / N_FINE


@pytest.mark.parametrize("kind", [object, "StringDType"])
def test_texts_are_counted_as_the_record_says(kind: Any) -> None:
    values = [f"town {i}" for i in np.minimum(RNG.zipf(1.3, 5_000), 400)] + [""] * 31
    array = np.array(values, dtype=np.dtypes.StringDType() if kind == "StringDType" else object)
    column = measure.category_column("town", array)
    assert len(column.values) == N_CATEGORIES
    assert list(column.counts) == naive(column, values)
    assert column.counts[-1] == 31
    ranked = column.counts[:N_CATEGORIES]
    assert list(ranked) == sorted(ranked, reverse=True)
    later = texts(["town 1", "a new one", "", "town 1"])
    assert list(measure.count(column, later).counts) == naive(column, later.tolist())


def test_known_values_have_a_bin_before_any_row_holds_them() -> None:
    column = measure.category_column("prediction", texts(["no", "no"]), known=("yes", "no"))
    assert column.values == ("no", "yes")
    assert column.counts == (2, 0, 0, 0)


def test_counts_of_windows_add_up_to_those_of_all_rows() -> None:
    values = np.r_[RNG.normal(size=3_000), np.nan, np.nan]
    column = measure.number_column("x", values[:500])
    whole = measure.count(column, values)
    parts = measure.add_counts(measure.count(column, values[:1_234]), measure.count(column, values[1_234:]))
    assert (parts.counts, parts.n_low, parts.n_high) == (whole.counts, whole.n_low, whole.n_high)
    assert sum(parts.decimals) >= sum(whole.decimals) > 0


def test_blocks_are_counted_apart_and_add_up() -> None:
    values = RNG.normal(size=1_000)
    column = measure.number_column("x", values, blocks=[slice(0, 300), np.arange(300, 1_000)])
    assert [sum(block) for block in column.blocks] == [300, 700]
    assert tuple(np.sum(column.blocks, axis=0).tolist()) == column.counts


def test_digits_behind_the_point_are_counted() -> None:
    assert decimals_of(np.array([3.0, -7.0, 0.1, 19.99, 1.125, 1e300, np.nan, np.inf])) == (3, 1, 1, 1, 0, 0, 0)
    assert decimals_of(np.array([1 / 3, 0.123456, 0.12345])) == (0, 0, 0, 0, 0, 1, 2)
    euros = np.round(RNG.lognormal(3, 2, 500), 2)
    assert sum(decimals_of(euros)[:3]) == 500


def test_moments_and_statistics_have_no_digits() -> None:
    assert measure.number_column("when", np.array([1.5]), is_moment=True).decimals == ()
    assert measure.number_column("m.length", np.array([1.5]), source="m", statistic="length").decimals == ()


def test_rows_of_the_log_are_counted_by_the_columns_that_can_be_read() -> None:
    age = measure.number_column("age", np.arange(50.0))
    town = measure.category_column("town", texts(["a", "b"]))
    answer = measure.category_column("prediction", texts(["no", "yes"]), role="answer")
    cells = {"input.age": np.array([1.0, 70.0]), "input.town": texts(["b", "c"]), "prediction": texts(["no", "no"])}
    found = {one.name: one for one in measure.count_rows([age, town, answer], cells)}
    assert found["town"].counts == (0, 1, 1, 0)
    assert found["prediction"].counts == (2, 0, 0, 0)
    assert found["age"].n_high == 1
    hashed = cells | {"input.age": texts(["9f2c", "77aa"]), "input.town": np.full(2, None)}
    assert [one.name for one in measure.count_rows([age, town, answer], hashed)] == ["prediction"]
    del cells["input.age"]
    assert [one.name for one in measure.count_rows([age, town, answer], cells)] == ["town", "prediction"]


def test_statistics_of_a_text_are_counted_from_its_cells() -> None:
    messages = texts(["hello world", "hello there", ""])
    vocabulary, share = learn_vocabulary(messages, np.array([0, 1, 2]))
    columns = [
        measure.number_column("m.length", np.array([11.0, 11.0, np.nan]), source="m", statistic="length"),
        measure.number_column("m.unseen_tokens", share, source="m", statistic="unseen_tokens", vocabulary=vocabulary),
    ]
    found = measure.count_rows(columns, {"input.m": texts(["hello", "quite different words", ""])})
    assert [one.counts[-1] for one in found] == [1, 1]
    assert (found[0].n_low, found[0].n_high) == (1, 1)
    assert found[1].n_high == 1
    assert measure.count_rows(columns, {"input.m": np.full(2, None)}) == ()
