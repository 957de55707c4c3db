"""The frame of a picture as it is stored, and as it is shown: cameras that are held sideways note so in the file."""

from __future__ import annotations

import math
from typing import NamedTuple

from palio.data.boxes.sheets import Place, Size
from palio.data.pictures.notes import Note
from palio.pixels import STATISTICS


class Frame(NamedTuple):
    """The size of a picture, and how it is turned to be shown."""

    shown: Size
    orientation: int = 1
    """1 to 8, as in EXIF."""

    @property
    def stored(self) -> Size:
        """Width and height before it is turned."""
        return self.shown[::-1] if self.orientation >= 5 else self.shown

    def to_shown(self, place: Place) -> Place:
        """Bring corners in the stored frame into the shown one.

        Example:
            >>> Frame((20, 40), 6).to_shown((0, 0, 10, 5))  # stored as 40 × 20, turned clockwise
            (15, 0, 20, 10)
        """
        (x0, y0), (x1, y1) = self._point(*place[:2]), self._point(*place[2:])
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def _point(self, x: float, y: float) -> tuple[float, float]:
        width, height = self.stored
        mirrored, upside = width - x, height - y
        return {
            2: (mirrored, y),
            3: (mirrored, upside),
            4: (x, upside),
            5: (y, x),
            6: (upside, x),
            7: (upside, mirrored),
            8: (y, mirrored),
        }.get(self.orientation, (x, y))


_ASPECT, _PIXELS = STATISTICS.index("aspect"), STATISTICS.index("pixels")


def frame_of(note: Note) -> Frame | None:
    """Return the frame of a picture that was looked at; None: it is none that can be used."""
    if note.problem or not note.statistics:
        return None
    # the statistics are log (width / height) and log (width × height), whose digits tell whole numbers for sure
    aspect, pixels = note.statistics[_ASPECT], note.statistics[_PIXELS]
    shown = round(math.exp((pixels + aspect) / 2)), round(math.exp((pixels - aspect) / 2))
    return Frame(shown, note.orientation)


def fits(place: Place, size: Size) -> bool:
    """Tell whether corners lie within a picture, a slip of the hand at its edge allowed."""
    left, top, right, bottom = place
    slack = slack_of(size)
    return (
        left < right
        and top < bottom
        and left >= -slack
        and top >= -slack
        and right <= size[0] + slack
        and bottom <= size[1] + slack
    )


def slack_of(size: Size) -> float:
    """Return how far beyond the edge a box may reach, in pixels, to be taken for one that ends there."""
    return max(2.0, 0.01 * max(size))
