"""What every kind of question must keep, as tests that its author subclasses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure import (
    Answers,
    Question,
    is_defined,
    metric_names,
    paired,
    questions,
    score,
    score_with_intervals,
)

Array = np.ndarray[Any, np.dtype[Any]]


class QuestionContract:
    """Subclass it, name a task and its labels, and pytest asks for everything that the rooms rely on.

    Example:
        >>> class TestMine(QuestionContract):
        ...     task = Task(kind="regression", target="y")
        ...     labels = (1.0, 2.5, None, -3.0)
    """

    __test__ = False
    task: Task
    labels: tuple[Any, ...]
    """As they stand in data, several of them different; one is missing."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__test__ = True

    def question(self) -> Question:
        """Return the question to be tested."""
        return questions.of(self.task)

    def truth(self) -> Array:
        """Return a truth that is known, some dozens of rows."""
        question = self.question()
        found = question.truth(list(self.labels))
        return np.tile(found[question.known(found)], 30)

    def right(self) -> Answers:
        """Return answers that are right."""
        return self._answers(self.truth())

    def wrong(self) -> Answers:
        """Return answers some of which are wrong."""
        return self._answers(np.roll(self.truth(), 1))

    def _answers(self, said: Array) -> Answers:
        return self.question().answers({questions.PREDICTION: self.question().labels(said)})

    def n_counted(self) -> int:
        """Return how much of that truth `counts` counts: each row, where there are classes."""
        return len(self.truth()) if self.task.classes else 0

    def test_a_missing_label_is_not_known_and_others_come_back(self) -> None:
        question = self.question()
        truth = question.truth(list(self.labels))
        missing = np.array([label is None for label in self.labels])
        assert (question.known(truth) == ~missing).all() and (question.labelled(truth) == ~missing).all()
        known = truth[~missing]
        assert (question.truth(question.labels(known)) == known).all()
        assert (question.truth(question.labels(known).tolist()) == known).all()
        assert (question.labels(known).dtype == object) == question.is_text
        assert all(question.shown(one) for one in known)

    def test_answers_come_back_from_columns_as_they_went(self) -> None:
        question, answers = self.question(), self.wrong()
        columns = question.columns(answers)
        assert next(iter(columns)) == question.names[0] == questions.PREDICTION
        assert set(columns) <= set(question.names) and all(map(questions.is_answer, columns))
        assert (question.answers(columns).prediction == answers.prediction).all()

    def test_the_simplest_guess_fits_all_that_is_asked_of_answers(self) -> None:
        question, truth = self.question(), self.truth()
        always = question.always(question.constant(truth), len(truth))
        assert len(always) == len(truth) and question.usable(always).all()
        assert not question.differ(always, always).any()
        assert question.always(question.constant(truth), 0).prediction.dtype == always.prediction.dtype
        assert set(question.columns(always)) == set(question.names)
        back = question.answers(question.columns(always))
        assert not question.differ(always, back).any()
        assert (question.losses(truth, always) >= 0).all()
        with pytest.raises(InputError):
            question.always((*question.constant(truth), 1.0), 3)

    def test_right_answers_lose_nothing_and_wrong_ones_do(self) -> None:
        question, truth = self.question(), self.truth()
        assert not question.errors(truth, self.right()).any() and not question.losses(truth, self.right()).any()
        wrong = question.differ(self.wrong(), self.right())
        assert wrong.any() and (question.errors(truth, self.wrong())[wrong] > 0).all()

    def test_every_metric_prefers_right_answers_to_the_simplest_guess(self) -> None:
        question, truth = self.question(), self.truth()
        guess = question.always(question.constant(truth), len(truth))
        right, guessed = score(self.task, truth, self.right()), score(self.task, truth, guess)
        assert {question.tie_break, question.error_metric} <= set(metric_names(self.task))
        assert question.default_metric in metric_names(self.task)
        assert question.error_metric in right and question.error_metric in guessed
        assert right[question.error_metric] != guessed[question.error_metric]

    def test_taking_rows_and_joining_them_gives_the_answers_again(self) -> None:
        question, truth = self.question(), self.truth()
        answers = question.always(question.constant(truth), len(truth))
        joined = Answers.joined([answers.take(slice(0, 7)), answers.take(np.arange(7, len(answers)))])
        assert (joined.prediction == answers.prediction).all() and len(joined) == len(answers)
        assert (joined.probabilities is None) == (answers.probabilities is None)

    def test_rows_that_cannot_be_scored_are_named(self) -> None:
        question, truth = self.question(), self.truth()
        unknown = question.truth([None])
        for some, answers in (
            (truth[:0], self.right().take(slice(0, 0))),
            (truth, self.right().take(slice(0, 3))),
            (np.r_[truth[:2], unknown], self.right().take(slice(0, 3))),
            (truth[:3], Answers(np.r_[truth[:2], unknown])),
        ):
            with pytest.raises(InputError):
                question.sample(some, answers)

    def test_a_mistake_counts_by_truth_and_answer_and_being_right_does_not(self) -> None:
        question, mistakes = self.question(), self.question().mistakes
        classes = len(self.task.classes)
        assert mistakes.shape in ((classes, classes), ())
        assert not mistakes.ndim or not np.diag(mistakes).any()
        assert list(question.counts(self.truth())) == list(self.task.classes)
        assert sum(question.counts(self.truth()).values()) == self.n_counted()
        assert question.holds(self.truth(), 1)

    def test_the_simplest_guess_is_known_so_that_it_can_be_told_from_none(self) -> None:
        question, truth = self.question(), self.truth()
        assert len(question.constant(truth)) and all(isinstance(one, float) for one in question.constant(truth))

    def test_a_metric_is_defined_by_what_occurs(self) -> None:
        question, truth = self.question(), self.truth()
        held = question.distinct(truth)
        assert len(held) and all(any(bool(one == other) for other in truth) for one in held)
        assert is_defined(self.task, truth) and not is_defined(self.task, truth[:0])

    def test_intervals_hold_their_values_and_a_model_gains_nothing_on_itself(self) -> None:
        truth = self.truth()
        for metric in score_with_intervals(self.task, truth, self.wrong(), n_resamples=50).values():
            assert metric.low <= metric.value <= metric.high and metric.n_rows == len(truth)
        for gain, better in paired(self.task, truth, self.wrong(), self.wrong(), n_resamples=50).values():
            assert (gain.value, better) == (0.0, 0.5)
