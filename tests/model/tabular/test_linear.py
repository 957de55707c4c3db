"""Linear and constant models end in the outputs of their task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.model import Graph, GraphBuilder, Outputs, emit_answers, emit_constant, emit_linear

X = np.array([[0.0, 0.0], [1.0, -2.0], [800.0, 800.0], [-800.0, -800.0]])
BINARY = Task(kind="classification", target="y", classes=("no", "yes"))
THREE = Task(kind="classification", target="y", classes=("a", "b", "c"))
VALUE = Task(kind="regression", target="y")
NUMBERS = Schema(columns=(Column(name="u", type="number"), Column(name="v", type="number")))


def predict(emit: Any, task: Task) -> Outputs:
    builder = GraphBuilder(NUMBERS)
    emit_answers(builder, emit(builder, builder.concat([builder.input("u"), builder.input("v")]), task), task)
    return Graph(builder.build()).predict({"u": X[:, :1], "v": X[:, 1:]})


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
def test_two_classes_are_a_sigmoid_of_the_second_ones_score(shape: tuple[int, ...]) -> None:
    out = predict(lambda b, f, t: emit_linear(b, f, np.array([1.0, 2.0]).reshape(shape), 0.0, t), BINARY)
    np.testing.assert_allclose(out.probabilities[:, 1], [0.5, 1 / (1 + np.exp(3.0)), 1.0, 0.0], atol=1e-15)
    assert out.prediction.tolist() == ["no", "no", "yes", "no"]


def test_more_classes_are_a_softmax_that_no_score_overflows() -> None:
    out = predict(lambda b, f, t: emit_linear(b, f, [[1, 0], [0, 1], [2, 2]], [0, 0, 0.5], t), THREE)
    assert np.isfinite(out.probabilities).all()
    np.testing.assert_allclose(out.probabilities.sum(axis=1), 1)
    assert out.prediction.tolist() == ["c", "a", "c", "a"]


def test_a_class_with_an_intercept_of_minus_infinity_is_never_predicted() -> None:
    out = predict(lambda b, f, t: emit_linear(b, f, np.zeros((3, 2)), [0, -np.inf, 0], t), THREE)
    np.testing.assert_allclose(out.probabilities, [[0.5, 0, 0.5]] * 4)


def test_a_value_is_the_sum() -> None:
    out = predict(lambda b, f, t: emit_linear(b, f, [1.0, 2.0], [3.0], t), VALUE)
    assert out.prediction.tolist() == [3.0, 0.0, 2403.0, -2397.0]
    assert out.probabilities is None


@pytest.mark.parametrize("text", [False, True])
def test_a_constant_looks_at_nothing(text: bool) -> None:
    kind: Any = "category" if text else "number"
    builder = GraphBuilder(Schema(columns=(Column(name="u", type=kind),)))
    emit_answers(builder, emit_constant(builder, [0.25, 0.75], BINARY), BINARY)
    rows = np.array([["a"], [""]], dtype=object) if text else np.array([[np.nan], [1e308]])
    out = Graph(builder.build()).predict({"u": rows})
    assert out.probabilities.tolist() == [[0.25, 0.75]] * 2
    assert out.prediction.tolist() == ["yes", "yes"]


def test_a_constant_value_answers_itself() -> None:
    assert predict(lambda b, f, t: emit_constant(b, 2.5, t), VALUE).prediction.tolist() == [2.5] * 4


@pytest.mark.parametrize(
    ("coefficients", "intercepts", "task"),
    [
        ([[1, 2]], [0], THREE),
        ([[1, 2], [3, 4]], [0, 0], BINARY),
        ([1, 2], [0, 0], VALUE),
        ([np.nan, 1], [0], VALUE),
        ([np.inf, 1], [0], VALUE),
        ([1, 1], [np.nan], VALUE),
        ([[1, 2]], [0], Task(kind="classification", target="y", classes=("only",))),
    ],
)
def test_shapes_that_do_not_fit_the_task_are_refused(coefficients: Any, intercepts: Any, task: Task) -> None:
    with pytest.raises(InputError) as caught:
        predict(lambda b, f, t: emit_linear(b, f, coefficients, intercepts, t), task)
    assert caught.value.hint


def test_a_constant_needs_one_probability_for_each_class() -> None:
    with pytest.raises(InputError):
        predict(lambda b, f, t: emit_constant(b, [0.5, 0.5], t), THREE)


def test_a_graph_without_features_is_refused() -> None:
    with pytest.raises(InputError, match="feature"):
        GraphBuilder(Schema(columns=(Column(name="u", type="number", feature=False),)))


def test_a_column_that_no_graph_takes_is_refused() -> None:
    with pytest.raises(InputError, match="`people`"):
        GraphBuilder(Schema(columns=(Column(name="people", type="boxes"),)))
