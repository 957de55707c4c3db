"""WebP: its chunks; the file stays whole, since its decoder parses nothing but pixels.

Source: RFC 9649.
"""

from __future__ import annotations

from palio.pixels.formats.essence import MAX_FRAMES, MAX_PARTS, Essence, orientation_of
from palio.pixels.problems import problem


def webp(data: bytes) -> Essence:
    """Read the orientation of a WebP file and count its frames."""
    end_of_file = 8 + int.from_bytes(data[4:8], "little")
    if end_of_file > len(data) + 1:  # a file of odd size may lack its last zero
        raise problem("truncated", f"the WebP file ends early: {len(data):,} of {end_of_file:,} bytes")
    orientation, n_frames, at = 1, 0, 12
    for _ in range(MAX_PARTS):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if len(name) < 4 or at >= end_of_file:
            return Essence("WEBP", data, orientation, max(1, min(n_frames, MAX_FRAMES)))
        if name == b"EXIF":
            orientation = orientation_of(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        n_frames += name == b"ANMF"
        at += 8 + size + size % 2
    raise problem("too large", f"a WebP file with more than {MAX_PARTS:,} chunks")
