"""Whether forecasts mean what they say: bins of a reliability diagram."""

from __future__ import annotations

import numpy as np

from palio.core.records import CalibrationBin, Task
from palio.measure import questions
from palio.measure.intervals import wilson
from palio.measure.questions import Answers
from palio.measure.sample import N_BINS, Array


def calibration_bins(task: Task, truth: Array, answers: Answers) -> tuple[CalibrationBin, ...]:
    """Group rows by forecast and set what was said against what came.

    Bins hold equally many rows (up to ten bins; rows with equal forecasts stay together). Two classes: the forecast of
    the positive class; more: the confidence in the predicted class and how often it was right. Of boxes: the score of
    each, and how often it was there. Bounds are Wilson's.

    Args:
        task: What is asked; numbers have no bins.
        truth: Shape (n_rows,).
        answers: To the same rows; of classes without probabilities there are no bins.

    Raises:
        InputError: see `Question.sample`.

    Source: Bröcker & Smith 2007, Weather and Forecasting 22(3).
    """
    sample = questions.of(task).sample(truth, answers)
    if not sample.has_forecast:
        return ()
    forecast, outcome = sample.forecast
    rows = np.bincount(sample.bins, minlength=N_BINS)
    said = np.bincount(sample.bins, forecast, N_BINS)
    came = np.bincount(sample.bins, outcome, N_BINS)
    out = []
    for i in np.flatnonzero(rows):
        low, high = wilson(float(came[i]), int(rows[i]))
        predicted, observed = float(said[i] / rows[i]), float(came[i] / rows[i])
        out.append(CalibrationBin(predicted=predicted, observed=observed, low=low, high=high, n_rows=int(rows[i])))
    return tuple(out)
