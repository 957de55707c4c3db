"""Columns become features the same way in training and in the graph, whatever they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio.core.errors import ContractError, InputError
from palio.core.records import Column, Schema, Task
from palio.model import PreprocessingOptions, fit_preprocessing

BINARY = Task(kind="classification", target="y", classes=("no", "yes"))


def schema(**types: Any) -> Schema:
    return Schema(columns=tuple(Column(name=name, type=kind) for name, kind in types.items()))


def test_trees_see_numbers_as_they_are_and_categories_as_codes_by_frequency() -> None:
    frame = pl.DataFrame({"x": [1.5, None, -2.0] * 10, "c": ["b", "a", "b"] * 10})
    fitted = fit_preprocessing(frame, schema(x="number", c="category"), task=BINARY, style="tree")
    assert fitted.feature_names == ("x", "c")
    assert fitted.categorical == (1,)
    got = fitted.transform(pl.DataFrame({"x": [1e308, None], "c": ["b", "a"]}))
    np.testing.assert_array_equal(got, [[1e308, 1], [np.nan, 2]])


def test_rare_unknown_and_missing_categories_have_numbers_of_their_own() -> None:
    values = ["a"] * 20 + ["b"] * 10 + ["rare"] * 2 + [None] * 3
    frame = pl.DataFrame({"c": values})
    fitted = fit_preprocessing(frame, schema(c="category"), task=BINARY, style="tree")
    got = fitted.transform(pl.DataFrame({"c": ["a", "b", None, "rare", "never seen"]}))
    assert got[:, 0].tolist() == [1, 2, 3, 4, 4]


def test_a_missing_category_that_was_never_seen_is_not_a_number_for_trees() -> None:
    fitted = fit_preprocessing(pl.DataFrame({"c": ["a", "b"] * 9}), schema(c="category"), task=BINARY, style="tree")
    assert np.isnan(fitted.transform(pl.DataFrame({"c": pl.Series([None], dtype=pl.String)}))[0, 0])


def test_of_many_categories_the_most_frequent_keep_their_codes() -> None:
    values = [f"v{i:03d}" for i in range(150) for _ in range(300 - i)]
    options = PreprocessingOptions(max_categories=100)
    frame = pl.DataFrame({"c": values})
    fitted = fit_preprocessing(frame, schema(c="category"), task=BINARY, style="tree", options=options)
    got = fitted.transform(pl.DataFrame({"c": ["v000", "v099", "v100", "v149"]}))
    assert got[:, 0].tolist() == [1, 100, 101, 101]


def test_forests_get_medians_beside_an_indicator_and_never_a_missing_number() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, None, 9.0], "z": [1.0, 2.0, 3.0, 4.0]})
    fitted = fit_preprocessing(frame, schema(x="number", z="number"), task=BINARY, style="forest")
    assert fitted.feature_names == ("x", "z", "x is missing")
    got = fitted.transform(pl.DataFrame({"x": [None, 5.0], "z": [None, 1e308]}))
    np.testing.assert_array_equal(got, [[2.0, 2.5, 1.0], [5.0, 1e30, 0.0]])


def test_forests_get_many_categories_in_the_order_of_the_target() -> None:
    names = [f"c{i:02d}" for i in range(20)]
    frame = pl.DataFrame({"c": names * 50})
    target = np.array([i / 20 for i in range(20)] * 50)
    task = Task(kind="regression", target="y")
    fitted = fit_preprocessing(frame, schema(c="category"), task=task, target=target, style="forest")
    got = fitted.transform(pl.DataFrame({"c": names}))[:, 0]
    assert (np.diff(got) > 0).all()
    unknown = fitted.transform(pl.DataFrame({"c": ["never seen", None]}))[:, 0]
    assert got.min() < unknown[0] < got.max()
    assert unknown[0] == unknown[1]


def test_linear_features_are_standardised() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(50, 7, 500), "c": rng.choice(["a", "b", "c"], 500)})
    fitted = fit_preprocessing(frame, schema(x="number", c="category"), task=BINARY, style="linear")
    got = fitted.transform(frame)
    assert abs(got[:, 0].mean()) < 1e-12
    assert abs(got[:, 0].std() - 1) < 1e-12
    assert (got[:, 1:].sum(axis=1) == 1).all()


def test_a_heavy_tailed_column_enters_a_linear_model_twice() -> None:
    frame = pl.DataFrame({"x": np.random.default_rng(0).lognormal(3, 2.5, 2000)})
    assert fit_preprocessing(frame, schema(x="number"), task=BINARY, style="linear").feature_names == ("x", "log x")


@settings(max_examples=60, deadline=None)
@given(
    train=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=12),
    later=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=4),
    style=st.sampled_from(["linear", "forest"]),
)
def test_no_number_whatsoever_makes_a_feature_that_is_not_finite(
    train: list[float], later: list[float], style: Any
) -> None:
    frame = pl.DataFrame({"x": train, "z": [float(i) for i in range(len(train))]})
    fitted = fit_preprocessing(frame, schema(x="number", z="number"), task=BINARY, style=style)
    got = fitted.transform(pl.DataFrame({"x": later, "z": later}))
    assert np.isfinite(got).all()
    assert np.isfinite(fitted.transform(frame)).all()


def test_columns_that_never_differ_are_left_out() -> None:
    frame = pl.DataFrame(
        {"x": [1.0, 1.0], "c": ["a", "a"], "z": [1.0, 2.0], "n": [None, None]}, schema_overrides={"n": pl.Float64}
    )
    fitted = fit_preprocessing(
        frame, schema(x="number", c="category", z="number", n="number"), task=BINARY, style="tree"
    )
    assert fitted.feature_names == ("z",)


@pytest.mark.parametrize("frame", [pl.DataFrame({"x": [1.0, 1.0]}), pl.DataFrame({"x": []}, schema={"x": pl.Float64})])
def test_nothing_to_learn_from_is_an_input_error_with_a_hint(frame: pl.DataFrame) -> None:
    with pytest.raises(InputError) as caught:
        fit_preprocessing(frame, schema(x="number"), task=BINARY, style="tree")
    assert caught.value.hint


def test_an_absent_column_is_named() -> None:
    fitted = fit_preprocessing(pl.DataFrame({"x": [1.0, 2.0]}), schema(x="number"), task=BINARY)
    with pytest.raises(ContractError, match="`x`"):
        fitted.transform(pl.DataFrame({"y": [1.0]}))


@pytest.mark.parametrize("style", ["tree", "forest", "linear"])
def test_frames_and_feeds_give_the_same_features_under_names_as_many_as_columns(
    small_frame: pl.DataFrame, style: Any
) -> None:
    from palio.model import feeds_from_frame

    columns = schema(amount="number", count="integer", when="datetime", colour="category", town="category")
    target = (small_frame["answer"] == "yes").to_numpy().astype(int)
    fitted = fit_preprocessing(small_frame, columns, task=BINARY, target=target, style=style)
    features = fitted.transform(small_frame)
    assert features.shape == (400, len(fitted.feature_names))
    assert len(set(fitted.feature_names)) == len(fitted.feature_names)
    np.testing.assert_array_equal(features, fitted.transform(feeds_from_frame(small_frame, columns)))
    one_by_one = np.concatenate([fitted.transform(small_frame[i]) for i in range(3)])
    np.testing.assert_allclose(one_by_one, features[:3], rtol=1e-12)  # a sine of many rows may differ in its last bit


def test_columns_may_be_called_like_outputs_or_tensors() -> None:
    names = ["prediction", "probabilities", "#0", "input:prediction", "a b/c", "é"]
    frame = pl.DataFrame({name: [1.0, 2.0] for name in names})
    fitted = fit_preprocessing(frame, schema(**dict.fromkeys(names, "number")), task=BINARY)
    np.testing.assert_array_equal(fitted.transform(frame), [[1.0] * 6, [2.0] * 6])
