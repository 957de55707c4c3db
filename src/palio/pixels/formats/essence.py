"""What the first picture of a file needs, and what of the rest people ask for."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_PARTS = 20_000
"""Segments, chunks or tags that a file may have: a walk in Python over more of them would be an attack."""
MAX_FRAMES = 10_000
"""Frames are counted up to here."""


@dataclass(frozen=True, slots=True)
class Essence:
    """The bytes that a decoder gets.

    Args:
        format: One of `FORMATS`.
        data: A file of that format with the first picture alone.
        orientation: How the camera was held, 1 to 8, as in EXIF; 1 is upright.
        n_frames: Pictures in the whole file, counted up to `MAX_FRAMES`.
        n_scans: Passes over all pixels that it takes to decode it.
        depth: Bits of a number, where the format may have more than 8.
    """

    format: str
    data: bytes
    orientation: int = 1
    n_frames: int = 1
    n_scans: int = 1
    depth: int = 8


def orientation_of(exif: bytes) -> int:
    r"""Read the orientation from EXIF data that start with their byte order; 1 where they don't tell.

    Source: CIPA DC-008 (EXIF 2.32), 4.6.4 A.

    Example:
        >>> orientation_of(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0")
        6
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (n_tags,) = struct.unpack_from(f"{order}H", exif, start)
        for at in range(start + 2, start + 2 + 12 * min(n_tags, 500), 12):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", exif, at)
            if tag == 0x0112:
                return value if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    except struct.error:  # damaged notes of a camera are no reason against its picture
        return 1
    return 1
