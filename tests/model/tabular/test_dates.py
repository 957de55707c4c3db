"""The calendar in the graph is Python's calendar."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from palio.core.records import Column, Schema
from palio.model import Graph, GraphBuilder
from palio.model.tabular.dates import LINEAR_PARTS, TREE_PARTS, Calendar

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def graph() -> Graph:
    builder = GraphBuilder(Schema(columns=(Column(name="when", type="datetime"),)))
    calendar = Calendar(builder, builder.input("when"))
    for part in (*TREE_PARTS, *LINEAR_PARTS):
        if part not in {value.name for value in builder._outputs}:
            builder.output(part, calendar.part(part), "double", (None, 1))
    return Graph(builder.build())


def parts(graph: Graph, moments: list[dt.datetime]) -> dict[str, np.ndarray]:
    seconds = np.array([[(moment - EPOCH) / dt.timedelta(seconds=1)] for moment in moments])
    return {name: value[:, 0] for name, value in graph.run({"when": seconds}).items()}


def expected(moment: dt.datetime) -> tuple[int, ...]:
    first = dt.datetime(moment.year, 1, 1, tzinfo=dt.UTC)
    days = (moment - EPOCH).days
    hour_of_week = moment.weekday() * 24 + moment.hour
    return (
        moment.year,
        moment.month,
        moment.day,
        moment.weekday(),
        moment.hour,
        (moment - first).days,
        days,
        hour_of_week,
    )


def test_every_day_from_1900_to_2100_is_read_as_python_reads_it(graph: Graph) -> None:
    start = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
    hours = np.random.default_rng(0).integers(0, 86400, 73414)
    moments = [start + dt.timedelta(days=i, seconds=int(hours[i])) for i in range(73414)]
    assert moments[-1].year == 2100
    got = parts(graph, moments)
    np.testing.assert_array_equal(np.column_stack([got[p] for p in TREE_PARTS]), [expected(m) for m in moments])


def test_the_first_and_last_moment_of_each_day_belong_to_it(graph: Graph) -> None:
    days = [
        dt.datetime(*day, tzinfo=dt.UTC)
        for day in ((1900, 3, 1), (1969, 12, 31), (2000, 2, 29), (2100, 2, 28), (1, 1, 1), (9999, 12, 31))
    ]
    moments = [m for day in days for m in (day, day + dt.timedelta(hours=23, minutes=59, seconds=59, milliseconds=999))]
    got = parts(graph, moments)
    np.testing.assert_array_equal(np.column_stack([got[p] for p in TREE_PARTS]), [expected(m) for m in moments])


def test_waves_close_at_the_end_of_their_period(graph: Graph) -> None:
    got = parts(graph, [dt.datetime(2023, 1, 1, h, tzinfo=dt.UTC) for h in (0, 6, 12, 18)])
    np.testing.assert_allclose(got["hour_sin"], [0, 1, 0, -1], atol=1e-12)
    np.testing.assert_allclose(got["hour_cos"], [1, 0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(got["hour_sin3"], [0, -1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(got["hour_cos2"], [1, -1, 1, -1], atol=1e-12)


def test_missing_and_impossible_moments_do_not_break_it(graph: Graph) -> None:
    got = graph.run({"when": np.array([[np.nan], [1e308], [-1e308], [np.inf], [-np.inf]])})
    assert all(np.isnan(value[0, 0]) for value in got.values())
    assert got["year"][1:, 0].tolist() == [9999, 1, 9999, 1]
