"""Networks in a search: they plan their epochs by the time there is, tell how far they are, and go on after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.testing.family import TASKS
from palio.train.lessons import Lesson
from palio.train.orders import Order, Outcome, Word
from palio.train.pace import Pace
from palio.train.table import load_family
from palio.train.work import carry_out
from tests.train.deep.small_backbones import picture_examples

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")

N_ROWS = 90
PARAMS = {"width": 8, "rate": 1e-2, "smoothing": 0.1, "strength": 1, "epochs": 4}


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    rows = {"learn 0": np.arange(60), "score 0": np.arange(60, N_ROWS)}
    return Lesson(picture_examples(TASKS["two classes"], n_rows=N_ROWS), rows)


def done(lesson: Lesson, tell: Any = None, **changes: Any) -> Outcome:
    asked: dict[str, Any] = {"number": 7, "family": "cnn", "params": PARAMS, "seed": 0, "folds": (0,)}
    asked |= {"metrics": ("log_loss", "accuracy"), "n_blocks": 3, "kind": "long"}
    return carry_out(Order(**asked | changes), load_family("cnn"), lesson, Pace(), tell=tell)


def test_a_search_hears_how_far_a_network_is_and_keeps_its_course(lesson: Lesson) -> None:
    heard: list[Word] = []
    outcome = done(lesson, heard.append)
    assert [word.epoch for word in heard if word.watched is not None][-1] == 4
    assert {(word.number, word.n_epochs) for word in heard} == {(7, 4)}
    assert outcome.course is not None and len(outcome.course.epochs) == 4
    told = [one.watched or 0.0 for one in outcome.course.epochs]
    assert all(left <= said + 1e-9 for left, said in zip(outcome.curves[0], told, strict=True))
    assert all(one.score is not None and one.learned is not None for one in outcome.course.epochs)


def test_a_fit_that_was_killed_in_an_epoch_goes_on_there_and_ends_with_the_same_bits(
    lesson: Lesson, tmp_path: Path
) -> None:
    def killed(word: Word) -> None:
        if word.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done(lesson, killed, keep=str(tmp_path / "kept"))
    heard: list[Word] = []
    went_on = done(lesson, heard.append, keep=str(tmp_path / "kept"))
    assert heard[0].step > 0
    whole = done(lesson)
    np.testing.assert_array_equal(went_on.answers[0], whole.answers[0])
    np.testing.assert_array_equal(went_on.curves[0], whole.curves[0])


def test_epochs_are_planned_by_the_time_there_is_and_the_plan_is_told(lesson: Lesson) -> None:
    outcome = done(lesson, params=PARAMS | {"epochs": 100_000}, limit_s=1.5)
    assert outcome.status == "done" and outcome.is_short
    assert 0 < outcome.params["epochs"] < 100_000
    assert outcome.course is not None and outcome.course.n_epochs == outcome.params["epochs"]
    again = done(lesson, params=outcome.params, lengths=outcome.lengths)
    np.testing.assert_array_equal(again.curves[0], outcome.curves[0])


def test_less_than_an_epoch_is_told_in_steps_and_taken_again(lesson: Lesson) -> None:
    first = done(lesson, params=PARAMS | {"epochs": 1, "steps": 3})
    assert first.course is not None and (first.course.n_epochs, first.course.n_steps) == (1, 3)
