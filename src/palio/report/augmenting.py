"""Show how pictures are changed while a network learns: as they are, beside what becomes of them in some epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from palio import train
from palio.core.cells import boxes_of
from palio.core.errors import InputError, NotFoundError
from palio.core.records import Box, Manifest, PictureReading

if TYPE_CHECKING:
    from palio import pixels
    from palio.store import Blobs

N_PICTURES, N_EPOCHS = 5, 6
SCENE = 144
"""Longer side of a picture with boxes."""
LARGEST, SHOWN = 96, 96
"""Sides that pictures are changed at, and that they are shown at, at least; a window is a share of either."""
QUALITY = 78


def augmentation(blobs: Blobs, identities: Sequence[str], manifest: Manifest, *, boxes: Sequence[str] = ()) -> bytes:
    """Return a contact sheet as a JPEG file; empty of a model that learned from pictures as they are.

    Args:
        blobs: Where the bytes of pictures are kept.
        identities: Of some pictures that were learned from.
        manifest: Of the model: its settings say how much pictures are changed.
        boxes: What is where in each of them, if it finds boxes.
    """
    reading = next((one for one in manifest.readings if isinstance(one, PictureReading)), None)
    strength = manifest.params.get("strength")
    if manifest.task.kind == "detection":
        return _of_boxes(blobs, identities, boxes, manifest, reading)
    if reading is None or not isinstance(strength, int) or strength < 1:
        return b""
    import numpy as np

    from palio import pixels

    size = min(reading.size, LARGEST)
    short = round(size * reading.short / reading.size) if reading.short else 0
    limits = pixels.Limits(max_pixels=reading.max_pixels, max_bytes=reading.max_bytes)
    shown = []
    for name in identities:
        try:
            shown.append(pixels.fitted(blobs.get(name), size=size, short=short, fit=reading.fit, limits=limits))
        except (InputError, NotFoundError):
            continue
        if len(shown) == N_PICTURES:
            break
    if not shown:
        return b""
    squares = np.stack(shown)
    mirror = train.may_mirror(manifest.task.classes)  # letters and sides are not mirrored
    rows = np.arange(len(squares))
    sheet = train.contact_sheet(squares, rows, strength=strength, seed=manifest.seed, mirror=mirror, n_epochs=N_EPOCHS)
    times = -(-SHOWN // size)
    return pixels.as_jpeg(np.repeat(np.repeat(sheet, times, axis=0), times, axis=1), quality=QUALITY)


def _of_boxes(
    blobs: Blobs,
    identities: Sequence[str],
    boxes: Sequence[str],
    manifest: Manifest,
    reading: PictureReading | None,
) -> bytes:
    mosaic = manifest.params.get("mosaic")
    if reading is None or not isinstance(mosaic, int | float):
        return b""
    from palio import pixels

    limits = pixels.Limits(max_pixels=reading.max_pixels, max_bytes=reading.max_bytes)
    scenes: list[train.Scene] = []
    for name, cell in zip(identities, boxes, strict=True):
        try:
            scenes.append(_scene(blobs.get(name), boxes_of(cell), manifest.task.classes, limits))
        except (InputError, NotFoundError, ValueError):
            continue
        if len(scenes) == N_PICTURES:
            break
    if not scenes:
        return b""
    mirror = train.may_mirror(manifest.task.classes)
    sheet = train.box_sheet(scenes, mosaic=float(mosaic), mirror=mirror, seed=manifest.seed, n_epochs=N_EPOCHS)
    return pixels.as_jpeg(sheet, quality=QUALITY)


def _scene(data: bytes, boxes: Sequence[Box], classes: Sequence[str], limits: pixels.Limits) -> train.Scene:
    """Read a picture in its own proportion, and its boxes in these pixels; of no class, there is none."""
    import numpy as np

    from palio import pixels

    seen = pixels.look(data, limits)
    place = pixels.place_of(seen.width, seen.height, size=SCENE, fit="letterbox")
    square = pixels.fitted(data, size=SCENE, fit="letterbox", limits=limits)
    wide, high = round(seen.width * place.across), round(seen.height * place.down)
    known = [one for one in boxes if one.label in classes]
    corners = np.array([one.box for one in known], np.float64).reshape(-1, 4)
    kinds = np.array([(classes.index(one.label), one.ignored) for one in known], np.float64).reshape(-1, 2)
    return train.Scene(square[:high, :wide], corners * ((place.across, place.down) * 2), kinds)
