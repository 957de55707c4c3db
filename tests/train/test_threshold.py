from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import measure, model
from palio.core.records import Column, Schema, Task
from palio.measure import Answers
from palio.model import Graph, GraphBuilder
from palio.train.ensemble import Unseen
from palio.train.threshold import AIMS, Costs, choose

TASK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")


def drawn(n: int = 3_000, share: float = 0.1, seed: int = 0) -> tuple[Any, Unseen]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(np.int64)
    second = 1 / (1 + np.exp(-(rng.normal(size=n) + 2 * truth - 2.5)))
    unseen = Unseen(np.arange(n), np.arange(n) % 5, truth, np.zeros(n, dtype=np.int64))
    return np.column_stack([1 - second, second]), unseen


def scores(task: Task, aim: str, answers: Any, truth: Any, thresholds: Any) -> Any:
    said = [Answers((answers[:, 1] >= at).astype(np.int64), answers) for at in thresholds]
    return np.array([measure.score(task, truth, one, names=[aim])[aim] for one in said])


@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize("aim", AIMS)
def test_few_rows_find_the_threshold_that_suits_many_better_than_the_luckiest_of_them_does(
    aim: str, positive: str
) -> None:
    task = Task(kind="classification", target="y", classes=("no", "yes"), positive=positive)
    (many, all_rows), grid = drawn(40_000, seed=99), np.linspace(0.02, 0.98, 97)
    known = scores(task, aim, many, all_rows.truth, grid)
    ours, luckiest = [], []
    for seed in range(12):
        answers, unseen = drawn(400, seed=seed)
        found = choose(answers, unseen, task=task, aim=aim, costs=Costs())
        assert found is not None
        ours.append(known.max() - np.interp(found[0], grid, known))
        luckiest.append(known.max() - known[np.argmax(scores(task, aim, answers, unseen.truth, grid))])
    assert np.mean(ours) < 0.5 * np.mean(luckiest)


@pytest.mark.parametrize("aim", ["f1", "balanced_accuracy"])
def test_rows_decide_where_probabilities_are_wrong_in_a_way_that_no_sigmoid_mends(aim: str) -> None:
    answers, unseen = drawn(20_000)
    second = np.where(answers[:, 1] < 0.3, 0.001 * answers[:, 1], 0.999 + 0.001 * answers[:, 1])
    bent = np.column_stack([1 - second, second])
    found = choose(bent, unseen, task=TASK, aim=aim, costs=Costs())
    assert found is not None
    at, thresholds = found[0], np.quantile(second, np.linspace(0, 1, 201))
    reached = scores(TASK, aim, bent, unseen.truth, [at, *thresholds])
    assert reached[0] > reached.max() - 0.02


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_the_dearer_a_miss_the_sooner_the_alarm(positive: str) -> None:
    task = Task(kind="classification", target="y", classes=("no", "yes"), positive=positive)
    answers, unseen = drawn(20_000)
    found = [
        choose(answers, unseen, task=task, aim="cost", costs=Costs(miss, 1.0)) for miss in (1.0, 5.0, 25.0)
    ]  # fmt: skip
    thresholds = [one[0] for one in found if one is not None]
    assert len(thresholds) == 3
    assert thresholds == sorted(thresholds, reverse=positive == "yes")


def test_classes_are_said_by_thresholds_that_were_found_on_other_rows() -> None:
    """With answers that are chance the threshold follows chance, and its own rows must not gain by that."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(30):
        n = 400
        second, truth = rng.random(n), rng.integers(0, 2, n)
        unseen = Unseen(np.arange(n), np.arange(n) % 5, truth, np.zeros(n, dtype=np.int64))
        found = choose(np.column_stack([1 - second, second]), unseen, task=TASK, aim="accuracy", costs=Costs())
        assert found is not None
        gains.append((found[1] == truth).mean() - 0.5)
    assert abs(np.mean(gains)) < 0.01


@pytest.mark.parametrize(
    ("aim", "costs", "n"), [("none", Costs(), 3_000), ("cost", Costs(miss=5.0), 3_000), ("f1", Costs(), 50)]
)
def test_there_is_nothing_to_choose_without_an_aim_a_price_or_rows(aim: str, costs: Costs, n: int) -> None:
    answers, unseen = drawn(n)
    assert choose(answers, unseen, task=TASK, aim=aim, costs=costs) is None


def test_the_graph_says_the_second_class_from_the_threshold_on() -> None:
    builder = GraphBuilder(Schema(columns=(Column(name="p", type="number"),)))
    second = builder.input("p")
    both = builder.concat([builder.node("Sub", builder.constant(1.0), second), second])
    model.emit_answers(builder, both, TASK, threshold=0.2)
    outputs = Graph(builder.build()).predict({"p": np.array([[0.1], [0.2], [0.9]])})
    assert outputs.prediction.tolist() == ["no", "yes", "yes"]
