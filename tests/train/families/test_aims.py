"""What a metric asks for is what a family's fit makes small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.measure import Answers, score
from palio.train.cutting import weighted
from palio.train.examples import Examples, Objective, objective_of
from palio.train.family import graph_of
from palio.train.how import How
from palio.train.table import load_family

FAMILIES = ("linear", "lightgbm", "xgboost", "catboost", "mlp", "svm")
SCHEMA = Schema(columns=(Column(name="x", type="number"), Column(name="z", type="number")))
Target = Callable[[Any, Any, Any], Any]


def uneven(rng: Any, x: Any, z: Any) -> Any:
    """Return values whose spread grows with `z`."""
    return 20 + 2 * x + (0.5 + z) * rng.normal(size=len(x))


def counts(rng: Any, x: Any, z: Any) -> Any:
    return rng.poisson(np.exp(0.6 * x + 0.4 * z)).astype(np.float64)


def sizes(rng: Any, x: Any, z: Any) -> Any:
    """Return values above 0 with a long tail."""
    return np.exp(1 + 0.5 * x + (0.2 + 0.4 * z) * rng.normal(size=len(x)))


def rows(seed: int, metric: str, target: Target) -> Examples:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=1_500), rng.uniform(0, 2, 1_500)
    task = Task(kind="regression", target="y", metric=metric)
    return Examples(pl.DataFrame({"x": x, "z": z}), target(rng, x, z), SCHEMA, task)


def answered(name: str, metric: str, target: Target, objective: Objective = "auto") -> tuple[Any, Examples]:
    """Return what a family that learned for a metric says of other rows, and these."""
    family = load_family(name)
    taught, asked = weighted(rows(0, metric, target), How(objective=objective)), rows(1, metric, target)
    params = dict(family.defaults(taught.shape, taught.task)[0])
    if family.rounds:
        half = np.arange(len(taught.target))
        curve = family.fit(taught.take(half[::2]), params=params, seed=0, watch=taught.take(half[1::2])).curve
        assert curve is not None
        params[family.rounds] = int(curve.argmin()) + 1
    fitted = family.fit(taught, params=params, seed=0)
    said = fitted.reference(asked)
    graph = model.Graph(graph_of(fitted, SCHEMA, taught.task))
    assert model.check_parity(graph, asked.feeds(), said).passed
    return np.asarray(said.prediction, np.float64), asked


def test_each_metric_of_numbers_has_its_objective_and_an_order_goes_before_it() -> None:
    wanted = {
        "rmse": "squared",
        "r2": "squared",
        "mae": "absolute",
        "mape": "absolute",
        "huber": "huber",
        "pinball_90": "quantile",
        "poisson_deviance": "poisson",
    }
    assert {metric: objective_of(rows(0, metric, counts)) for metric in wanted} == wanted
    assert objective_of(weighted(rows(0, "pinball_10", uneven), How(objective="squared"))) == "squared"


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("metric", "level"), [("pinball_10", 0.1), ("pinball_90", 0.9)])
def test_so_many_truths_lie_below_a_quantile_that_was_asked_for(name: str, metric: str, level: float) -> None:
    said, asked = answered(name, metric, uneven)
    assert (asked.target <= said).mean() == pytest.approx(level, abs=0.05)
    middling, _ = answered(name, metric, uneven, "squared")
    ours, theirs = (score(asked.task, asked.target, Answers(one))[metric] for one in (said, middling))
    assert ours < 0.75 * theirs


@pytest.mark.parametrize("name", FAMILIES)
def test_a_rate_is_never_below_zero_and_as_high_as_the_counts_are(name: str) -> None:
    said, asked = answered(name, "poisson_deviance", counts)
    assert said.min() > 0
    assert said.mean() == pytest.approx(asked.target.mean(), rel=0.1)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("metric", ["mape", "huber"])
def test_what_is_made_small_for_a_metric_beats_the_square_by_it(name: str, metric: str) -> None:
    """The mean of what has a long tail is too high for most of it."""
    said, asked = answered(name, metric, sizes)
    middling, _ = answered(name, "rmse", sizes)
    ours, theirs = (score(asked.task, asked.target, Answers(one))[metric] for one in (said, middling))
    assert ours < theirs


@pytest.mark.parametrize("metric", ["mae", "huber", "mape", "pinball_10", "pinball_90", "rmse", "poisson_deviance"])
def test_no_other_constant_is_much_better_than_the_dummy(metric: str) -> None:
    said, _ = answered("dummy", metric, sizes)
    taught = rows(0, metric, sizes)
    values = [score(taught.task, taught.target, Answers(np.full(1_500, at)))[metric] for at in np.linspace(0.2, 9, 89)]
    assert score(taught.task, taught.target, Answers(np.full(1_500, said[0])))[metric] < 1.03 * min(values)
