from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure import Answers


def test_metrics_that_are_not_defined_on_the_rows_are_left_out(draw):
    a = draw["two"](1, 200)
    ones = a.truth == 1
    got = measure.score(a.task, a.truth[ones], a.answers.take(ones))
    assert "roc_auc" not in got and "pr_auc" not in got
    assert np.isfinite(list(got.values())).all()


def test_a_constant_target_has_no_share_of_variance():
    task = Task(kind="regression", target="y")
    got = measure.score(task, np.full(10, 3.3), Answers(np.linspace(3, 4, 10)))
    assert "r2" not in got and got["mae"] > 0


def test_a_truth_of_zero_leaves_out_the_relative_error():
    task = Task(kind="regression", target="y")
    assert "mape" not in measure.score(task, np.array([0.0, 1.0]), Answers(np.array([1.0, 1.0])))


def test_labels_alone_give_the_metrics_of_labels(draw):
    a = draw["three"](1, 100)
    assert set(measure.score(a.task, a.truth, Answers(a.prediction))) == set(
        measure.metric_names(a.task, with_probabilities=False)
    )


@pytest.mark.parametrize(
    ("truth", "prediction", "probabilities", "words"),
    [
        ([], [], None, "no rows"),
        ([0, 1], [0], None, "2 true answers, but 1"),
        ([0, -1], [0, 1], None, "outside 0…1"),
        ([0, 1], [0, 2], None, "outside 0…1"),
        ([0, 1], [0, 1], [[0.5, 0.5]], "shape"),
        ([0, 1], [0, 1], [[0.5, np.nan], [0.5, 0.5]], "missing or outside"),
        ([[0], [1]], [0, 1], None, "one value per row"),
    ],
)
def test_unusable_rows_are_named(truth, prediction, probabilities, words):
    task = Task(kind="classification", target="y", classes=("a", "b"))
    p = None if probabilities is None else np.array(probabilities)
    with pytest.raises(InputError, match=words):
        measure.score(task, np.array(truth), Answers(np.array(prediction), p))


def test_missing_numbers_are_refused():
    with pytest.raises(InputError, match="missing or infinite"):
        measure.score(Task(kind="regression", target="y"), np.array([1.0, np.nan]), Answers(np.array([1.0, 2.0])))


def test_the_default_metric_follows_the_task():
    two = Task(kind="classification", target="y", classes=("a", "b"))
    three = Task(kind="classification", target="y", classes=("a", "b", "c"))
    assert measure.default_metric(two) == "roc_auc"
    assert measure.default_metric(three) == "log_loss"
    assert measure.default_metric(Task(kind="regression", target="y", metric="mae")) == "mae"


def test_an_unknown_metric_suggests_the_nearest():
    with pytest.raises(InputError) as error:
        measure.default_metric(Task(kind="regression", target="y", metric="rsme"))
    assert error.value.hint == "did you mean `rmse`?"
    with pytest.raises(InputError, match="no metric of regression"):
        measure.default_metric(Task(kind="regression", target="y", metric="roc_auc"))


def test_the_loss_of_a_row_grows_with_how_wrong_it_is():
    task = Task(kind="classification", target="y", classes=("a", "b"))
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    losses = measure.questions.of(task).losses(np.array([0, 0, 0]), Answers(p.argmax(axis=1), p))
    assert (np.diff(losses) > 0).all() and np.isfinite(losses).all()
    assert measure.questions.of(task).losses(np.array([0, 1, 1]), Answers(np.array([0, 0, 1]))).tolist() == [0, 1, 0]
