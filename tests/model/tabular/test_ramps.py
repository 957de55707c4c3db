"""Ramps say the same in the graph as in numpy."""

from __future__ import annotations

import numpy as np

from palio.core.records import Column, Schema
from palio.model import Graph, GraphBuilder, fit_ramps

NUMBERS = Schema(columns=(Column(name="u", type="number"), Column(name="v", type="number")))


def test_the_graph_makes_the_ramps_that_numpy_makes() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 2))
    rows[:, 1] = rows[:, 1] > 0
    ramps = fit_ramps(rows, 5, 100)
    assert set(ramps.features) == {0}  # what has two values needs no ramps
    builder = GraphBuilder(NUMBERS)
    found = ramps.emit(builder, builder.concat([builder.input("u"), builder.input("v")]))
    builder.result(found, "double", (None, 2 + len(ramps.features)))
    probe = np.array([[-1e9, 0.0], [0.0, 1.0], [1e9, 0.0], *rows[:50]])
    (got,) = Graph(builder.build()).run({"u": probe[:, :1], "v": probe[:, 1:]}).values()
    np.testing.assert_array_equal(got, ramps.apply(probe))


def test_ramps_add_up_to_where_a_number_stands_among_quantiles() -> None:
    rows = np.random.default_rng(0).normal(size=(1_000, 1))
    ramps = fit_ramps(rows, 4, 100)
    place = ramps.apply(np.quantile(rows, [[0.0], [0.25], [0.5], [0.75], [1.0]]).reshape(-1, 1))[:, 1:].sum(axis=1)
    np.testing.assert_allclose(place, [0, 1, 2, 3, 4], atol=1e-12)


def test_wide_tables_have_no_ramps() -> None:
    assert fit_ramps(np.random.default_rng(0).normal(size=(50, 40)), 8, 60).features == ()
