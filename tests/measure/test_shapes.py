"""One description of a column, whether its cells are at hand or stream by."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.measure.bins import N_FINE

RNG = np.random.default_rng(7)


def streamed(values: Any, *, size: int) -> Any:
    describer = measure.NumberDescriber("x")
    pieces = [values[start : start + size] for start in range(0, len(values), size)]
    for piece in pieces:
        describer.add(piece, np.arange(len(piece)))
    if not describer.is_counted:
        for piece in pieces:
            describer.fill(piece)
    return describer.finish()


@pytest.mark.parametrize(
    "values",
    [
        RNG.lognormal(0, 3, 30_000),
        RNG.integers(0, 7, 3_000).astype(float),
        RNG.integers(0, 3_000, 30_000).astype(float),
        np.where(RNG.random(4_000) < 0.3, np.nan, RNG.normal(size=4_000)),
        np.full(50, 3.5),
        np.full(50, np.nan),
    ],
)
@pytest.mark.parametrize("size", [777, 10**6])
def test_a_stream_is_described_as_the_cells_at_hand_are(values: Any, size: int) -> None:
    told, mine = streamed(values, size=size), measure.number_column("x", values)
    assert (told.edges, told.values, told.counts, told.n_distinct) == (
        mine.edges,
        mine.values,
        mine.counts,
        mine.n_distinct,
    )
    assert (told.low, told.high) == (mine.low, mine.high)
    for one, other in ((told.mean, mine.mean), (told.standard_deviation, mine.standard_deviation)):
        assert one == (None if other is None else pytest.approx(other, rel=1e-12))


def test_where_every_bin_holds_one_value_the_value_is_written_down() -> None:
    values = RNG.choice([0.1, 1.0, 2.5], 500)
    column = measure.number_column("x", values)
    assert column.values == ("0.1", "1", "2.5")
    assert dict(column.top) == {"0.1": (values == 0.1).sum(), "1": (values == 1).sum(), "2.5": (values == 2.5).sum()}
    assert column.n_other == 0
    assert measure.number_column("x", RNG.normal(size=N_FINE + 1)).values == ()


def test_a_column_is_counted_into_the_bins_of_another_as_far_as_they_part_it() -> None:
    whole = measure.number_column("x", RNG.normal(size=50_000))
    some = RNG.normal(size=5_000)
    some = some[some < 1]
    mine = measure.number_column("x", some, like=whole, blocks=[slice(0, 100), slice(100, None)])
    assert set(mine.edges) < set(whole.edges)
    assert mine.low is not None and mine.high is not None
    assert mine.low < mine.edges[0] and mine.edges[-1] <= mine.high
    assert min(mine.counts[0], mine.counts[-2]) > 0
    assert mine.counts == measure.count(mine, some).counts


def test_few_values_of_another_column_stay_values() -> None:
    whole = measure.number_column("x", np.array([0.0, 1.0, 2.0, 3.0]))
    mine = measure.number_column("x", np.array([1.0, 2.0, 2.0]), like=whole)
    assert (mine.values, mine.counts) == (("1", "2"), (1, 2, 0))


def test_categories_of_another_column_have_their_bins() -> None:
    whole = measure.category_column("c", np.array(["a", "a", "b", "c"], object))
    mine = measure.category_column("c", np.array(["b", "b", "new"], object), like=whole)
    assert (mine.values, mine.counts) == (("a", "b", "c", "new"), (0, 2, 0, 1, 0, 0))


def test_texts_of_which_nearly_each_is_another_have_no_bins() -> None:
    describer = measure.ValueDescriber("note", kind="text")
    for start in range(0, 12_000, 3_000):
        describer.add([(f"note {i}", 1) for i in range(start, start + 3_000)], n_rows=3_001, n_missing=1)
    told = describer.finish()
    assert (told.values, told.counts, told.n_distinct) == ((), (12_000, 4), None)
    cells = np.array([f"note {i}" for i in range(12_000)] + [""] * 4, object)
    assert measure.category_column("note", cells, kind="text").counts == told.counts


def test_frequent_values_are_counted_exactly_however_many_others_there_are() -> None:
    describer = measure.ValueDescriber("id", kind="category", n_values=1)
    for start in range(0, 40_000, 8_000):
        describer.add(
            Counter({"a": 50} | {f"{i}": 1 for i in range(start, start + 8_000)}).items(), n_rows=8_050, n_missing=0
        )
    told = describer.finish()
    assert (told.values, told.counts, told.n_distinct) == (("a",), (250, 40_000, 0), None)


def test_cells_of_a_text_are_not_watched_but_its_statistics_are() -> None:
    cells = np.array(["hello", "you"], object)
    columns = [
        measure.category_column("note", cells, kind="text"),
        measure.number_column("note.length", np.array([5.0, 3.0]), source="note", statistic="length"),
    ]
    found = measure.count_rows(columns, {"input.note": cells})
    assert [one.name for one in found] == ["note.length"]
