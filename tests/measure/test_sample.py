from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure import sample as module


def test_neighbouring_scores_taken_as_equal_hardly_move_an_interval(draw, monkeypatch):
    a = draw["two"](1, 6000, decimals=9)
    coarse = measure.score_with_intervals(*a.all, n_resamples=400)
    monkeypatch.setattr(module, "COARSE", 10**9)
    exact = measure.score_with_intervals(*a.all, n_resamples=400)
    for name in ("roc_auc", "pr_auc"):
        width = exact[name].high - exact[name].low
        assert coarse[name].value == exact[name].value
        assert abs(coarse[name].low - exact[name].low) < 0.02 * width, name
        assert abs(coarse[name].high - exact[name].high) < 0.02 * width, name


def test_the_positive_class_is_the_named_one_else_the_second():
    assert measure.positive_index(Task(kind="classification", target="y", classes=("a", "b"))) == 1
    assert measure.positive_index(Task(kind="classification", target="y", classes=("a", "b"), positive="a")) == 0


def test_taking_rows_is_scoring_those_rows(draw):
    a = draw["three"](1, 200)
    rows = np.arange(0, 200, 3)
    part = measure.questions.of(a.task).sample(a.truth, a.answers).take(rows)
    assert part.n_rows == len(rows) and (part.truth == a.truth[rows]).all()
    with pytest.raises(InputError, match="no rows"):
        part.take(np.array([], dtype=int))
