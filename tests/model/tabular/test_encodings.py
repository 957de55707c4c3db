"""What is said of a category's rows helps where values differ, and tells no row its own truth."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import polars as pl
import pytest

from palio.core.records import Column, Schema, Task
from palio.model import PreprocessingOptions, Style, fit_preprocessing
from palio.train.examples import Examples

BINARY = Task(kind="classification", target="y", classes=("no", "yes"))
THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))
VALUE = Task(kind="regression", target="y")
SCHEMA = Schema(columns=(Column(name="x", type="number"), Column(name="town", type="category")))
TARGET = PreprocessingOptions(encode="target", encode_from=12)
BOTH = PreprocessingOptions(encode="both", encode_from=12)


def rows_of(n_rows: int, n_values: int, *, effect: float, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return a table, a score whose mean depends on the town, and the mean of each row's town."""
    rng = np.random.default_rng(seed)
    town, means = rng.integers(0, n_values, n_rows), effect * rng.normal(size=n_values)
    frame = pl.DataFrame({"x": rng.normal(size=n_rows), "town": [f"town {place}" for place in town]})
    return frame, means[town] + rng.normal(size=n_rows), means[town]


def encoded(examples: Examples, options: PreprocessingOptions, style: Style = "tree") -> tuple[Any, np.ndarray]:
    """Return the preprocessing, and the encodings of the rows it was fitted on, as a fit sees them."""
    fitted = examples.preprocessing(style, options)
    n_encoded = sum(len(spec.names) for spec in fitted.encodings)
    return fitted, examples.matrix(fitted)[:, len(fitted.feature_names) - n_encoded :]


def test_the_mean_target_of_a_value_is_found_again() -> None:
    frame, score, means = rows_of(6_000, 500, effect=1.0)
    fitted, seen = encoded(Examples(frame, score, SCHEMA, VALUE), TARGET)
    assert fitted.feature_names[-1] == "mean target of town"
    assert np.corrcoef(seen[:, 0], means)[0, 1] > 0.9
    assert np.corrcoef(fitted.transform(frame)[:, -1], means)[0, 1] > 0.9


def test_a_row_is_not_told_its_own_truth() -> None:
    frame, score, _ = rows_of(4_000, 400, effect=1.0)
    before = encoded(Examples(frame, score, SCHEMA, VALUE), TARGET)[1][:, 0]
    changed = score.copy()
    changed[7] += 1.0
    after = encoded(Examples(frame, changed, SCHEMA, VALUE), TARGET)[1][:, 0]
    others = (frame["town"] == frame["town"][7]).to_numpy()
    others[7] = False
    moved = np.abs(after - before)
    assert moved[7] < 0.01 < moved[others].max()  # all rows help to say how much values differ, and what is usual


def test_where_values_differ_a_fit_cannot_learn_the_noise_of_its_rows() -> None:
    """What is left of the target beside the towns' own means must not be seen in the encoding."""
    correlations = []
    for seed in range(20):
        frame, score, means = rows_of(4_000, 1_000, effect=0.7, seed=seed)
        examples = Examples(frame, score, SCHEMA, VALUE)
        fitted, seen = encoded(examples, TARGET)
        correlations.append(np.corrcoef(seen[:, 0], score - means)[0, 1])
        leaking = np.corrcoef(fitted.transform(frame)[:, -1], score - means)[0, 1]
        assert leaking > 0.2
    assert abs(np.mean(correlations)) < 0.02


