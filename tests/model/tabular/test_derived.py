"""Numbers made of several columns are what their names say, for any cells, and the same in every graph."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import polars as pl
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.model import Derived, Graph, GraphBuilder, PreprocessingOptions, Style, fit_preprocessing
from palio.model.graph.stages import stages_of

VALUE = Task(kind="regression", target="y")
SCHEMA = Schema(
    columns=(
        Column(name="price", type="number"),
        Column(name="area", type="number"),
        Column(name="town", type="category"),
        Column(name="listed", type="datetime"),
        Column(name="sold", type="datetime"),
    )
)
MADE = (
    Derived(operation="difference", columns=("area", "price")),
    Derived(operation="ratio", columns=("price", "area")),
    Derived(operation="missing", columns=("price", "town", "sold")),
    Derived(operation="days", columns=("sold", "listed")),
    Derived(operation="product", columns=("price", "area")),
    Derived(operation="ratio", columns=("area", "price")),
)
OPTIONS = PreprocessingOptions(derived=MADE, encode="both", encode_from=12)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 600
    listed = np.datetime64("2020-01-01", "us") + rng.integers(0, 365 * 86_400, n) * 1_000_000
    sold = listed + rng.integers(0, 90 * 86_400, n) * 1_000_000
    return pl.DataFrame(
        {
            "price": rng.lognormal(3, 1, n),
            "area": rng.integers(0, 20, n).astype(float),
            "town": [f"town {place}" for place in rng.integers(0, 40, n)],
            "listed": pl.Series(listed).dt.replace_time_zone("UTC"),
            "sold": pl.Series(sold).dt.replace_time_zone("UTC"),
        }
    ).with_columns(
        pl.when(pl.Series(rng.random(n) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("price", "town", "sold")
    )


def truth_of(frame: pl.DataFrame) -> np.ndarray[Any, Any]:
    town = frame["town"].fill_null("town 0").str.strip_prefix("town ").cast(float).to_numpy()
    return np.asarray(frame["area"].to_numpy() + town % 7 + np.random.default_rng(1).normal(size=len(town)))


def test_they_are_what_their_names_say(frame: pl.DataFrame) -> None:
    fitted = fit_preprocessing(frame, SCHEMA, task=VALUE, options=PreprocessingOptions(derived=MADE))
    got = dict(zip(fitted.feature_names, fitted.transform(frame).T, strict=True))
    price, area = frame["price"].cast(float).to_numpy(), frame["area"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(got["price / area"], np.where(area == 0, np.nan, price / area))
    np.testing.assert_array_equal(got["area - price"], area - price)
    np.testing.assert_array_equal(got["price * area"], price * area)
    days = (frame["sold"] - frame["listed"]).dt.total_seconds().cast(float).to_numpy() / 86_400
    np.testing.assert_allclose(got["days from listed to sold"], days, atol=1e-9)
    missing = sum(frame[name].is_null().cast(int) for name in ("price", "town", "sold"))
    np.testing.assert_array_equal(got["missing cells"], missing.to_numpy())


def test_the_days_between_moments_are_made_without_being_asked_for(frame: pl.DataFrame) -> None:
    fitted = fit_preprocessing(frame, SCHEMA, task=VALUE)
    assert fitted.feature_names[-1] == "days from listed to sold"
    asked = PreprocessingOptions(days=False)
    assert not fit_preprocessing(frame, SCHEMA, task=VALUE, options=asked).derived


def test_numbers_that_never_differ_are_not_made(frame: pl.DataFrame) -> None:
    same = frame.with_columns(price=2 * pl.col("area"))
    made = (Derived(operation="ratio", columns=("price", "area")), Derived(operation="missing", columns=("area",)))
    fitted = fit_preprocessing(
        same.filter(pl.col("area") > 0), SCHEMA, task=VALUE, options=PreprocessingOptions(derived=made, days=False)
    )
    assert not fitted.derived


@pytest.mark.parametrize("style", get_args(Style))
def test_no_cell_makes_a_number_that_is_too_large_or_missing_where_it_must_not_be(
    style: Style, frame: pl.DataFrame
) -> None:
    fitted = fit_preprocessing(frame, SCHEMA, task=VALUE, target=truth_of(frame), style=style, options=OPTIONS)
    hard = model.stress_feeds(frame, SCHEMA, fitted.build())
    got = fitted.transform(hard)
    assert not np.isinf(got).any()
    if style != "tree":
        assert np.isfinite(got).all()
        assert "price / area is missing" in fitted.feature_names
    assert len(fitted.feature_names) == got.shape[1]


@pytest.mark.parametrize("family", ["trees", "linear"])
def test_graph_and_library_agree_and_each_column_acts_through_its_own_features(
    family: str, frame: pl.DataFrame
) -> None:
    truth = truth_of(frame)
    style: Style = "tree" if family == "trees" else "linear"
    fitted = fit_preprocessing(frame, SCHEMA, task=VALUE, target=truth, style=style, options=OPTIONS)
    features = fitted.transform(frame)
    builder = GraphBuilder(SCHEMA)
    tensor = fitted.emit(builder)
    if family == "trees":
        import lightgbm

        rows = lightgbm.Dataset(features, truth, categorical_feature=list(fitted.categorical), params={"verbose": -1})
        settings = {"objective": "regression", "verbose": -1, "num_threads": 1}
        learned = lightgbm.train(settings, rows, 30)
        model.emit_answers(builder, model.emit_lightgbm(builder, tensor, learned, VALUE), VALUE)
    else:
        from sklearn.linear_model import Ridge

        learned = Ridge().fit(features, truth)
        model.emit_answers(builder, model.emit_linear(builder, tensor, learned.coef_, learned.intercept_, VALUE), VALUE)
    graph = builder.build()
    whole, stages = Graph(graph), stages_of(graph)
    assert stages is not None
    for feeds in (model.feeds_from_frame(frame, SCHEMA), model.stress_feeds(frame, SCHEMA, graph)):
        answers = whole.predict(feeds).prediction
        np.testing.assert_allclose(answers, learned.predict(fitted.transform(feeds)), rtol=1e-9, atol=1e-9)
        features = stages.features(feeds)
        np.testing.assert_array_equal(stages.answer(features).prediction, answers)
        for column in SCHEMA.features:
            mine = np.array(stages.column_of) == column.name
            other = features.copy()
            other[:, mine] = features[::-1][:, mine]
            expected = whole.predict({**feeds, column.name: feeds[column.name][::-1]}).prediction
            # the last bit of a wave depends on the rows beside it
            np.testing.assert_allclose(stages.answer(other).prediction, expected, rtol=1e-12)


def test_options_survive_being_settings() -> None:
    from palio.train.family import features_of, options_of

    assert options_of({"features": features_of(OPTIONS)}) == OPTIONS
    assert features_of(PreprocessingOptions()) == {}
    assert hash(options_of({"features": features_of(OPTIONS)})) == hash(OPTIONS)
