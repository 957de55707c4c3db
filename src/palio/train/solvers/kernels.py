"""Say how alike rows are, choose rows that stand for all, and learn which inputs count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from palio.train.examples import Array
from palio.train.family import check_time

Kernel = Literal["gaussian", "rational", "polynomial"]


@dataclass(frozen=True)
class Landmarks:
    """A kernel, and the rows that others are compared with.

    gaussian: exp(-d² / width). rational: 1 / (1 + d² / width). polynomial: (1 + x · y / width)³.
    """

    kernel: Kernel
    rows: Array
    """Shape (n_landmarks, n_inputs)."""
    width: float

    def likeness(self, inputs: Array) -> Array:
        """Return how alike each row of inputs is to each landmark, shape (n_rows, n_landmarks)."""
        product = inputs @ (self.rows.T / self.width)
        if self.kernel == "polynomial":
            return (1.0 + product) ** 3
        squares = (inputs * inputs).sum(axis=1, keepdims=True) / self.width
        distance = squares + (self.rows * self.rows).sum(axis=1) / self.width - 2 * product
        if self.kernel == "rational":
            return np.asarray(1 / (1 + np.maximum(distance, 0.0)))
        return np.asarray(np.exp(-np.maximum(distance, 0.0)))

    def self_likeness(self, inputs: Array) -> Array:
        """Return how alike each row is to itself, shape (n_rows,)."""
        if self.kernel == "polynomial":
            return np.asarray((1 + (inputs * inputs).sum(axis=1) / self.width) ** 3)
        return np.ones(len(inputs))

    def slopes(self, inputs: Array, coefficients: Array) -> Array:
        """Return how steep a score is along each input, squared and meant over rows, shape (n_inputs,).

        Args:
            inputs: Shape (n_rows, n_inputs).
            coefficients: What each landmark adds to the scores, shape (n_landmarks, n_scores).
        """
        total = np.zeros(inputs.shape[1])
        alike = self.likeness(inputs)
        if self.kernel == "polynomial":
            alike = 3 * np.cbrt(alike) ** 2
        elif self.kernel == "rational":
            alike = alike * alike
        for score in coefficients.T:
            weighed = alike * score
            slope = weighed @ self.rows
            if self.kernel != "polynomial":
                slope = 2 * (slope - inputs * weighed.sum(axis=1, keepdims=True))
            total += ((slope / self.width) ** 2).mean(axis=0)
        return total


def middle_distance(inputs: Array, rng: np.random.Generator) -> float:
    """Return the median squared distance between two rows."""
    one, other = (rng.integers(0, len(inputs), 4000) for _ in range(2))
    squares = ((inputs[one] - inputs[other]) ** 2).sum(axis=1)
    return float(np.median(squares[squares > 0])) if (squares > 0).any() else 1.0


def choose_landmarks(
    kernel: Kernel, inputs: Array, width: float, n_landmarks: int, rng: np.random.Generator, deadline: float | None
) -> tuple[Landmarks, Array]:
    """Choose rows that stand for all others; return them and the triangle L of their likeness, L Lᵀ.

    Rows are drawn a block at a time, in proportion to what those before leave unsaid of them.

    Source: Chen, Epperly, Tropp and Webber 2022 (randomly pivoted Cholesky).
    """
    whole = Landmarks(kernel, inputs, width)
    left = whole.self_likeness(inputs)
    total, block = float(left.sum()), max(1, n_landmarks // 10)
    said: Array = np.zeros((len(inputs), 0))
    chosen = np.zeros(0, dtype=np.int64)
    while len(chosen) < n_landmarks and left.sum() > 1e-7 * total:
        check_time(deadline)
        size = min(block, n_landmarks - len(chosen), int((left > 0).sum()))
        drawn = np.unique(rng.choice(len(inputs), size, p=left / left.sum()))
        column = Landmarks(kernel, inputs[drawn], width).likeness(inputs) - said @ said[drawn].T
        triangle, kept = _cholesky(column[drawn])
        drawn = drawn[kept]
        if not len(drawn):
            break
        column = np.linalg.solve(triangle, column[:, kept].T).T
        said = np.hstack([said, column])
        chosen = np.concatenate([chosen, drawn])
        left = np.maximum(left - (column * column).sum(axis=1), 0.0)
        left[chosen] = 0.0
        left[left < 1e-9 * total / len(left)] = 0.0
    return Landmarks(kernel, inputs[chosen], width), said[chosen]


def _cholesky(matrix: Array) -> tuple[Array, Array]:
    """Return the triangle of the rows that the ones before do not say, and which rows those are."""
    from scipy.linalg import solve_triangular

    triangle = np.zeros(matrix.shape)
    kept: list[int] = []
    floor = 1e-8 * float(np.diag(matrix).max(initial=1e-300))
    for row in range(len(matrix)):
        size = len(kept)
        part = np.zeros(0)
        if size:
            part = solve_triangular(triangle[:size, :size], matrix[row, kept], lower=True, check_finite=False)
        rest = matrix[row, row] - part @ part
        if rest > max(floor, 1e-6 * matrix[row, row]):
            triangle[size, :size] = part
            triangle[size, size] = np.sqrt(rest)
            kept.append(row)
    return triangle[: len(kept), : len(kept)], np.array(kept, dtype=np.int64)
