"""Boxes that a model said of changed pixels: brought from the square that it saw back into the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from palio import model
from palio.evaluate.answers import Array
from palio.measure import Answers


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


def turned_back(answers: Answers, size: int) -> Answers:
    """Turn boxes of a square whose pixels `numpy.rot90` has turned, back to where the things were."""
    found = np.empty(len(answers), object)
    for row, one in enumerate(answers.prediction):
        left, top, right, bottom = one.corners.T
        found[row] = replace(one, corners=np.stack([size - bottom, left, size - top, right], axis=1))
    return Answers(found)
