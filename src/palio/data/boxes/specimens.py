"""Draw boxes as they were read, for a person to check: first what cannot be used, then some of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from palio.core.cells import counted
from palio.core.records import Specimen
from palio.data.boxes.assembling import Named
from palio.data.boxes.frames import Frame
from palio.data.boxes.sheets import Place
from palio.data.boxes.telling import printable
from palio.data.pictures.albums import Album
from palio.pixels import Limits, as_jpeg, decoded, drawn, thumbnail

_SIDE = 480  # of a picture on a page, in pixels
_WRONG = 0.5  # share of the pictures that are shown for being wrong, at most


def chosen(named: Mapping[str, Named], most: int) -> list[str]:
    """Name pictures to be shown: some that are wrong, and others, evenly drawn."""
    wrong = [key for key, one in named.items() if one.problem][: max(1, round(_WRONG * most))]
    fine = [key for key, one in named.items() if one.boxes]
    step = max(1, -(-len(fine) // max(1, most - len(wrong))))
    return [*wrong, *fine[::step]]


def specimens(album: Album, named: Mapping[str, Named], frames: Mapping[str, Frame], most: int) -> list[Specimen]:
    """Draw some pictures, those whose boxes cannot be used first.

    Args:
        album: Where they lie.
        named: What is said of each.
        frames: Size of each that can be read.
        most: So many at most.
    """
    wanted = [key for key in chosen(named, most) if key in frames]
    classes = sorted({box.label for one in named.values() for box in one.boxes or ()})
    limits, found = Limits(), {}
    for entry, data in album.read(set(wanted), most=limits.max_bytes):
        if data is None:
            continue
        one = named[entry.key]
        marks = [
            (place, label, classes.index(label) if label in classes else len(classes))
            for place, label in _marks(one, frames[entry.key])
        ]
        jpeg = as_jpeg(thumbnail(decoded(drawn(data, marks, limits=limits), limits=limits), _SIDE))
        said = one.problem or counted(one.boxes or ())
        found[entry.key] = Specimen(file=printable(entry.key), said=said, is_wrong=bool(one.problem), jpeg=jpeg)
    return [found[key] for key in wanted if key in found]


def _marks(one: Named, frame: Frame) -> Sequence[tuple[Place, str]]:
    """Return the boxes of a picture; of one that is wrong as much as can be drawn of what is written."""
    if one.boxes is not None:
        return [(box.box, box.label) for box in one.boxes]
    if one.notation is None:
        return []
    written = ((one.notation.corners(mark.place, frame.shown), mark.label or mark.number) for mark in one.sheet.marks)
    return [(seen, label) for place, label in written if (seen := _seen(place, frame)) is not None]


def _seen(place: Place, frame: Frame) -> Place | None:
    """Return what can be seen of a box, whichever corner comes first; None: nothing."""
    width, height = frame.shown
    left, right = sorted(place[::2])
    top, bottom = sorted(place[1::2])
    if not (right >= 0 and bottom >= 0 and left <= width and top <= height):
        return None
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
