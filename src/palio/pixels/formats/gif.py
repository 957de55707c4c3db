"""GIF: its blocks; the first picture is kept, the others are counted.

Source: CompuServe 1990, Graphics Interchange Format 89a.
"""

from __future__ import annotations

from palio.pixels.formats.essence import MAX_FRAMES, Essence
from palio.pixels.problems import problem

_MAX_STEPS = 1_000_000
_END = b";"


def gif(data: bytes) -> Essence:
    """Keep the first picture of a GIF file and what says which colour is transparent."""
    at = 13 + _colours(data[10:11])
    head, control, first, n_frames, steps = data[:at], b"", b"", 0, 0
    while steps < _MAX_STEPS and n_frames < MAX_FRAMES:
        kind = data[at : at + 1]
        if kind == b"!":
            end, more = _after_blocks(data, at + 2, _MAX_STEPS - steps)
            if data[at + 1 : at + 2] == b"\xf9":
                control = data[at:end]
        elif kind == b",":
            end, more = _after_blocks(data, at + 11 + _colours(data[at + 9 : at + 10]), _MAX_STEPS - steps)
            first = first or control + data[at:end]
            n_frames += 1
        else:  # the end, or what no reader understands
            break
        at, steps = end, steps + more
    if not first:
        raise problem("truncated" if at >= len(data) else "damaged", "the GIF file has no picture in it")
    return Essence("GIF", head + first + _END, n_frames=n_frames)


def _colours(flags: bytes) -> int:
    """Return the size of a table of colours, which a byte of flags announces."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(data: bytes, at: int, max_steps: int) -> tuple[int, int]:
    """Return where a chain of blocks ends, and in how many steps."""
    for step in range(1, max_steps + 1):
        if at >= len(data):
            return len(data), step
        size = data[at]
        at += 1 + size
        if not size:
            return at, step
    return len(data), max_steps
