"""Penalties are chosen by rows that are left out."""

from __future__ import annotations

import numpy as np

from palio.train.solvers.losses import Loss
from palio.train.solvers.penalised import descend, ridge

VALUES = Loss("squared", np.zeros(0, dtype=np.int64), 0)


def test_the_penalty_is_the_one_whose_error_is_least_when_each_row_is_left_out_in_turn() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 12))
    y = (X[:, :1] + rng.normal(size=(30, 1))) * 2
    penalties = np.array([0.01, 1.0, 10.0, 100.0])
    errors = []
    for penalty in penalties:
        gaps = []
        for row in range(len(X)):
            rest = np.arange(len(X)) != row
            fitted = ridge(X[rest], y[rest], None, np.array([penalty]))
            gaps.append(float((fitted.scores(X[row : row + 1]) - y[row]).item() ** 2))
        errors.append(np.mean(gaps))
    assert ridge(X, y, None, penalties).penalty == penalties[int(np.argmin(errors))]


def test_more_columns_than_rows_are_fitted_as_the_longer_way_round_would() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 50)), rng.normal(size=(20, 1))
    fitted = ridge(X, y, None, np.array([2.0]))
    centred = X - X.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + 2.0 * np.eye(50), centred.T @ (y - y.mean()))
    np.testing.assert_allclose(fitted.coefficients, expected, atol=1e-8)


def test_a_penalty_on_sizes_ends_at_zero_for_what_does_not_count() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 20))
    y = 3 * X[:, :1] - 2 * X[:, 1:2] + 0.1 * rng.normal(size=(400, 1))
    fitted = descend(X, VALUES, y, None, 40.0, mix=1.0)
    assert (fitted.coefficients[2:] == 0).all()
    np.testing.assert_allclose(fitted.coefficients[:2, 0], [3, -2], atol=0.2)
