"""Fit sums of features whose squared weights are penalised, and choose how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from palio.train.examples import Array
from palio.train.family import check_time
from palio.train.solvers.descent import lowest
from palio.train.solvers.losses import Loss

LOO_ROWS = 20_000
"""Rows on which penalties are compared."""
LEAST, FLAT = 1e-7, 1e-5
"""A descent ends when a step gains less than this share of the loss, or where no slope is steeper."""


@dataclass(frozen=True)
class Weighed:
    """A sum: scores are features @ coefficients + intercepts."""

    coefficients: Array
    """Shape (n_features, n_scores)."""
    intercepts: Array
    penalty: float

    def scores(self, features: Array) -> Array:
        """Return scores, shape (n_rows, n_scores)."""
        return features @ self.coefficients + self.intercepts


def ridge(
    features: Array, targets: Array, weights: Array | None, penalties: Array, *, deadline: float | None = None
) -> Weighed:
    """Fit least squares with the penalty whose error on rows left out, one at a time, is least.

    Args:
        features: Shape (n_rows, n_features).
        targets: Shape (n_rows, n_targets).
        weights: What each row counts, mean 1.
        penalties: Which to compare; one alone is taken.
        deadline: Moment on `time.monotonic` at which to give up.

    Source: Allen 1974 (the closed form of what is left out); Hoerl and Kennard 1970.
    """
    counts = np.ones(len(features)) if weights is None else np.maximum(weights, 1e-9)
    center, middle = np.average(features, axis=0, weights=counts), np.average(targets, axis=0, weights=counts)
    root = np.sqrt(counts)[:, None]
    X, Y = (features - center) * root, (targets - middle) * root
    check_time(deadline)
    if X.shape[0] < X.shape[1]:  # few rows: their similarities say it all
        values, left = np.linalg.eigh(X @ X.T)
        keep = values > max(values[-1], 1e-300) * 1e-12
        values, left = values[keep], left[:, keep]
        right = (X.T @ left) / np.sqrt(values)
    else:
        values, right = np.linalg.eigh(X.T @ X)
        keep = values > max(values[-1], 1e-300) * 1e-12
        values, right = values[keep], right[:, keep]
    check_time(deadline)
    step = max(1, len(X) // LOO_ROWS)
    part = X[::step] @ right / np.sqrt(values)
    projected = (X.T @ Y).T @ right  # (n_targets, rank)
    best = penalties[0]
    if len(penalties) > 1:
        seen, losses = Y[::step], []
        share = part * part
        for penalty in penalties:
            shrunk = values / (values + penalty)
            fitted = part @ (projected / np.sqrt(values) * shrunk).T
            leverage = share @ shrunk + counts[::step] / counts.sum()
            losses.append(float((((seen - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]) ** 2).mean()))
        best = penalties[int(np.argmin(losses))]
    coefficients = right @ (projected / (values + best)).T
    return Weighed(coefficients, middle - center @ coefficients, float(best))


def descend(
    features: Array,
    loss: Loss,
    targets: Array,
    weights: Array | None,
    penalty: float,
    *,
    mix: float = 0.0,
    start: Weighed | None = None,
    steps: int = 200,
    deadline: float | None = None,
) -> Weighed:
    """Make mean loss + penalty / rows · (mix · sizes + (1 - mix) / 2 · squares) as small as `steps` of L-BFGS do.

    With a `mix`, each coefficient is one that is not negative less another, so that many end at exactly 0.

    Source: Zhu, Byrd, Lu and Nocedal 1997; Zou and Hastie 2005 (elastic net).
    """
    n_rows, n_features = features.shape
    n_scores = targets.shape[1]
    share = (np.ones(n_rows) if weights is None else weights)[:, None].astype(features.dtype)
    targets = targets.astype(features.dtype)
    ridge_part, size_part = penalty * (1 - mix) / n_rows, penalty * mix / n_rows
    first = np.zeros((n_features + 1, n_scores))
    if start is None:
        first[-1] = loss.start(targets, weights)
    else:
        first[:-1], first[-1] = start.coefficients, start.intercepts

    def slope(both: Array) -> tuple[float, Array]:
        check_time(deadline)
        small = both.astype(features.dtype)
        scores = features @ small[:-1] + small[-1]
        found = loss.found(scores)
        value = float((loss.value(scores, targets, found) * share[:, 0]).mean(dtype=np.float64))
        gap = loss.gradient(scores, targets, found) * share
        gradient = np.empty_like(both)
        gradient[:-1] = (features.T @ gap) / n_rows + ridge_part * both[:-1]
        gradient[-1] = gap.mean(axis=0, dtype=np.float64)
        return value + ridge_part / 2 * float((both[:-1] ** 2).sum()), gradient

    def plain(flat: Array) -> tuple[float, Array]:
        value, gradient = slope(flat.reshape(first.shape))
        return value, gradient.ravel()

    def parted(flat: Array) -> tuple[float, Array]:
        up, down, intercepts = _parts(flat, n_features, n_scores)
        value, gradient = slope(np.vstack([up - down, intercepts]))
        sides = [gradient[:-1] + size_part, -gradient[:-1] + size_part, gradient[-1:]]
        return value + size_part * float(up.sum() + down.sum()), np.concatenate([side.ravel() for side in sides])

    if mix == 0.0:
        both = lowest(plain, first.ravel(), steps=steps, least=LEAST, flat=FLAT).reshape(first.shape)
    else:
        from scipy.optimize import minimize

        options: dict[str, Any] = {"maxiter": steps, "maxcor": 20, "ftol": LEAST, "gtol": FLAT}
        begin = np.concatenate([np.maximum(first[:-1], 0).ravel(), np.maximum(-first[:-1], 0).ravel(), first[-1]])
        bounds = [(0.0, None)] * (2 * n_features * n_scores) + [(None, None)] * n_scores
        found = minimize(parted, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
        up, down, intercepts = _parts(found, n_features, n_scores)
        both = np.vstack([up - down, intercepts])
    return Weighed(both[:-1].copy(), both[-1].copy(), penalty)


def _parts(flat: Array, n_features: int, n_scores: int) -> tuple[Array, Array, Array]:
    size = n_features * n_scores
    return (
        flat[:size].reshape(n_features, n_scores),
        flat[size : 2 * size].reshape(n_features, n_scores),
        flat[2 * size :].reshape(1, n_scores),
    )


def choose(
    features: Array,
    loss: Loss,
    targets: Array,
    weights: Array | None,
    penalties: Array,
    rng: np.random.Generator,
    *,
    mix: float = 0.0,
    steps: int = 200,
    deadline: float | None = None,
) -> Weighed:
    """Fit with the penalty that is best on a fifth of the rows, from the largest down, each from the last one's end."""
    if len(penalties) == 1:
        return descend(features, loss, targets, weights, float(penalties[0]), mix=mix, steps=steps, deadline=deadline)
    fold = _fifths(targets, rng)
    rows = np.flatnonzero(fold != 0)[: 4 * LOO_ROWS]
    held = np.flatnonzero(fold == 0)[:LOO_ROWS]
    of = None if weights is None else weights[rows]
    inside, truth = features[rows].astype(np.float32), targets[rows]
    best, losses, path = None, [], []
    for penalty in np.sort(penalties)[::-1]:
        best = descend(
            inside, loss, truth, of, 0.8 * float(penalty), mix=mix, start=best, steps=steps // 3, deadline=deadline
        )
        path.append((best, float(penalty)))
        values = loss.value(best.scores(features[held]), targets[held])
        losses.append(float(np.average(values, weights=None if weights is None else weights[held])))
        if len(losses) - 1 - int(np.argmin(losses)) >= 2:
            break
    start, penalty = path[int(np.argmin(losses))]
    return descend(features, loss, targets, weights, penalty, mix=mix, start=start, steps=steps, deadline=deadline)


def _fifths(targets: Array, rng: np.random.Generator) -> Array:
    """Deal rows to five parts, each with its share of every class or of small and large values."""
    order = rng.permutation(len(targets))
    key = targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0]
    order = order[np.argsort(key[order], kind="stable")]
    fold = np.empty(len(targets), dtype=np.int64)
    fold[order] = (np.arange(len(targets)) + int(rng.integers(5))) % 5
    return fold
