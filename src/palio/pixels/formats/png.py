"""PNG: its chunks; the four that make pixels are kept, and what makes a colour transparent.

Source: W3C, Portable Network Graphics (third edition), 5.
"""

from __future__ import annotations

from palio.pixels.formats.essence import MAX_FRAMES, MAX_PARTS, Essence, orientation_of
from palio.pixels.problems import problem

_DEPTH = 24  # where the first chunk says how many bits a number has
_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def png(data: bytes) -> Essence:
    """Keep what the pixels need of a PNG file; of an animation, the picture for those that cannot show it."""
    kept, orientation, n_frames, at = [data[:8]], 1, 1, 8
    for _ in range(MAX_PARTS):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + size
        if len(name) < 4 or (end > len(data) and name != b"IDAT"):  # the decoder finds where pixels end early
            raise problem("truncated", "the PNG file ends early")
        if name == b"eXIf":
            orientation = orientation_of(data[at + 8 : end - 4])
        elif name == b"acTL":
            n_frames = min(max(1, int.from_bytes(data[at + 8 : at + 12], "big")), MAX_FRAMES)
        if name in _KEPT:
            kept.append(data[at:end])
        if name == b"IEND" or end > len(data):
            return Essence("PNG", b"".join(kept), orientation, n_frames, depth=data[_DEPTH] if at > _DEPTH else 8)
        at = end
    raise problem("too large", f"a PNG file with more than {MAX_PARTS:,} chunks")
