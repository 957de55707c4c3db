from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palio.testing.family import TASKS, examples_of
from palio.train import lessons
from palio.train.examples import Examples
from palio.train.lessons import Lesson, read_lesson
from tests.train.small_parts import lesson_of


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("is_weighted", [True, False])
def test_what_was_written_is_read(tmp_path: Path, task: str, is_weighted: bool) -> None:
    made = examples_of(TASKS[task])
    weights = np.linspace(0.5, 1.5, len(made.target)) if is_weighted else None
    examples = Examples(made.frame, made.target, made.schema, made.task, weights=weights, objective="huber")
    lesson = lesson_of(examples, 4)
    lesson.write(tmp_path)
    again = read_lesson(tmp_path)
    assert again.n_folds == lesson.n_folds == 4
    assert again.examples.frame.equals(examples.frame)
    assert again.examples.frame.schema == examples.frame.schema
    np.testing.assert_array_equal(again.examples.target, examples.target)
    assert again.examples.target.dtype == examples.target.dtype
    assert (again.examples.schema, again.examples.task) == (examples.schema, examples.task)
    assert again.examples.objective == "huber"
    assert (again.examples.weights is None) == (weights is None)
    assert set(again.rows) == set(lesson.rows)
    for key, rows in lesson.rows.items():
        np.testing.assert_array_equal(again.rows[key], rows)
        np.testing.assert_array_equal(again.take(key).target, examples.target[rows])


def test_rows_are_taken_once_while_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = lesson_of(examples_of(TASKS["two classes"]))
    first = lesson.take("learn 0")
    lesson.take("learn 1")
    assert lesson.take("learn 0") is first
    monkeypatch.setattr(lessons, "KEPT_BYTES", 1)
    small = Lesson(lesson.examples, lesson.rows)
    once = small.take("learn 0")
    assert small.take("score 0") is not None and small.take("learn 0") is once
    small.take("learn 1")
    assert small.take("learn 0") is not once


def test_everything_is_everything() -> None:
    lesson = lesson_of(examples_of(TASKS["value"]))
    assert lesson.take("everything") is lesson.examples
