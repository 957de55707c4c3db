"""Choose rows to look at: right, wrong, wrong and sure of it, near the threshold; and what another model changes."""

from __future__ import annotations

import numpy as np

from palio.core.records.looking import GalleryKind
from palio.evaluate.answers import Array
from palio.measure import Answers

SURE = 0.8
CLOSE = 0.1
"""Of probability between the two likeliest classes: nearer ones stand near the threshold."""

Chosen = list[tuple[GalleryKind, Array]]
"""Kinds of rows, and the rows of each, those first that are to be shown."""


def chosen(probabilities: Array, said: Array, truth: Array, *, fewest_near: int = 0) -> Chosen:
    """Choose rows of each kind: the surest of each class in turn, the surest mistakes and the closest calls first.

    Args:
        probabilities: Of the classes, shape (n_rows, n_classes).
        said: Class indices that are answered, shape (n_rows,).
        truth: The right ones.
        fewest_near: So many of the closest are shown, however far from the threshold.
    """
    sure, is_right = probabilities[np.arange(len(said)), said], said == truth
    ranked = np.sort(probabilities, axis=1)
    margin = ranked[:, -1] - ranked[:, -2] if probabilities.shape[1] > 1 else np.zeros(len(said))
    right, wrong = np.flatnonzero(is_right), np.flatnonzero(~is_right)
    surely = wrong[sure[wrong] >= SURE]
    found: Chosen = [
        ("surely_wrong", surely[np.argsort(-sure[surely], kind="stable")]),
        ("wrong", _in_turn(np.setdiff1d(wrong, surely), truth, sure)),
        ("near", np.argsort(margin, kind="stable")[: max(fewest_near, int((margin < CLOSE).sum()))]),
        ("right", _in_turn(right, truth, sure)),
    ]
    return [(kind, rows) for kind, rows in found if len(rows)]


def changed_rows(before: Answers, truth: Array, is_right: Array) -> Chosen:
    """Choose rows that the champion answers wrongly and the challenger does not, and the other way round."""
    was_right = np.asarray(before.prediction == truth)
    sides: Chosen = [
        ("mended", np.flatnonzero(~was_right & is_right)),
        ("broken", np.flatnonzero(was_right & ~is_right)),
    ]
    return [(kind, rows) for kind, rows in sides if len(rows)]


def _in_turn(rows: Array, truth: Array, sure: Array) -> Array:
    """Order rows by how sure the answer is, the classes taking turns."""
    turns = np.zeros(len(rows), int)
    for label in np.unique(truth[rows]):
        own = np.flatnonzero(truth[rows] == label)
        turns[own[np.argsort(-sure[rows[own]], kind="stable")]] = np.arange(len(own))
    return rows[np.argsort(turns, kind="stable")]
