"""Show how pictures are changed while a network learns: as they are, beside what becomes of them in some epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from palio import train
from palio.core.errors import InputError, NotFoundError
from palio.core.records import Manifest, PictureReading

if TYPE_CHECKING:
    from palio.store import Blobs

N_PICTURES, N_EPOCHS = 5, 6
LARGEST, SHOWN = 96, 96
"""Sides that pictures are changed at, and that they are shown at, at least; a window is a share of either."""
QUALITY = 78


def augmentation(blobs: Blobs, identities: Sequence[str], manifest: Manifest) -> bytes:
    """Return a contact sheet as a JPEG file; empty of a model that learned from pictures as they are.

    Args:
        blobs: Where the bytes of pictures are kept.
        identities: Of some pictures that were learned from.
        manifest: Of the model: its settings say how much pictures are changed.
    """
    reading = next((one for one in manifest.readings if isinstance(one, PictureReading)), None)
    strength = manifest.params.get("strength")
    if reading is None or not isinstance(strength, int) or strength < 1 or manifest.task.kind == "detection":
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
