from __future__ import annotations

import numpy as np
import pytest

from palio import model
from palio.core.records import Task
from palio.train.ensemble import Library, Unseen
from palio.train.examples import Array
from palio.train.stacking import FEWEST_ROWS, fit, stack

PRICE = Task(kind="regression", target="y", metric="rmse")
TWO = Task(kind="classification", target="y", classes=("no", "yes"), metric="roc_auc")
MANY = Task(kind="classification", target="y", classes=("a", "b", "c"), metric="log_loss")


def library(answers: dict[int, Array], truth: Array, task: Task, n_folds: int = 5) -> Library:
    fold = np.sort(np.arange(len(truth)) % n_folds)
    seen = Unseen(np.arange(len(truth)), fold, truth, np.zeros(len(truth), dtype=np.int64))
    tie = "r2" if task.kind == "regression" else "f1_macro"
    return Library(answers, seen, task=task, metrics=(task.metric, tie))


def softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def classes(
    seed: int, n_rows: int = 2_000, sharpness: float = 1.0, bias: float = 0.0
) -> tuple[Array, dict[int, Array]]:
    """Members with independent evidence for three classes; what each says of it is too timid, or partial to one."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_rows)
    evidence = rng.normal(size=(2, n_rows, 3)) + np.eye(3)[truth]
    answers = softmax(sharpness * evidence + bias * np.eye(3)[0])
    return truth, dict(enumerate(answers))


def test_evidence_of_independent_members_adds_up() -> None:
    """Each is right about its own evidence: weights of one are best, where a mean of probabilities is too timid."""
    truth, answers = classes(0)
    lib = library(answers, truth, MANY)
    found, mean = stack(lib), lib.mix()
    assert found is not None and mean is not None
    assert list(found.weights.values()) == pytest.approx([1.0, 1.0], abs=0.15)
    assert np.mean(found.scores) < np.mean(mean.scores) - 0.03
    assert found.answers.sum(axis=1) == pytest.approx(np.ones(len(truth)))


def test_timid_members_and_partial_ones_are_put_right() -> None:
    truth, answers = classes(1, sharpness=0.5, bias=0.7)
    found = stack(library(answers, truth, MANY))
    assert found is not None and found.recipe.layer is not None
    assert min(found.weights.values()) > 1.5
    offsets = np.array(found.recipe.layer.offsets)
    assert offsets[0] - offsets[1:].mean() < -1.0


def test_weights_are_never_negative_and_what_helps_nothing_is_left_out() -> None:
    truth, answers = classes(2)
    against = softmax(-np.log(answers[0]))
    recipe = fit(answers | {2: against}, truth, {0: 0.4, 1: 0.4, 2: 0.2}, task=MANY)
    assert set(recipe.weights) == {0, 1} and min(recipe.weights.values()) > 0


@pytest.mark.parametrize("task", [TWO, MANY, PRICE], ids=lambda task: task.metric)
def test_a_stack_of_guesses_does_not_flatter_itself(task: Task) -> None:
    """Against the score of the best constant, on rows that layers were found on it would look better than chance."""
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n_rows = 1_000
        if task.kind == "regression":
            truth, answers = rng.normal(size=n_rows), {k: rng.normal(size=(n_rows, 1)) for k in range(6)}
            none = float(np.std(truth))
        else:
            n_classes = len(task.classes)
            truth = rng.integers(0, n_classes, n_rows)
            answers = dict(enumerate(rng.dirichlet(np.ones(n_classes), (6, n_rows))))
            none = 0.5 if task.metric == "roc_auc" else float(np.log(n_classes))
        found = stack(library(answers, truth, task))
        if found is not None:  # else one guess alone was picked
            gains.append((1.0 if task.metric == "roc_auc" else -1.0) * (np.mean(found.scores) - none))
    assert np.mean(gains) < 3 * np.std(gains, ddof=1) / np.sqrt(len(gains)) + 0.005


def test_values_are_weighed_by_squared_error_and_stay_positive() -> None:
    rng = np.random.default_rng(0)
    truth = rng.gamma(2.0, 1.0, 2_000)
    answers = {k: (truth * rng.gamma(20.0, 1 / 20, 2_000))[:, None] for k in range(3)}
    found = stack(library(answers, truth, PRICE))
    assert found is not None and found.recipe.layer is None
    assert sum(found.weights.values()) == pytest.approx(1.0, abs=0.05)
    assert (found.answers > 0).all()


def test_on_a_small_table_it_is_not_tried() -> None:
    truth, answers = classes(0, n_rows=FEWEST_ROWS - 1)
    assert stack(library(answers, truth, MANY)) is None


def test_of_repeated_folds_rows_are_counted_once() -> None:
    truth, answers = classes(0, n_rows=FEWEST_ROWS - 10)
    rows = np.tile(np.arange(len(truth)), 2)
    seen = Unseen(rows, np.arange(len(rows)) * 4 // len(rows), truth[rows], np.zeros(len(rows), dtype=np.int64))
    twice = {number: one[rows] for number, one in answers.items()}
    assert stack(Library(twice, seen, task=MANY, metrics=("log_loss", "f1_macro"))) is None


def test_a_class_that_stands_in_one_fold_alone_does_not_break_it() -> None:
    truth, answers = classes(3)
    order = np.argsort(truth == 2, kind="stable")[: 1_400 + 20]  # the last fold alone has the third class
    truth, answers = truth[order], {number: one[order] for number, one in answers.items()}
    found = stack(library(answers, truth, MANY))
    assert found is not None
    assert np.isfinite(found.answers).all() and np.isfinite(found.scores).all()


def test_what_a_member_never_says_is_no_impossibility() -> None:
    truth, answers = classes(4)
    sure = np.eye(3)[answers[0].argmax(axis=1)]
    recipe = fit(answers | {2: sure}, truth, {0: 0.4, 1: 0.4, 2: 0.2}, task=MANY)
    assert recipe.layer is not None
    said = model.stacked(
        [(answers | {2: sure})[n] for n in recipe.weights], list(recipe.weights.values()), recipe.layer
    )
    assert float(-np.log(said[np.arange(len(truth)), truth]).mean()) < np.log(3)


def test_the_same_answers_give_the_same_layer() -> None:
    truth, answers = classes(5)
    first, second = (stack(library(answers, truth, MANY)) for _ in range(2))
    assert first is not None and second is not None and first.recipe == second.recipe


def test_a_layer_over_few_rows_a_class_has_no_offsets() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 50, 1_200)
    many = Task(kind="classification", target="y", classes=tuple(map(str, range(50))), metric="log_loss")
    answers = dict(enumerate(softmax(rng.normal(size=(2, 1_200, 50)) + 2 * np.eye(50)[truth])))
    recipe = fit(answers, truth, {0: 0.5, 1: 0.5}, task=many)
    assert recipe.layer is not None and set(recipe.layer.offsets) == {0.0}
