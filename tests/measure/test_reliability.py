from __future__ import annotations

import itertools

import numpy as np
import pytest

from palio import measure
from palio.core.records import Task


def test_bins_hold_every_row_once_and_make_up_the_calibration_error(draw):
    for kind in ("two", "three"):
        a = draw[kind](1, 1003)
        bins = measure.calibration_bins(a.task, a.truth, a.answers)
        assert len(bins) == 10 and sum(b.n_rows for b in bins) == 1003
        error = sum(b.n_rows * abs(b.predicted - b.observed) for b in bins) / 1003
        assert error == pytest.approx(measure.score(*a.all)["calibration_error"])
        assert all(b.low <= b.observed <= b.high for b in bins)
        assert all(x.predicted < y.predicted for x, y in itertools.pairwise(bins))


def test_equal_forecasts_share_one_bin():
    task = Task(kind="classification", target="y", classes=("0", "1"))
    truth = np.array([0, 0, 0, 1] * 25)
    (only,) = measure.calibration_bins(task, truth, measure.Answers(truth, np.tile([0.75, 0.25], (100, 1))))
    assert (only.predicted, only.observed, only.n_rows) == (0.25, 0.25, 100)
