"""Learn which inputs count, from how steep a fit is along each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from palio.train.examples import Array
from palio.train.solvers.inputs import some
from palio.train.solvers.kernels import Landmarks, choose_landmarks, middle_distance
from palio.train.solvers.penalised import Weighed, ridge

METRIC_ROWS, METRIC_LANDMARKS = 3_000, 400
"""What an estimate looks at."""
MOST_SCORES = 8
PENALTIES = np.logspace(-5, 2, 15)
_BLOCK = 2048

Choose = Callable[[Array, int], tuple[Landmarks, Array]]


def stretched(
    inputs: Array,
    factors: Array,
    targets: Array,
    weights: Array | None,
    choose: Choose,
    rng: np.random.Generator,
    deadline: float | None,
) -> Array:
    """Return what each input is to be multiplied with, 1 for what counts most: its slope in a least-squares fit.

    Args:
        inputs: Shape (n_rows, n_inputs).
        factors: What the inputs are multiplied with so far.
        targets: Shape (n_rows, n_scores).
        weights: What each row counts.
        choose: Chooses so many landmarks among rows.
        rng: Draws some of the rows.
        deadline: Moment on `time.monotonic` at which to give up.

    Source: Radhakrishnan, Beaglehole, Pandit and Belkin 2024, the diagonal of their matrix.
    """
    rows = some(len(inputs), METRIC_ROWS, rng)
    part, truth = inputs[rows] * factors, targets[rows]
    landmarks, triangle = choose(part, min(METRIC_LANDMARKS, len(part)))
    counts = None if weights is None else weights[rows]
    fitted = ridge(unrelated(landmarks, triangle, part), truth, counts, PENALTIES, deadline=deadline)
    common = np.argsort(-truth.sum(axis=0), kind="stable")[:MOST_SCORES]
    slopes = landmarks.slopes(part, on_landmarks(fitted, triangle).coefficients[:, common])
    slopes = np.sqrt(slopes) * factors
    if not slopes.max(initial=0.0) > 0:
        return factors
    return np.asarray(slopes / slopes.max() + 0.01)


def gaussian_landmarks(rng: np.random.Generator, deadline: float | None) -> Choose:
    """Return what chooses landmarks of a smooth kernel."""

    def choose(inputs: Array, n_landmarks: int) -> tuple[Landmarks, Array]:
        return choose_landmarks("gaussian", inputs, middle_distance(inputs, rng), n_landmarks, rng, deadline)

    return choose


def unrelated(landmarks: Landmarks, triangle: Array, inputs: Array) -> Array:
    """Return features whose products are the likenesses of rows, as far as the landmarks say them."""
    from scipy.linalg import solve_triangular

    kind = np.float64 if len(inputs) * len(triangle) <= 5_000_000 else np.float32
    blocks = [
        solve_triangular(triangle, landmarks.likeness(inputs[start : start + _BLOCK]).T, lower=True).T.astype(kind)
        for start in range(0, len(inputs), _BLOCK)
    ]
    return np.concatenate(blocks)


def on_landmarks(weighed: Weighed, triangle: Array) -> Weighed:
    """Return the same sum, of likenesses in place of the features of `unrelated`."""
    from scipy.linalg import solve_triangular

    coefficients = solve_triangular(triangle, weighed.coefficients, lower=True, trans="T")
    return Weighed(np.asarray(coefficients), weighed.intercepts, weighed.penalty)
