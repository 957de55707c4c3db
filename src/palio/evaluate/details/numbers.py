"""What an evaluation of numbers shows below the headline."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio.core.records import Curve, Task
from palio.evaluate.answers import Array
from palio.evaluate.details.curves import curve
from palio.measure import Answers

N_POINTS = 200


def details_of(task: Task, truth: Array, answers: Answers) -> dict[str, Any]:  # noqa: ARG001
    """Return fields of an `Evaluation`: the curves."""
    return {"curves": regression_curves(truth, answers.prediction)}


def regression_curves(truth: Array, prediction: Array) -> tuple[Curve, ...]:
    """Pick rows evenly by rank of the prediction, and set truth and what is left over against it."""
    order = np.argsort(prediction, kind="stable")
    picked = order[np.unique(np.linspace(0, len(order) - 1, min(N_POINTS, len(order))).astype(np.int64))]
    x, y = prediction[picked], truth[picked]
    return curve("predicted_actual", x, y), curve("residuals", x, y - x)
