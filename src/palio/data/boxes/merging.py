"""Make one of what several formats say: they may agree, or speak of different pictures; what contradicts is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio import measure
from palio.core.errors import InputError
from palio.core.records import Box
from palio.core.words import counted
from palio.data.boxes.assembling import Assembled, Named

_SAME = 0.9


def merged(found: Sequence[Assembled], where: str) -> dict[str, Named]:
    """Return what is said of each picture, by its path.

    Raises:
        InputError: two formats say different things of a picture.
    """
    whole: dict[str, Named] = {}
    by: dict[str, Assembled] = {}
    n_same = 0
    for one in found:
        for key, named in one.pictures.items():
            before = whole.get(key)
            if before is None or before.boxes is None:
                whole[key], by[key] = named, one
                continue
            if named.boxes is None:
                continue
            if not _agree(before.boxes, named.boxes):
                formats = f"{by[key].annotations.format} ({before.sheet.origin}) and {one.annotations.format}"
                raise InputError(
                    f"{where}: {formats} ({named.sheet.origin}) say different things of {key}",
                    hint="name the file that is right, with the pictures as --images, or take the other away",
                )
            n_same += 1
    if n_same:
        names = " and ".join(one.annotations.format for one in found)
        found[0].told.append(f"{where}: {names} say the same of {counted(n_same, 'picture')}: taken once")
    return whole


def _agree(some: Sequence[Box], others: Sequence[Box]) -> bool:
    """Tell whether two lists hold the same boxes, the digits of different units aside; names may be numbers in one."""
    if len(some) != len(others):
        return False
    if not some:
        return True
    places = [np.array([one.box for one in boxes], np.float64) for boxes in (some, others)]
    labels = [np.array([one.label for one in boxes]) for boxes in (some, others)]
    same = (measure.boxes.overlaps(*places) > _SAME) & (labels[0][:, None] == labels[1])
    for row in same:
        if not row.any():
            return False
        same[:, row.argmax()] = False  # each has one partner
    return True
