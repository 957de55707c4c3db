"""What every family of models must keep, as tests that its author subclasses."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import optuna
import polars as pl
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.train import Examples, Family, Fitted, OutOfTime
from palio.train.family import Params, graph_of

TOLERANCE = 1e-9
TASKS = {
    "two classes": Task(kind="classification", target="y", classes=("no", "yes"), positive="yes", metric="roc_auc"),
    "three classes": Task(kind="classification", target="y", classes=("a", "b", "c"), metric="log_loss"),
    "value": Task(kind="regression", target="y", metric="rmse"),
}


def examples_of(task: Task, *, n_rows: int = 400, seed: int = 0) -> Examples:
    """Make rows with numbers, categories, dates, gaps and rare values, from which `task` can be learned."""
    rng = np.random.default_rng(seed)
    size, age = rng.normal(size=n_rows), rng.gamma(2.0, 20.0, n_rows)
    colour = rng.choice(["red", "green", "blue", "teal"], n_rows, p=[0.5, 0.3, 0.19, 0.01])
    day = rng.integers(0, 700, n_rows) * 86_400.0
    signal = size + 0.03 * age + np.where(colour == "green", 1.5, 0.0) + rng.normal(scale=0.5, size=n_rows)
    if task.kind == "regression":
        target = 100.0 + 10.0 * signal
    else:
        edges = np.quantile(signal, np.arange(1, len(task.classes)) / len(task.classes))
        target = np.digitize(signal, edges).astype(np.int64)
    frame = pl.DataFrame(
        {
            "size": np.where(rng.random(n_rows) < 0.1, np.nan, size),
            "age": age,
            "colour": [None if gap else str(c) for c, gap in zip(colour, rng.random(n_rows) < 0.05, strict=True)],
            "member": rng.choice(["true", "false"], n_rows),
            "sold": pl.Series(day * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        }
    ).with_columns(pl.col("size").fill_nan(None))
    schema = Schema(
        columns=(
            Column(name="size", type="number"),
            Column(name="age", type="number"),
            Column(name="colour", type="category"),
            Column(name="member", type="boolean"),
            Column(name="sold", type="datetime"),
        ),
        target="y",
    )
    return Examples(frame, target, schema, task)


class FamilyContract:
    """Subclass it, say which family, and pytest asks for everything that the search relies on.

    Example:
        >>> class TestMine(FamilyContract):
        ...     def family(self):
        ...         return MyFamily()
    """

    __test__ = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__test__ = True

    def family(self) -> Family:
        """Return the family to be tested."""
        raise NotImplementedError

    def examples(self, task: Task) -> Examples:
        """Return rows to learn from; override it for other modalities."""
        return examples_of(task)

    @pytest.fixture(params=list(TASKS))
    def task(self, request: pytest.FixtureRequest) -> Task:
        task = TASKS[request.param]
        if task.kind not in self.family().tasks:
            pytest.skip(f"{self.family().name} does not do {task.kind}")
        return task

    def fitted(self, examples: Examples, *, params: Params | None = None, seed: int = 1) -> Fitted:
        """Fit the defaults, settled as the search settles them."""
        family = self.family()
        chosen = dict(params or family.defaults(examples.shape, examples.task)[0])
        half = len(examples.target) // 2
        first, second = examples.take(np.arange(half)), examples.take(np.arange(half, len(examples.target)))
        found = family.fit(first, params=chosen, seed=seed, watch=second).learned
        return family.fit(examples, params=family.grow(family.settle(chosen, [found]), 2.0), seed=seed)

    def test_defaults_lie_in_the_space_of_suggestions(self, task: Task) -> None:
        family, shape = self.family(), self.examples(task).shape
        for params in family.defaults(shape, task):
            replay = optuna.trial.FixedTrial(params)
            assert family.suggest(replay, shape, task) == params
            for name, distribution in replay.distributions.items():
                assert distribution._contains(distribution.to_internal_repr(params[name])), name

    def test_suggestions_can_be_fitted(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(3):
            params = family.suggest(study.ask(), examples.shape, task)
            assert self.fitted(examples, params=params).n_parameters >= 1

    def test_settings_survive_being_stored(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        params = dict(family.defaults(examples.shape, task)[0])
        found = family.fit(examples, params=params, seed=0, watch=examples).learned
        settled = family.settle(params, [found, found])
        assert msgspec.json.decode(msgspec.json.encode(settled)) == settled

    def test_the_graph_answers_as_the_library_does(self, task: Task) -> None:
        examples = self.examples(task)
        fitted = self.fitted(examples)
        graph = model.Graph(graph_of(fitted, examples.schema, task))
        parity = model.check_parity(graph, examples.feeds(), fitted.reference(examples), tolerance=TOLERANCE)
        assert parity.passed, parity
        assert parity.rows == len(examples.target)

    def test_the_graph_answers_as_the_library_does_on_rows_made_to_be_hard(self, task: Task) -> None:
        examples = self.examples(task)
        fitted = self.fitted(examples)
        graph = graph_of(fitted, examples.schema, task)
        hard = model.stress_feeds(examples.frame, examples.schema, graph)
        parity = model.check_parity(model.Graph(graph), hard, fitted.reference(hard), tolerance=TOLERANCE)
        assert parity.passed, parity

    def test_probabilities_are_probabilities(self, task: Task) -> None:
        examples = self.examples(task)
        answer = self.fitted(examples).reference(examples)
        if task.kind == "regression":
            assert answer.probabilities is None
            assert np.isfinite(answer.prediction).all()
            return
        assert answer.probabilities is not None
        assert answer.probabilities.shape == (len(examples.target), len(task.classes))
        assert (answer.probabilities >= 0).all()
        np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1.0, atol=1e-9)

    def test_the_same_seed_gives_the_same_bytes(self, task: Task) -> None:
        examples = self.examples(task)
        first, second = (graph_of(self.fitted(self.examples(task)), examples.schema, task) for _ in range(2))
        assert first == second

    def test_the_same_rows_get_the_same_answer_to_the_last_bit(self, task: Task) -> None:
        examples = self.examples(task)
        fitted, rows = self.fitted(examples), examples.take(np.arange(2_000) % len(examples.target))
        answers = [fitted.reference(rows) for _ in range(4)]
        numbers = [one.prediction if one.probabilities is None else one.probabilities for one in answers]
        assert len({np.asarray(one).tobytes() for one in numbers}) == 1

    def test_a_class_without_examples_does_not_break_the_fit(self) -> None:
        task = TASKS["three classes"]
        if task.kind not in self.family().tasks:
            pytest.skip("no classification")
        examples = self.examples(task)
        fitted = self.fitted(examples.take(np.flatnonzero(examples.target != 1)))
        answer = fitted.reference(examples)
        assert answer.probabilities is not None
        assert answer.probabilities.shape[1] == 3
        assert model.check_parity(
            model.Graph(graph_of(fitted, examples.schema, task)), examples.feeds(), answer, tolerance=TOLERANCE
        ).passed

    def test_one_class_is_refused_or_answered_always(self) -> None:
        task = TASKS["two classes"]
        if task.kind not in self.family().tasks:
            pytest.skip("no classification")
        examples = self.examples(task)
        alone = examples.take(np.flatnonzero(examples.target == 0))
        family = self.family()
        params = dict(family.defaults(alone.shape, task)[0])
        try:
            fitted = family.fit(alone, params=params, seed=0, watch=alone)
        except InputError as error:
            assert error.hint
        else:
            assert set(fitted.reference(alone).prediction) == {"no"}

    def test_a_deadline_that_has_passed_ends_the_fit(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        if not family.n_settings:
            pytest.skip("a family without settings is fitted whatever the time")
        with pytest.raises(OutOfTime):
            family.fit(examples, params=dict(family.defaults(examples.shape, task)[0]), seed=0, deadline=0.0)

    def test_more_rows_do_not_cost_less(self, task: Task) -> None:
        family, shape = self.family(), self.examples(task).shape
        costs = [family.seconds(shape.of(n_rows)) for n_rows in (10, 1_000, 100_000)]
        assert 0 < costs[0] <= costs[1] <= costs[2]