@pytest.mark.parametrize("n_values", [30, 500, 3_000])
def test_nothing_is_said_of_values_that_differ_by_chance_alone(n_values: int) -> None:
    said = []
    for seed in range(30):
        frame, score, _ = rows_of(4_000, n_values, effect=0.0, seed=seed)
        said.append(len(Examples(frame, score, SCHEMA, VALUE).preprocessing("tree", TARGET).encodings))
    assert sum(said) <= 1


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("task", [BINARY, THREE, VALUE], ids=["two classes", "three classes", "value"])
def test_only_the_rows_that_were_learned_from_are_spared_the_graph(style: Style, task: Task) -> None:
    frame, score, _ = rows_of(3_000, 200, effect=1.5)
    edges = np.quantile(score, np.arange(1, len(task.classes)) / max(1, len(task.classes)))
    target = score if task.kind == "regression" else np.digitize(score, edges)
    whole = Examples(frame, target, SCHEMA, task)
    first, second = whole.take(np.arange(2_000)), whole.take(np.arange(2_000, 3_000))
    fitted = first.preprocessing(style, BOTH)
    n_encoded = len(task.classes) + 1 if len(task.classes) > 2 else 2
    assert len(fitted.encodings[0].names) == n_encoded
    np.testing.assert_array_equal(second.matrix(fitted), fitted.transform(second.frame))
    np.testing.assert_array_equal(first.features(fitted), fitted.transform(first.frame))
    learned, answered = first.matrix(fitted), first.features(fitted)
    np.testing.assert_array_equal(learned[:, :-n_encoded], answered[:, :-n_encoded])
    assert (learned[:, -n_encoded:] != answered[:, -n_encoded:]).any(axis=0).all()
    assert np.isfinite(learned[:, -n_encoded:]).all()


def test_values_never_seen_are_as_usual_and_missing_ones_are_a_value() -> None:
    frame, score, _ = rows_of(4_000, 100, effect=1.0)
    gone = np.arange(4_000) % 10 == 0
    frame = frame.with_columns(pl.when(pl.Series(gone)).then(None).otherwise("town").alias("town"))
    score = np.where(gone, 30.0, score)
    fitted = fit_preprocessing(frame, SCHEMA, task=VALUE, target=score, options=BOTH)
    later = pl.DataFrame({"x": [0.0, 0.0], "town": ["never seen", None]})
    (_, _, mean_new, rows_new), (_, _, mean_missing, rows_missing) = fitted.transform(later)
    assert mean_new == pytest.approx(score.mean(), abs=0.01)
    assert mean_missing == pytest.approx(30.0, abs=0.5)
    assert (rows_new, rows_missing) == (0, 400)


def test_rows_count_as_much_as_they_weigh() -> None:
    frame, score, _ = rows_of(3_000, 100, effect=1.0)
    weights = np.random.default_rng(1).integers(1, 4, 3_000).astype(float)
    repeated = np.repeat(np.arange(3_000), weights.astype(int))
    weighed = fit_preprocessing(frame, SCHEMA, task=VALUE, target=score, weights=weights, options=TARGET)
    copied = fit_preprocessing(frame[repeated], SCHEMA, task=VALUE, target=score[repeated], options=TARGET)
    np.testing.assert_allclose(weighed.transform(frame)[:, -1], copied.transform(frame)[:, -1], atol=0.1)
    plain = fit_preprocessing(frame, SCHEMA, task=VALUE, target=score, options=TARGET).transform(frame)[:, -1]
    far = np.abs(plain - copied.transform(frame)[:, -1]).mean()
    assert np.abs(weighed.transform(frame)[:, -1] - copied.transform(frame)[:, -1]).mean() < far / 2


def test_columns_of_few_values_and_columns_of_a_value_a_row_are_left_alone() -> None:
    frame, score, _ = rows_of(500, 8, effect=1.0)
    assert not fit_preprocessing(frame, SCHEMA, task=VALUE, target=score, options=BOTH).encodings
    ids = frame.with_columns(town=pl.Series([f"id {row}" for row in range(500)]))
    assert not fit_preprocessing(ids, SCHEMA, task=VALUE, target=score, options=BOTH).encodings


def test_targets_of_any_size_give_finite_encodings() -> None:
    frame, score, _ = rows_of(1_000, 50, effect=5.0)
    for scale in (1e-300, 1e140, 1e308):
        examples = Examples(frame, score * min(scale, 1e306), SCHEMA, VALUE)
        for style in get_args(Style):
            _, seen = encoded(examples, TARGET, style)
            assert seen.shape[1] == 1
            assert np.isfinite(seen).all()


def test_the_same_rows_are_encoded_in_the_same_way() -> None:
    frame, score, _ = rows_of(1_000, 50, effect=1.0)
    first, second = (encoded(Examples(frame, score, SCHEMA, VALUE), BOTH) for _ in range(2))
    assert first[0].build() == second[0].build()
    np.testing.assert_array_equal(first[1], second[1])
