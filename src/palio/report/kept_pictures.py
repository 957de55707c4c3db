"""Make the small pictures that a report shows, from the bytes that the store keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from palio.core.errors import InputError, NotFoundError
from palio.core.records import Comparison, Cue, Evaluation, PictureReading, Place, Transplant

if TYPE_CHECKING:
    from palio.store import Blobs

    Square = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

SIDE = 144
SCENE = 360
"""Longer side of a picture with boxes."""
QUALITY = 72
MAX_BYTES = 4_000_000
"""Of all pictures of a report together."""


def thumbnails(blobs: Blobs, evaluation: Evaluation, comparison: Comparison | None) -> dict[str, bytes]:
    """Return JPEG files of the pictures that a report shows, as the model sees them, by identity; with boxes, whole.

    Pictures onto which something was put are named by their `Transplant`. What is no longer kept is left out, and what
    would make the report too large.
    """
    sight = evaluation.sight
    if sight is None:
        return {}
    from palio import pixels

    squares: dict[str, Square] = {}
    is_whole = evaluation.finds is not None
    found: dict[str, bytes] = {}
    for name, how in _wanted(evaluation, comparison):
        if name in found:
            continue
        try:
            if how is not None:
                square = _transplanted(blobs, how, sight.reading, squares)
            elif is_whole:
                square = _whole(blobs, name, sight.reading)
            else:
                square = _square(blobs, name, sight.reading, squares)
        except (InputError, NotFoundError):
            continue
        file = pixels.as_jpeg(square, quality=QUALITY)
        if sum(map(len, found.values())) + len(file) > MAX_BYTES:
            break
        found[name] = file
    return found


def _wanted(
    evaluation: Evaluation, comparison: Comparison | None
) -> Iterator[tuple[str, tuple[Cue, Transplant] | None]]:
    """Name what is shown, what matters most first."""
    sight = evaluation.sight
    if sight is None:
        return
    for cue in sight.cues:
        for example in cue.examples:
            yield example.picture, None
            yield example.name, (cue, example)
        yield from ((name, None) for name in cue.carriers)
    galleries = (*sight.galleries, *(comparison.galleries if comparison else ()))
    yield from ((one.picture, None) for gallery in galleries for one in gallery.pictures)
    yield from ((row.values[sight.column], None) for row in evaluation.worst if sight.column in row.values)
    yield from ((name, None) for sheet in sight.sheets for name in sheet.pictures)


def _square(blobs: Blobs, name: str, reading: PictureReading, known: dict[str, Square]) -> Square:
    """Return a picture as the model sees it, but as large as it is shown."""
    from palio import pixels

    if name not in known:
        short = round(SIDE * reading.short / reading.size) if reading.short else 0
        limits = pixels.Limits(max_pixels=reading.max_pixels, max_bytes=reading.max_bytes)
        known[name] = pixels.fitted(
            blobs.get(name), size=SIDE, short=max(short, SIDE) if short else 0, fit=reading.fit, limits=limits
        )
    return known[name]


def _whole(blobs: Blobs, name: str, reading: PictureReading) -> Square:
    """Return a picture as a person sees it: boxes lie in all of it."""
    from palio import pixels

    limits = pixels.Limits(max_pixels=reading.max_pixels, max_bytes=reading.max_bytes)
    return pixels.thumbnail(pixels.decoded(blobs.get(name), least=SCENE, limits=limits), SCENE)


def _transplanted(
    blobs: Blobs, what: tuple[Cue, Transplant], reading: PictureReading, known: dict[str, Square]
) -> Square:
    cue, example = what
    if cue.kind == "background":
        return _on_ground(blobs, example, reading)
    square = _square(blobs, example.picture, reading, known)
    if cue.gains is not None:
        tinted: Square = (square * np.array(cue.gains)).clip(0, 255).astype(np.uint8)
        return tinted
    return _put(square, _square(blobs, example.donor, reading, known), example.places)


def _on_ground(blobs: Blobs, example: Transplant, reading: PictureReading) -> Square:
    """Return a whole picture whose things stand on the ground of another one."""
    from palio import pixels

    def corners(places: Sequence[Place]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([(one.left, one.top, one.right, one.bottom) for one in places], np.float64).reshape(-1, 4)

    picture, donor = (_whole(blobs, name, reading) for name in (example.picture, example.donor))
    return pixels.on_ground(picture, corners(example.places), donor, corners(example.cleared))


def _put(square: Square, donor: Square, places: Sequence[Place]) -> Square:
    made = square.copy()
    for place in places:
        rows = slice(round(place.top * SIDE), round(place.bottom * SIDE))
        columns = slice(round(place.left * SIDE), round(place.right * SIDE))
        made[rows, columns] = donor[rows, columns]
    return made
