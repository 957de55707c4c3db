from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from palio import model
from palio.core.records import Calibration, Column, Schema, Task
from palio.model import Graph, GraphBuilder
from palio.train.calibration import NONE, _risen, correct
from palio.train.ensemble import Unseen

TWO = Task(kind="classification", target="y", classes=("no", "yes"))
THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))


def rows(truth: Any, n_folds: int = 5) -> Unseen:
    n = len(truth)
    return Unseen(np.arange(n), np.arange(n) % n_folds, np.asarray(truth), np.zeros(n, dtype=np.int64))


def drawn(n: int, *, sharpness: float, seed: int = 0) -> tuple[Any, Any]:
    """Truths that follow log odds, and probabilities that are `sharpness` times as sure as they should be."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(scale=1.5, size=n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    second = 1 / (1 + np.exp(-sharpness * odds))
    return np.column_stack([1 - second, second]), truth


def log_loss(answers: Any, truth: Any) -> float:
    return float(-np.log(answers[np.arange(len(truth)), truth]).mean())


@pytest.mark.parametrize("sharpness", [0.3, 3.0])
@pytest.mark.parametrize("keeps_order", [True, False])
def test_answers_that_are_too_sure_or_not_sure_enough_are_corrected(sharpness: float, keeps_order: bool) -> None:
    answers, truth = drawn(4_000, sharpness=sharpness)
    how, corrected = correct(answers, rows(truth), keeps_order=keeps_order)
    honest, _ = drawn(4_000, sharpness=1.0)
    assert how.kind != "none"
    assert log_loss(corrected, truth) < log_loss(answers, truth)
    assert log_loss(corrected, truth) == pytest.approx(log_loss(honest, truth), abs=0.01)
    np.testing.assert_allclose(corrected.sum(axis=1), 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_answers_that_mean_what_they_say_stay_as_they_are(seed: int) -> None:
    answers, truth = drawn(2_000, sharpness=1.0, seed=seed)
    how, corrected = correct(answers, rows(truth), keeps_order=True)
    assert how == NONE
    assert corrected is answers


def test_a_temperature_corrects_many_classes() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3_000, 3))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in p])
    sure = np.exp(3 * scores) / np.exp(3 * scores).sum(axis=1, keepdims=True)
    how, _ = correct(sure, rows(truth), keeps_order=True)
    assert how.kind == "temperature"
    assert how.numbers[0] == pytest.approx(1 / 3, abs=0.03)


def test_few_rows_are_left_alone() -> None:
    answers, truth = drawn(100, sharpness=9.0)
    assert correct(answers, rows(truth), keeps_order=True)[0] == NONE


@pytest.mark.parametrize(
    ("task", "how"),
    [
        (TWO, Calibration(kind="platt", numbers=(0.4, -0.7))),
        (TWO, Calibration(kind="isotonic", numbers=(0.0, 0.02, 0.3, 0.1, 0.6, 0.75, 1.0, 0.97))),
        (THREE, Calibration(kind="temperature", numbers=(0.35,))),
        (TWO, NONE),
    ],
)
def test_the_nodes_of_a_correction_do_what_its_numbers_do(task: Task, how: Calibration) -> None:
    n = len(task.classes)
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(n, 0.3), size=500)
    p[:3] = np.eye(n)[[0, 1, 0]]
    schema = Schema(columns=tuple(Column(name=f"x{k}", type="number") for k in range(n)))
    builder = GraphBuilder(schema)
    found = model.emit_calibrated(builder, builder.concat([builder.input(f"x{k}") for k in range(n)]), how)
    model.emit_answers(builder, found, task)
    outputs = Graph(builder.build()).predict({f"x{k}": p[:, k : k + 1] for k in range(n)})
    np.testing.assert_allclose(outputs.probabilities, model.calibrated(p, how), atol=1e-12)
    assert np.isfinite(outputs.probabilities).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_a_curve_that_never_falls_is_the_one_that_others_find(seed: int) -> None:
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(seed)
    places = rng.random(500).round(2)
    values = (rng.random(500) < places**2).astype(float)
    at, risen = _risen(places, values)
    assert (np.diff(risen) >= 0).all()
    np.testing.assert_allclose(risen, IsotonicRegression().fit(places, values).predict(at), atol=1e-12)


def test_a_steep_correction_of_sure_answers_is_sure_and_warns_of_nothing() -> None:
    answers = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.calibrated(answers, Calibration(kind="platt", numbers=(60.0, 0.0)))
    np.testing.assert_allclose(found, [[1, 0], [0, 1], [0.5, 0.5]], atol=1e-12)
