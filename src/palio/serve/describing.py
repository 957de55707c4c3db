"""Describe pictures for the prediction log, beside the requests, in no more than a share of the time."""

from __future__ import annotations

import math
import time

from palio.core.cells import PICTURE_STATISTICS
from palio.core.errors import PalioError

SHARE = 0.2
"""Of one core. At .5 MP (some 15 ms) that is every picture up to 13 a second, of more as many: drift needs hundreds."""


class Describer:
    """Computes the statistics of pictures as far as there is time. One thread at a time.

    Args:
        burst_s: Seconds of computing that it may take at once after a pause.
        share: Seconds of computing that it may take in a second.
    """

    def __init__(self, *, burst_s: float, share: float = SHARE) -> None:
        self._burst_s, self._share = burst_s, share
        self._left_s, self._at = burst_s, time.monotonic()

    def describe(self, data: bytes | None, sides: tuple[int, int] | None = None) -> tuple[float, ...]:
        """Return the statistics of a picture, in the order of `PICTURE_STATISTICS`; NaN where there was no time.

        Those of its sides are there wherever these are known: late truths that are boxes are held against them.

        They are those of `pixels.statistics`, of the whole picture, so that they mean what they mean in training.
        """
        now = time.monotonic()
        self._left_s = min(self._burst_s, self._left_s + self._share * (now - self._at))
        self._at = now
        if data is None or self._left_s <= 0:
            return _of_sides(sides)
        from palio import pixels

        begin = time.thread_time()
        try:
            found = pixels.statistics(pixels.decoded(data))
        except PalioError:  # the model saw a part of it that is sound
            return _of_sides(sides)
        finally:
            self._left_s -= time.thread_time() - begin
        return tuple(found[name] for name in PICTURE_STATISTICS)


def _of_sides(sides: tuple[int, int] | None) -> tuple[float, ...]:
    """Return the statistics that are known without a pixel."""
    if sides is None or not all(sides):
        return (math.nan,) * len(PICTURE_STATISTICS)
    width, height = sides
    known = {"aspect": math.log(width / height), "pixels": math.log(width * height)}
    return tuple(known.get(name, math.nan) for name in PICTURE_STATISTICS)
