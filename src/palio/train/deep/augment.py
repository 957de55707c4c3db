"""Change pictures at random, so that a network learns what does not matter; plain numpy, fixed by (seed, epoch, row).

Strength 0 leaves them as they are. 1 mirrors and shifts them by up to an eighth. 2 takes windows of other sizes
instead, and changes light and colour. 3 does more of that, and blanks out a square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from palio.train.examples import Array

STRENGTHS = (0, 1, 2, 3)
_SMALLEST_WINDOW = {2: 0.5, 3: 0.3}
"""Least share of the area that a window shows."""
_LIGHT = {2: 0.25, 3: 0.4}
"""By how much brightness, contrast and saturation change, at most."""


def augmented(pixels: Array, rows: Array, *, strength: int, seed: int, epoch: int, mirror: bool = True) -> Array:
    """Return pictures, uint8 (n, S, S, 3), each changed in its own way.

    Args:
        pixels: The pictures.
        rows: The row of each one: the same row in the same epoch is changed in the same way.
        strength: 0 to 3.
        seed: Fixes every use of chance.
        epoch: Another epoch brings other changes.
        mirror: Whether left and right may be exchanged; letters and signs forbid it.
    """
    if strength == 0:
        return pixels
    found = np.empty_like(pixels)
    for place, row in enumerate(rows):
        rng = np.random.default_rng((seed, epoch, int(row)))
        picture = pixels[place]
        if mirror and rng.random() < 0.5:
            picture = picture[:, ::-1]
        picture = shifted(picture, rng) if strength == 1 else windowed(picture, rng, _SMALLEST_WINDOW[strength])
        if strength >= 2:
            picture = relit(picture, rng, _LIGHT[strength])
        found[place] = picture
        if strength == 3 and rng.random() < 0.5:
            blank(found[place], rng)
    return found


def shifted(picture: Array, rng: np.random.Generator) -> Array:
    """Shift a picture by up to an eighth of its side; what comes in is the mirror image of the border."""
    height, width = picture.shape[:2]
    down, right = (int(rng.integers(-(side // 8), side // 8 + 1)) for side in (height, width))
    return _moved(_moved(picture, down, 0), right, 1)


def _moved(picture: Array, shift: int, axis: int) -> Array:
    if not shift:
        return picture
    parts = (slice(shift, None), slice(-2, -2 - shift, -1)) if shift > 0 else (slice(-shift, 0, -1), slice(shift))
    return np.concatenate([picture[(slice(None),) * axis + (one,)] for one in parts], axis=axis)


def windowed(picture: Array, rng: np.random.Generator, smallest: float) -> Array:
    """Show a window of a random size and aspect (3:4 to 4:3) at the size of the picture."""
    height, width = picture.shape[:2]
    for _ in range(10):
        area = height * width * rng.uniform(smallest, 1.0)
        aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        high, wide = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < high <= height and 0 < wide <= width:
            top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
            return resized(picture[top : top + high, left : left + wide], height, width)
    return picture


def resized(picture: Array, height: int, width: int) -> Array:
    """Scale a picture by bilinear interpolation, uint8; meant for windows that are made larger.

    Example:
        >>> resized(np.array([[[0], [200]]], np.uint8), 1, 4)[0, :, 0]
        array([  0,  50, 150, 200], dtype=uint8)
    """
    values = _along(picture.astype(np.float32), height, 0)
    return np.asarray(np.clip(_along(values, width, 1) + 0.5, 0, 255), np.uint8)


def _along(values: Array, size: int, axis: int) -> Array:
    before = values.shape[axis]
    if before == size:
        return values
    at = np.clip((np.arange(size) + 0.5) * before / size - 0.5, 0, before - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, before - 1)
    share = (at - low).astype(np.float32).reshape([-1 if one == axis else 1 for one in range(values.ndim)])
    first, second = values.take(low, axis=axis), values.take(high, axis=axis)
    return np.asarray(first + (second - first) * share)


def relit(picture: Array, rng: np.random.Generator, most: float) -> Array:
    """Change brightness, contrast and saturation, each by a factor within 1 ± `most`."""
    bright, contrast, colour = rng.uniform(1 - most, 1 + most, 3).astype(np.float32)
    values = picture.astype(np.float32)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    middle = grey.mean()
    values *= colour  # grey + colour · (values − grey), then the contrast around the middle, then the brightness
    values += (1 - colour) * grey[..., None]
    values *= contrast * bright
    values += (1 - contrast) * bright * middle + np.float32(0.5)
    return np.asarray(np.clip(values, 0, 255, out=values), np.uint8)


def blank(picture: Array, rng: np.random.Generator) -> None:
    """Fill a square of a quarter to half of the side with the mean colour, in place (DeVries and Taylor 2017)."""
    height, width = picture.shape[:2]
    side = max(1, round(min(height, width) * rng.uniform(0.25, 0.5)))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    picture[top : top + side, left : left + side] = picture.reshape(-1, picture.shape[-1]).mean(axis=0)


def contact_sheet(
    pixels: Array, rows: Array, *, strength: int, seed: int, mirror: bool = True, n_epochs: int = 6, gap: int = 2
) -> Array:
    """Return one picture, uint8 (h, w, 3): each row as it is, and beside it what a network sees in some epochs."""
    columns = [pixels]
    columns += [
        augmented(pixels, rows, strength=strength, seed=seed, epoch=epoch, mirror=mirror) for epoch in range(n_epochs)
    ]
    return beside(columns, gap=gap)


def beside(columns: Sequence[Array], *, gap: int = 2) -> Array:
    """Put columns of pictures of one size, uint8 (n, h, w, 3) each, beside each other on white."""
    n, height, width = columns[0].shape[:3]
    sheet = np.full((n * (height + gap) + gap, len(columns) * (width + gap) + gap, 3), 255, np.uint8)
    for across, column in enumerate(columns):
        for down in range(n):
            top, left = gap + down * (height + gap), gap + across * (width + gap)
            sheet[top : top + height, left : left + width] = column[down]
    return sheet
