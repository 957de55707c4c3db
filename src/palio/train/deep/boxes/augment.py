"""Change pictures at random together with what is where in them: parts of four in one, or one larger, smaller, shifted.

Plain numpy, and the resizing of `palio.pixels`; fixed by (seed, epoch, row). A box stays if enough of it is seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from palio import pixels
from palio.train.examples import Array

GREY = 114
"""What lies around pictures, as in their reading."""
SEEN, LEAST_SIDE = 0.3, 3.0
"""Share of a box that must be seen for it to stay, and the shortest side in pixels."""
SIDED = re.compile(r"left|right|(?<![a-z])[lr](?![a-z])|clockwise|arrow", re.IGNORECASE)
"""In a name, a sign that its mirror image is something else; where there are several classes, digits are, too."""
SIGN = re.compile(r"\W*\w\W*|(zero|one|two|three|four|five|six|seven|eight|nine|ten)", re.IGNORECASE)
"""A name that is one letter or number: of several such classes each is what is written; a few may be grades."""
FEWEST_SIGNS = 4


@dataclass(frozen=True)
class Scene:
    """A picture and what is where in it."""

    pixels: Array
    """uint8 (height, width, 3)."""
    corners: Array
    """(n, 4) in its pixels."""
    kinds: Array
    """(n, 2): class index, and whether it is ignored."""


@dataclass(frozen=True)
class Changes:
    """How much pictures are changed."""

    mosaic: float = 0.5
    """How often four pictures become one."""
    scale: float = 0.6
    """A picture is up to exp(this) times as large or small."""
    aspect: float = 0.1
    colour: float = 0.6
    """By what part saturation changes; brightness and contrast by two thirds of it."""
    grey: float = 0.1
    """How often all colour goes."""
    mirror: bool = True
    """Whether left and right may be exchanged."""


NONE = Changes(mosaic=0.0, scale=0.0, aspect=0.0, colour=0.0, grey=0.0, mirror=False)


def may_mirror(classes: Sequence[str]) -> bool:
    """Tell whether the mirror image of every class is of the same class, by its name.

    Example:
        >>> may_mirror(["bright lamp", "person"]), may_mirror(["turn left"]), may_mirror(["speed 30", "speed 50"])
        (False, False, False)
        >>> may_mirror(["person", "car"]), may_mirror(["b", "d", "p", "q"])
        (True, False)
    """
    if len(classes) >= FEWEST_SIGNS and all(SIGN.fullmatch(name) for name in classes):
        return False
    has_digits = len(classes) > 1 and any(re.search(r"\d", name) for name in classes)
    return not has_digits and not any(SIDED.search(name) for name in classes)


def alone(scene: Scene, rng: np.random.Generator, size: int, how: Changes) -> Scene:
    """Show one picture on a square: larger or smaller, wider or narrower, at a random place, a part of it or all."""
    height, width = scene.pixels.shape[:2]
    factor = size / max(height, width) * math.exp(rng.uniform(-how.scale, how.scale))
    aspect = math.exp(rng.uniform(-how.aspect, how.aspect))
    across, down = factor * aspect, factor / aspect
    left = _shift(rng, width * across, size) if how.scale else 0.0
    top = _shift(rng, height * down, size) if how.scale else 0.0
    square = np.full((size, size, 3), GREY, np.uint8)
    boxes = _pasted(square, scene, (across, down), (left, top), (0, 0, size, size))
    return _finished(square, [boxes], rng, how)


def together(scenes: Sequence[Scene], rng: np.random.Generator, size: int, how: Changes) -> Scene:
    """Put four pictures around a point (Bochkovskiy et al. 2020, mosaic)."""
    square = np.full((size, size, 3), GREY, np.uint8)
    across, down = (round(one) for one in rng.uniform(0.3, 0.7, 2) * size)
    parts = ((0, 0, across, down), (across, 0, size, down), (0, down, across, size), (across, down, size, size))
    found = []
    for scene, part in zip(scenes, parts, strict=True):
        height, width = scene.pixels.shape[:2]
        factor = size / max(height, width) * rng.uniform(0.45, 1.1)
        wide, high = width * factor, height * factor
        left = part[2] - wide if part[0] == 0 else float(part[0])  # each has a corner at the point
        top = part[3] - high if part[1] == 0 else float(part[1])
        found.append(_pasted(square, scene, (factor, factor), (left, top), part))
    return _finished(square, found, rng, how)


def _shift(rng: np.random.Generator, length: float, size: int) -> float:
    """Return where a picture of this length begins on a square: inside if it fits, else so that it fills it."""
    return float(rng.uniform(min(0.0, size - length), max(0.0, size - length)))


def _pasted(
    square: Array,
    scene: Scene,
    scale: tuple[float, float],
    at: tuple[float, float],
    part: tuple[int, int, int, int],
) -> tuple[Array, Array]:
    """Draw a picture into a part of a square, in place; return the boxes that are seen, and their kinds."""
    height, width = scene.pixels.shape[:2]
    (across, down), (left, top) = scale, at
    low_x, low_y = max(part[0], math.floor(left)), max(part[1], math.floor(top))
    high_x, high_y = min(part[2], math.ceil(left + width * across)), min(part[3], math.ceil(top + height * down))
    if high_x <= low_x or high_y <= low_y:
        return np.zeros((0, 4)), np.zeros((0, 2))
    own = ((low_x - left) / across, (low_y - top) / down, (high_x - left) / across, (high_y - top) / down)
    box = (max(0.0, own[0]), max(0.0, own[1]), min(float(width), own[2]), min(float(height), own[3]))
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return np.zeros((0, 4)), np.zeros((0, 2))
    square[low_y:high_y, low_x:high_x] = pixels.part(scene.pixels, box, to=(high_x - low_x, high_y - low_y))
    moved = scene.corners * (across, down, across, down) + (left, top, left, top)
    cut = np.clip(moved, (low_x, low_y, low_x, low_y), (high_x, high_y, high_x, high_y))
    sides, whole = cut[:, 2:] - cut[:, :2], moved[:, 2:] - moved[:, :2]
    stays = (sides >= LEAST_SIDE).all(axis=1) & (sides.prod(axis=1) >= SEEN * np.maximum(whole.prod(axis=1), 1e-9))
    # what is hardly seen is there nevertheless: nobody is held to it
    hidden = ~stays & (sides > 0).all(axis=1)
    kinds = scene.kinds.copy()
    kinds[hidden, 1] = 1
    return cut[stays | hidden], kinds[stays | hidden]


def _finished(square: Array, parts: Sequence[tuple[Array, Array]], rng: np.random.Generator, how: Changes) -> Scene:
    corners = np.concatenate([boxes for boxes, _ in parts])
    kinds = np.concatenate([own for _, own in parts])
    if how.mirror and rng.random() < 0.5:
        square = square[:, ::-1]
        corners = corners[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (square.shape[1], 0, square.shape[1], 0)
    if how.colour:
        square = _recoloured(square, rng, how)
    return Scene(np.ascontiguousarray(square), corners, kinds)


def _recoloured(picture: Array, rng: np.random.Generator, how: Changes) -> Array:
    saturation = rng.uniform(1 - how.colour, 1 + how.colour)
    contrast, bright = rng.uniform(1 - how.colour * 2 / 3, 1 + how.colour * 2 / 3, 2)
    if rng.random() < how.grey:
        saturation = 0.0
    values = picture.astype(np.float32)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    middle = float(grey.mean())
    # grey + saturation · (values − grey), then contrast around the middle, then brightness, as one product
    values *= np.float32(saturation * contrast * bright)
    values += (np.float32((1 - saturation) * contrast * bright) * grey)[..., None]
    values += np.float32((1 - contrast) * bright * middle + 0.5)
    return np.asarray(np.clip(values, 0, 255, out=values), np.uint8)
