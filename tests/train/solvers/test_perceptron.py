"""Networks fall in the direction in which their loss falls."""

from __future__ import annotations

import numpy as np

from palio.train.solvers.perceptron import Layout, backward, forward


def test_gradients_are_those_of_small_steps() -> None:
    rng = np.random.default_rng(0)
    layout = Layout(members=2, n_inputs=5, n_numbers=3, waves=4, embedded=2, widths=(6, 5), n_scores=2)
    flat = layout.start(rng, np.zeros(2)).astype(np.float64)
    rows, pull = rng.normal(size=(2, 7, 5)), rng.normal(size=(2, 7, 2))

    class Nothing:
        share = 0.0

    _, kept = forward(layout, layout.views(flat), rows, Nothing())  # type: ignore[arg-type]
    gradient = np.zeros_like(flat)
    backward(layout, layout.views(flat), pull, kept, layout.views(gradient))

    def total(weights: np.ndarray) -> float:
        return float((forward(layout, layout.views(weights), rows)[0] * pull).sum())

    for place in rng.choice(len(flat), 60, replace=False):
        step = np.zeros_like(flat)
        step[place] = 1e-5
        slope = (total(flat + step) - total(flat - step)) / 2e-5
        assert abs(slope - gradient[place]) < 1e-5 * max(1.0, abs(slope))
