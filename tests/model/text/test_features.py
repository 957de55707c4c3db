"""Texts become numbers that tell what they are about, and a row never learns from its own truth."""

from __future__ import annotations

import numpy as np
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.model.text.features import directions, fit_text
from palio.model.text.vocabulary import learn_reading
from palio.model.text.weighing import fit_weighing
from palio.testing.examples import TASKS, text_examples
from palio.train import Examples

import polars as pl  # isort: skip


def subjects(n_rows: int, *, seed: int = 0) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    words = [
        ["goal", "match", "team", "coach"],
        ["bank", "stock", "market", "price"],
        ["moon", "star", "orbit", "probe"],
    ]
    which = rng.integers(0, 3, n_rows)
    return [" ".join(rng.choice([*words[one], "the", "and", "of"], 8)) for one in which], which


def test_directions_tell_subjects_apart_without_a_target() -> None:
    texts, which = subjects(300)
    reading, counts = learn_reading("note", texts)
    weighed = fit_weighing(reading, counts).weigh(counts)
    places = weighed @ directions(weighed, 4)
    middles = np.array([places[which == one].mean(axis=0) for one in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == which).mean() > 0.98


def test_directions_are_at_right_angles_and_the_same_for_the_same_rows() -> None:
    texts, _ = subjects(200)
    reading, counts = learn_reading("note", texts)
    weighed = fit_weighing(reading, counts).weigh(counts)
    first, second = directions(weighed, 6), directions(weighed, 6)
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first.T @ first, np.eye(6), atol=1e-5)


def test_scores_of_rows_that_are_learned_from_know_nothing_of_noise() -> None:
    texts, _ = subjects(400)
    texts = [f"{text} id{row}" for row, text in enumerate(texts)] * 1
    noise = np.random.default_rng(1).integers(0, 2, len(texts)).astype(float).reshape(-1, 1)
    fitted = fit_text("note", "note", texts, signals=noise, signal_names=("",))
    assert fitted is not None
    _, held_out = fitted
    assert abs(np.corrcoef(held_out[:, 0], noise[:, 0])[0, 1]) < 0.15


@pytest.mark.parametrize("style", ["tree", "forest", "linear"])
def test_the_matrix_that_is_learned_from_differs_from_the_graph_in_the_scores_alone(style: str) -> None:
    examples = text_examples(TASKS["two classes"])
    preprocessing = examples.preprocessing(style)  # type: ignore[arg-type]
    names = np.array(preprocessing.feature_names)
    seen, computed = examples.matrix(preprocessing), examples.features(preprocessing)
    differs = (seen != computed).any(axis=0) & ~np.isnan(seen).any(axis=0)
    assert set(names[differs]) == {"note: score"}
    assert seen.shape[1] == len(names) == len(set(names))


def test_linear_features_of_texts_have_mean_0_and_deviation_1() -> None:
    examples = text_examples(TASKS["three classes"])
    preprocessing = examples.preprocessing("linear")
    own = [place for place, name in enumerate(preprocessing.feature_names) if name.startswith("note: ")]
    features = examples.matrix(preprocessing)[:, own]
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(features.std(axis=0), 1, atol=1e-6) | np.allclose(features.std(axis=0), 0)


def of_texts(texts: list[str | None], **others: list[float]) -> Examples:
    frame = pl.DataFrame({"note": pl.Series(texts, dtype=pl.String), **others})
    columns = (Column(name="note", type="text"), *(Column(name=name, type="number") for name in others))
    task = Task(kind="classification", target="y", classes=("a", "b"), metric="log_loss")
    target = np.arange(len(texts)) % 2
    return Examples(frame, target, Schema(columns=columns, target="y"), task)


@pytest.mark.parametrize(
    "texts",
    [
        [None] * 99 + ["a single text"],
        ["", "x"] * 50,
        [f"{number}" for number in range(100)],
        ["😀", "🎉", None, "¡"] * 25,
        ["\u200b", " ", "\x00", None] * 25,
    ],
)
def test_odd_columns_become_features_or_none(texts: list[str | None]) -> None:
    examples = of_texts(texts, age=list(range(100)))  # type: ignore[arg-type]
    for style in ("tree", "forest", "linear"):
        preprocessing = examples.preprocessing(style)  # type: ignore[arg-type]
        features = examples.matrix(preprocessing)
        assert features.shape == (100, len(preprocessing.feature_names))
        assert np.isfinite(features).all()


def test_a_text_that_repeats_in_all_rows_is_no_feature() -> None:
    examples = of_texts(["the same"] * 100, age=list(range(100)))  # type: ignore[arg-type]
    assert examples.preprocessing("tree").feature_names == ("age",)


def test_texts_are_left_alone_if_asked() -> None:
    examples = text_examples(TASKS["value"])
    names = examples.preprocessing("tree", model.PreprocessingOptions(texts=False)).feature_names
    assert not any(name.startswith("note") for name in names)
