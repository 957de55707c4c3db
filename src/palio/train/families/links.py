"""Turn scores into probabilities, to the last bits as a graph does."""

from __future__ import annotations

import numpy as np

from palio.train.examples import Array


def probabilities_of(scores: Array) -> Array:
    """Return probabilities (n_rows, n_classes): logistic for one column of scores, softmax for more.

    Example:
        >>> probabilities_of(np.zeros((1, 1)))
        array([[0.5, 0.5]])
    """
    if scores.shape[1] == 1:
        small = 1 / (1 + np.exp(np.abs(scores)))
        positive = np.where(scores >= 0, 1 - small, small)
        return np.hstack([1 - positive, positive])
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    total: Array = raised / raised.sum(axis=1, keepdims=True)
    return total
