"""What every family of models must keep, as tests that its author subclasses."""

from __future__ import annotations

import pickle
import time
from typing import Any, ClassVar

import msgspec
import numpy as np
import optuna
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Task
from palio.testing.examples import TASKS, examples_of, plain_examples
from palio.train import Examples, Family, Fitted, OutOfTime
from palio.train.examples import Array, Objective, Shape
from palio.train.family import Params, graph_of, reads


def log_loss(probabilities: Array, target: Array) -> float:
    """Return the mean surprise."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(target)), target], 1e-15)).mean())


def numbers_of(fitted: Fitted, examples: Examples) -> Array:
    """Return the library's probabilities (n, n_classes), or its values (n, 1)."""
    answer = fitted.reference(examples)
    if answer.probabilities is not None:
        return np.asarray(answer.probabilities, np.float64)
    return np.asarray(answer.prediction, np.float64).reshape(-1, 1)


def assert_in_space(family: Family, params: Params, shape: Shape, task: Task) -> None:
    """The family could have suggested `params`."""
    replay = optuna.trial.FixedTrial(params)
    assert family.suggest(replay, shape, task) == params
    for name, distribution in replay.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(params[name])), name


class FamilyContract:
    """Subclass it, say which family, and pytest asks for everything that the search relies on.

    Example:
        >>> class TestMine(FamilyContract):
        ...     def family(self):
        ...         return MyFamily()
    """

    __test__ = False
    takes_weights = True
    """Whether a fit honours the weights of rows."""
    _learned: ClassVar[dict[Task, Fitted]] = {}
    _followed: ClassVar[dict[Task, Fitted]] = {}
    _graphs: ClassVar[dict[Task, bytes]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__test__ = True
        cls._learned, cls._followed, cls._graphs = {}, {}, {}

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

    def fitted(self, examples: Examples, *, params: Params | None = None, seed: int = 1, share: float = 0.3) -> Fitted:
        """Fit as a search in a hurry does: every second row to find the rounds, then all."""
        family = self.family()
        chosen = dict(family.hurry(params or family.defaults(examples.shape, examples.task)[0], share))
        if family.rounds:
            curve = self.watched(examples, params=chosen, seed=seed).curve
            assert curve is not None
            chosen[family.rounds] = int(curve.argmin()) + 1
        return family.fit(examples, params=family.grow(chosen, 2.0), seed=seed)

    def learned(self, task: Task) -> Fitted:
        """Return what `fitted` makes of the rows of `task` with one thread, once for all tests that only look at it."""
        if task not in self._learned:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("OMP_NUM_THREADS", "1")
                self._learned[task] = self.fitted(self.examples(task))
        return self._learned[task]

    def graph(self, task: Task) -> bytes:
        """Return the graph of `learned`, written once."""
        if task not in self._graphs:
            self._graphs[task] = graph_of(self.learned(task), self.examples(task).schema, task)
        return self._graphs[task]

    def followed(self, task: Task) -> Fitted:
        """Return what `watched` makes of the rows of `task`, once for all tests that only look at it."""
        if task not in self._followed:
            self._followed[task] = self.watched(self.examples(task))
        return self._followed[task]

    def watched(self, examples: Examples, *, params: Params | None = None, seed: int = 1) -> Fitted:
        """Fit every second row while the others are watched."""
        family, rows = self.family(), np.arange(len(examples.target))
        chosen = dict(params or family.defaults(examples.shape, examples.task)[0])
        return family.fit(examples.take(rows[::2]), params=chosen, seed=seed, watch=examples.take(rows[1::2]))

    def assert_parity(self, fitted: Fitted, examples: Examples) -> None:
        """The graph answers these rows as the library does, with numbers."""
        graph = model.Graph(graph_of(fitted, examples.schema, examples.task))
        parity = model.check_parity(graph, examples.feeds(), fitted.reference(examples))
        assert parity.passed, parity
        assert parity.rows == len(examples.target)

    def test_defaults_lie_in_the_space_of_suggestions(self, task: Task) -> None:
        family, shape = self.family(), self.examples(task).shape
        for params in family.defaults(shape, task):
            assert_in_space(family, params, shape, task)

    def test_suggestions_can_be_fitted(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(3):
            params = family.suggest(study.ask(), examples.shape, task)
            assert self.fitted(examples, params=params).n_parameters >= 1

    def test_settings_survive_being_stored(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        params = dict(family.defaults(examples.shape, task)[0])
        for settings in (params, family.hurry(params, 0.3), family.grow(family.hurry(params, 0.3), 2.0)):
            assert msgspec.json.decode(msgspec.json.encode(settings)) == settings

    def test_the_graph_answers_as_the_library_does(self, task: Task) -> None:
        examples = self.examples(task)
        self.assert_parity(self.learned(task), examples)

    def test_the_graph_answers_as_the_library_does_on_rows_made_to_be_hard(self, task: Task) -> None:
        examples, fitted, graph = self.examples(task), self.learned(task), self.graph(task)
        hard = model.stress_feeds(examples.frame, examples.schema, graph)
        parity = model.check_parity(model.Graph(graph), hard, fitted.reference(hard))
        assert parity.passed, parity

    def test_probabilities_are_probabilities(self, task: Task) -> None:
        examples = self.examples(task)
        answer = self.learned(task).reference(examples)
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
        again = self.fitted(self.examples(task))
        assert graph_of(again, examples.schema, task) == self.graph(task)

    def test_the_same_rows_get_the_same_answer_to_the_last_bit(self, task: Task) -> None:
        examples = self.examples(task)
        fitted, rows = self.learned(task), examples.take(np.arange(2_000) % len(examples.target))
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
        self.assert_parity(fitted, examples)

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

    def test_one_value_is_refused_or_answered_always(self) -> None:
        task, family = TASKS["value"], self.family()
        if task.kind not in family.tasks:
            pytest.skip("no regression")
        examples = self.examples(task)
        alike = Examples(examples.frame, np.full(len(examples.target), 7.0), examples.schema, task)
        try:
            fitted = self.fitted(alike)
        except InputError as error:
            assert error.hint
        else:
            np.testing.assert_allclose(numbers_of(fitted, alike), 7.0, rtol=1e-6)
            self.assert_parity(fitted, alike)

    def test_a_deadline_that_has_passed_ends_the_fit(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        if not family.n_settings:
            pytest.skip("a family without settings is fitted whatever the time")
        with pytest.raises(OutOfTime):
            family.fit(examples, params=dict(family.defaults(examples.shape, task)[0]), seed=0, deadline=0.0)

    def test_more_work_does_not_cost_less(self, task: Task) -> None:
        family, shape = self.family(), self.examples(task).shape
        for params in family.defaults(shape, task):
            costs = [family.seconds(shape.of(n_rows), params) for n_rows in (10, 1_000, 100_000)]
            assert 0 < costs[0] <= costs[1] <= costs[2]
            costs = [family.seconds(Shape(1_000, n, shape.n_classes), params) for n in (1, 10, 1_000)]
            assert 0 < costs[0] <= costs[1] <= costs[2]
            if task.kind == "classification":
                costs = [family.seconds(Shape(1_000, 10, n), params) for n in (2, 5, 100)]
                assert 0 < costs[0] <= costs[1] <= costs[2]

    # ── rounds ──

    def rounds_or_skip(self) -> Family:
        """Return the family if it learns in rounds."""
        family = self.family()
        if not family.rounds:
            pytest.skip(f"{family.name} does not learn in rounds")
        return family

    def test_more_rounds_cost_more(self, task: Task) -> None:
        family, shape = self.rounds_or_skip(), self.examples(task).shape
        for params in family.defaults(shape, task):
            costs = [family.seconds(shape, params | {family.rounds: n}) for n in (1, 30, 1_000)]
            assert 0 < costs[0] < costs[1] < costs[2]

    def test_hurried_settings_cost_less_and_lie_in_the_space(self, task: Task) -> None:
        family, shape = self.rounds_or_skip(), self.examples(task).shape
        for params in family.defaults(shape, task):
            assert family.hurry(params, 1.0) == params
            cost = family.seconds(shape, params)
            for share in (0.5, 0.2, 0.05):
                hurried = family.hurry(params, share)
                assert family.seconds(shape, hurried) < cost
                cost = family.seconds(shape, hurried)
                assert_in_space(
                    family, {name: value for name, value in hurried.items() if name != family.rounds}, shape, task
                )

    def test_hurried_settings_can_be_fitted(self, task: Task) -> None:
        family, examples = self.rounds_or_skip(), self.examples(task)
        params = family.hurry(family.defaults(examples.shape, task)[0], 0.1)
        fitted = self.watched(examples, params=params)
        assert fitted.curve is not None
        assert len(fitted.curve) <= params[family.rounds]
        self.assert_parity(fitted, examples)

    def test_the_curve_tells_the_loss_on_the_watched_rows_after_each_round(self, task: Task) -> None:
        self.rounds_or_skip()
        examples = self.examples(task)
        fitted, watch = self.followed(task), examples.take(np.arange(len(examples.target))[1::2])
        assert fitted.curve is not None
        for rounds in (1, int(fitted.curve.argmin()) + 1, len(fitted.curve)):
            answer = fitted.at(rounds).reference(watch)
            if answer.probabilities is None:
                loss = float(((np.asarray(answer.prediction, np.float64) - watch.target) ** 2).mean())
            else:
                loss = log_loss(answer.probabilities, watch.target)
            assert loss == pytest.approx(fitted.curve[rounds - 1], rel=1e-5)

    def test_a_model_goes_back_to_any_round_as_if_it_had_stopped_there(self, task: Task) -> None:
        family, examples = self.rounds_or_skip(), self.examples(task)
        params = dict(family.defaults(examples.shape, task)[0])
        fitted = self.followed(task)
        assert fitted.curve is not None
        for rounds in (1, max(1, len(fitted.curve) // 2)):
            earlier = fitted.at(rounds)
            self.assert_parity(earlier, examples)
            assert earlier.n_parameters <= fitted.n_parameters
            stopped = self.watched(examples, params=params | {family.rounds: rounds})
            assert graph_of(stopped, examples.schema, task) == graph_of(earlier, examples.schema, task)
        last = fitted.at(10 * len(fitted.curve))
        assert graph_of(last, examples.schema, task) == graph_of(fitted, examples.schema, task)

    def test_a_fit_that_watches_stops_when_nothing_more_is_gained(self, task: Task) -> None:
        self.rounds_or_skip()
        examples = self.examples(task)
        noise = np.random.default_rng(0).permutation(examples.target)
        fitted = self.watched(Examples(examples.frame, noise, examples.schema, task))
        assert fitted.curve is not None
        assert len(fitted.curve) - int(fitted.curve.argmin()) < 200

    def test_a_deadline_in_the_middle_of_the_rounds_leaves_what_was_learned(
        self, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        family, examples = self.rounds_or_skip(), self.examples(task)
        params = dict(family.defaults(examples.shape, task)[0]) | {family.rounds: 1_000}
        moments = iter(range(1_000_000))
        monkeypatch.setattr(time, "monotonic", lambda: float(next(moments)))  # a look at the clock takes a second
        fitted = family.fit(examples, params=params, seed=0, deadline=30.0, watch=examples)
        monkeypatch.undo()
        assert fitted.curve is not None
        assert 1 <= len(fitted.curve) <= 31
        self.assert_parity(fitted, examples)

    # ── objectives and weights ──

    @pytest.mark.parametrize("objective", ["absolute", "huber", "quantile", "poisson", "focal"])
    def test_every_objective_gives_a_model(self, objective: Objective) -> None:
        family, task = self.family(), TASKS["two classes" if objective == "focal" else "value"]
        if task.kind not in family.tasks:
            pytest.skip(f"{family.name} does not do {task.kind}")
        examples = self.examples(task)
        target = np.abs(examples.target).round() if objective == "poisson" else examples.target
        asked = Examples(examples.frame, target, examples.schema, task, objective=objective)
        self.assert_parity(self.fitted(asked), asked)

    def weights_or_skip(self) -> None:
        """Go on if a fit honours the weights of rows."""
        if not self.takes_weights:
            pytest.skip(f"{self.family().name} takes no weights")

    def test_heavy_rows_pull_the_answers_towards_them(self, task: Task) -> None:
        self.weights_or_skip()
        examples = self.examples(task)
        high = examples.target == examples.target.max() if task.classes else examples.target > examples.target.mean()
        weights = np.where(high, 4.0, 1.0)
        heavy = Examples(examples.frame, examples.target, examples.schema, task, weights=weights / weights.mean())
        before, after = (numbers_of(one, examples) for one in (self.learned(task), self.fitted(heavy)))
        assert after[..., -1].mean() > before[..., -1].mean()

    def test_rows_that_weigh_nothing_teach_next_to_nothing(self, task: Task) -> None:
        self.weights_or_skip()
        examples = self.examples(task)
        is_wrong = np.arange(len(examples.target)) % 4 > 1
        mirrored = examples.target.max() + examples.target.min() - examples.target
        target = np.where(is_wrong, mirrored, examples.target)
        wrong = Examples(examples.frame, target, examples.schema, task)
        weighed = Examples(examples.frame, target, examples.schema, task, weights=np.where(is_wrong, 0.0, 2.0))
        clean = examples.take(np.flatnonzero(~is_wrong))
        misled, unmoved, right = (numbers_of(self.fitted(one), examples) for one in (wrong, weighed, clean))
        assert np.abs(unmoved - right).mean() <= 0.5 * np.abs(misled - right).mean() + 1e-12

    # ── other shapes ──

    def tables_or_skip(self) -> None:
        """Go on if the family reads tables of numbers."""
        if not reads(self.family(), plain_examples(TASKS["value"], n_rows=2, n_columns=1).schema):
            pytest.skip(f"{self.family().name} reads no tables of numbers")

    @pytest.mark.parametrize("n_columns", [1, 2, 300])
    def test_any_number_of_columns_is_learned_from(self, task: Task, n_columns: int) -> None:
        self.tables_or_skip()
        examples = plain_examples(task, n_rows=200, n_columns=n_columns)
        self.assert_parity(self.fitted(examples, share=0.3 if n_columns < 100 else 0.1), examples)

    @pytest.mark.parametrize("counts", [[388, 12], [200, 195, 5], [20] * 30], ids=["3 %", "five rows", "30 classes"])
    def test_rare_and_many_classes_are_learned(self, counts: list[int]) -> None:
        self.tables_or_skip()
        if "classification" not in self.family().tasks:
            pytest.skip("no classification")
        names = tuple(f"class {index}" for index in range(len(counts)))
        task = Task(kind="classification", target="y", classes=names, metric="log_loss")
        rows = plain_examples(TASKS["value"], n_rows=sum(counts), n_columns=4)
        target = np.empty(len(rows.target), dtype=np.int64)
        target[np.argsort(rows.target)] = np.repeat(np.arange(len(counts)), counts)
        examples = Examples(rows.frame, target, rows.schema, task)
        fitted = self.fitted(examples)
        self.assert_parity(fitted, examples)
        shares = np.tile(np.array(counts) / sum(counts), (len(target), 1))
        assert log_loss(numbers_of(fitted, examples), target) <= log_loss(shares, target) + 1e-6

    # ── processes and threads ──

    def test_the_number_of_threads_does_not_change_the_model(self, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
        with_one = self.graph(task)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        examples = self.examples(task)
        assert graph_of(self.fitted(examples), examples.schema, task) == with_one

    def test_a_family_that_was_sent_to_another_process_fits_the_same_model(self, task: Task) -> None:
        family, examples = self.family(), self.examples(task)
        params = dict(family.defaults(examples.shape, task)[0])
        if family.rounds:
            params[family.rounds] = 5
        sent = pickle.loads(pickle.dumps(family))  # noqa: S301  # our own bytes
        graphs = {graph_of(one.fit(examples, params=params, seed=3), examples.schema, task) for one in (family, sent)}
        assert len(graphs) == 1
