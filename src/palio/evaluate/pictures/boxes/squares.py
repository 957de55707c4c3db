"""Boxes that a model said of changed pixels: brought from the square that it saw back into the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from palio import model
from palio.evaluate.answers import Array
from palio.measure import Answers

MARGIN = 0.1
"""Of its sides: what is taken out around a box, for boxes are drawn by hand."""


def from_square(answers: Answers, places: Array) -> Answers:
    """Bring boxes into the pixels of each picture, cut off at its borders; what lies beside it is left out.

    Args:
        answers: In the pixels of the square.
        places: Shape (n_rows, 6), as `PictureReader.places` gives them.
    """
    found = np.empty(len(answers), object)
    for row, (one, place) in enumerate(zip(answers.prediction, places, strict=True)):
        corners = model.unfitted(one.corners[None], place[None])[0].clip(0, np.tile(place[4:6], 2))
        found[row] = replace(one, corners=corners).take((corners[:, 2:] > corners[:, :2]).all(axis=1))
    return Answers(found)


def emptied(pixels: Array, truth: Array, places: Array) -> Array:
    """Return pictures without what is in them: boxes, and a little around each, get the colour of the rest.

    Args:
        pixels: As the graph takes them, shape (n_rows, S, S, 3).
        truth: Shape (n_rows,), an `Objects` each.
        places: Shape (n_rows, 6), as `PictureReader.places` gives them.
    """
    made, side = pixels.copy(), pixels.shape[1]
    for picture, corners in zip(made, in_square(truth, places, margin=MARGIN), strict=True):
        low = np.floor(corners[:, :2]).clip(0, side).astype(int)
        high = np.ceil(corners[:, 2:]).clip(0, side).astype(int)
        is_thing = np.zeros((side, side), bool)
        for (x, y), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True):
            is_thing[y:bottom, x:right] = True
        rest = picture[~is_thing]
        if len(rest):
            picture[is_thing] = np.median(rest, axis=0)
    return made


def in_square(truth: Array, places: Array, *, margin: float = 0.0) -> list[Array]:
    """Return where the true boxes of each picture lie in the pixels of the square, shape (n_boxes, 4) each.

    Args:
        truth: Shape (n_rows,), an `Objects` each.
        places: Shape (n_rows, 6), as `PictureReader.places` gives them.
        margin: Of its sides, what is added to a box, and a pixel, where it is not 0.
    """
    found = []
    for one, (across, down, left, top) in zip(truth, places[:, :4].tolist(), strict=True):
        corners = one.corners * (across, down, across, down) - (left, top, left, top)
        if margin:
            more = margin * (corners[:, 2:] - corners[:, :2]) + 1
            corners = np.concatenate([corners[:, :2] - more, corners[:, 2:] + more], axis=1)
        found.append(corners)
    return found


def areas(places: Array, side: int) -> Array:
    """Return where pictures lie in the square, in whole pixels, shape (n_rows, 4): beside them there is nothing."""
    corners = np.concatenate([-places[:, 2:4], places[:, 4:6] * places[:, :2] - places[:, 2:4]], axis=1)
    return np.asarray(corners.round().clip(0, side).astype(int))


def shares_of(corners: Array, area: Array) -> Array:
    """Return corners in the square as shares of the picture in it, shape (n, 4).

    Args:
        corners: Shape (n, 4), in the pixels of the square.
        area: Shape (4,), as `areas` returns it.
    """
    left, top, right, bottom = area.tolist()
    size = np.array([max(1, right - left), max(1, bottom - top)] * 2)
    return np.asarray((corners - np.array([left, top] * 2)) / size)


def turned_back(answers: Answers, size: int) -> Answers:
    """Turn boxes of a square whose pixels `numpy.rot90` has turned, back to where the things were."""
    found = np.empty(len(answers), object)
    for row, one in enumerate(answers.prediction):
        left, top, right, bottom = one.corners.T
        found[row] = replace(one, corners=np.stack([size - bottom, left, size - top, right], axis=1))
    return Answers(found)
