"""Hold boxes against what is seen: their edges lie on edges of things more often than chance has it.

Some faults leave every box inside its picture: x and y exchanged in fractions, a corner taken for the centre, boxes of
the picture as it is stored, or of another picture, all of them a pixel too far. Each has a reading under which edges of
boxes lie on edges of things better than as they are read; where they do so beyond chance, that is told, not mended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palio.core.words import counted
from palio.data.boxes.frames import Frame
from palio.data.boxes.sheets import Place, Size

MOST_PICTURES, MOST_BOXES = 60, 600
"""So many are looked at, evenly drawn."""
_LEAST = 12
"""Boxes below which chance cannot be told from a fault."""
_FAR, _SURE = 1.25, 4.5
"""How much better another reading must be, and by how many standard errors."""
_CRISP, _CERTAIN = 1.5, 6.0
"""The same for a shift of some pixels: what is soft in a picture says nothing of single pixels."""
_SHIFTS = (-2, -1, 1, 2)
_SLACK = 1  # pixels to both sides of an edge in which an edge of a thing is looked for

Grey = NDArray[np.float32]


class Seen(NamedTuple):
    """One picture with boxes."""

    key: str
    frame: Frame
    boxes: Sequence[Place]


class _Edges:
    """How strong edges are in a picture: across (between columns) and down (between rows), over their means."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        grey = pixels.astype(np.float32).sum(axis=2)
        across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
        self._across = np.pad(across / (across.mean() + 1e-6), ((0, 0), (1, 1)))
        self._down = np.pad(down / (down.mean() + 1e-6), ((1, 1), (0, 0)))
        self.size: Size = pixels.shape[1], pixels.shape[0]

    def at(self, place: Place, *, slack: int = _SLACK, shift: int = 0) -> list[float]:
        """Return how strong edges are along the left, top, right and bottom of a box; NaN at the rim or outside."""
        left, top, right, bottom = (round(number) for number in place)
        width, height = self.size
        if not (-2 <= left < right <= width + 2 and -2 <= top < bottom <= height + 2):
            return [np.nan] * 4
        rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        return [
            _along(self._across, left + shift, rows, slack),
            _along(self._down.T, top + shift, columns, slack),
            _along(self._across, right + shift, rows, slack),
            _along(self._down.T, bottom + shift, columns, slack),
        ]


def _along(edges: Grey, at: int, along: slice, slack: int) -> float:
    first, last = at - slack, at + slack
    if first < 1 or last > edges.shape[1] - 2 or along.stop - along.start < 2:
        return float("nan")
    return float(edges[along, first : last + 1].max(axis=1).mean())


def doubts(
    seen: Iterable[Seen], decode: Callable[[Collection[str]], Iterator[tuple[str, NDArray[np.uint8]]]]
) -> list[str]:
    """Say under which other readings the boxes would fit what is seen much better, one sentence each.

    Args:
        seen: Pictures with boxes, in the shown frame.
        decode: Yields the pixels of some pictures, in any order.
    """
    every = [one for one in seen if one.boxes]
    some = _drawn(every)
    place_of = {one.key: place for place, one in enumerate(every)}
    scores: dict[str, list[tuple[float, float]]] = {}
    shifted: dict[int, list[list[float]]] = {shift: [] for shift in (0, *_SHIFTS)}
    n_boxes = 0
    for key, pixels in decode([one.key for one in some]):
        edges, at = _Edges(pixels), place_of[key]
        one = every[at]
        for place in one.boxes[: MOST_BOXES // len(some) + 1]:
            n_boxes += 1
            own = _mean(edges.at(place))
            for name, other in _otherwise(place, one.frame).items():
                scores.setdefault(name, []).append((own, _mean(edges.at(other))))
            for shift, found in shifted.items():
                found.append(edges.at(place, slack=0, shift=shift))
        for by in (-1, 1):
            _against_neighbour(scores, edges, one, every[(at + by) % len(every)], by)
    return [*_better(scores), *_shift(shifted)] if n_boxes >= _LEAST else []


def _drawn(seen: Sequence[Seen]) -> list[Seen]:
    step = max(1, -(-len(seen) // MOST_PICTURES))
    return list(seen[::step])


def _otherwise(place: Place, frame: Frame) -> Mapping[str, Place]:
    """Return a box under each other reading."""
    left, top, right, bottom = place
    width, height = frame.shown
    w, h = right - left, bottom - top
    across, down = width / height, height / width
    found = {
        "x and y were exchanged": (top * across, left * down, bottom * across, right * down),
        "x and y were exchanged (in pixels)": (top, left, bottom, right),
        "what is read as a corner were the centre": (left - w / 2, top - h / 2, right - w / 2, bottom - h / 2),
        "what is read as the centre were a corner": (left + w / 2, top + h / 2, right + w / 2, bottom + h / 2),
        "left and right were exchanged": (width - right, top, width - left, bottom),
        "top and bottom were exchanged": (left, height - bottom, right, height - top),
    }
    if frame.orientation != 1:
        stored = frame.stored
        x, y = stored[0] / width, stored[1] / height
        found[_STORED] = frame.to_shown((left * x, top * y, right * x, bottom * y))
    return found


_STORED = "they were those of pictures as stored, before they are turned"
_NEIGHBOUR = "they were those of the picture before or behind"


def _against_neighbour(
    scores: dict[str, list[tuple[float, float]]], edges: _Edges, one: Seen, other: Seen, by: int
) -> None:
    """Compare the boxes of a picture with those of a neighbour, laid into it."""
    x, y = (a / b for a, b in zip(one.frame.shown, other.frame.shown, strict=True))
    own = _mean([_mean(edges.at(place)) for place in one.boxes])
    for unit, (across, down) in {"pixels": (1.0, 1.0), "fractions": (x, y)}.items():
        theirs = [(p[0] * across, p[1] * down, p[2] * across, p[3] * down) for p in other.boxes]
        its = _mean([_mean(edges.at(place)) for place in theirs])
        scores.setdefault(f"{_NEIGHBOUR} ({by:+d}, {unit})", []).append((own, its))


def _sure(n_errors: float, n: int) -> float:
    """Return by how many standard errors a mean must differ; of few values these are hardly known."""
    return n_errors * (1 + 6 / n)


def _mean(found: Sequence[float]) -> float:
    known = [one for one in found if one == one]
    return float(np.mean(known)) if known else float("nan")


def _better(scores: Mapping[str, Sequence[tuple[float, float]]]) -> list[str]:
    """Name the reading that fits much better, if one does; the best of several."""
    found: list[tuple[float, str]] = []
    for name, pairs in scores.items():
        held = np.array([pair for pair in pairs if all(np.isfinite(pair))]).reshape(-1, 2)
        least = _LEAST / 2 if name.startswith((_NEIGHBOUR, _STORED)) else max(_LEAST, len(pairs) / 2)
        if len(held) < least:
            continue
        gain = np.log(held[:, 1] + 0.1) - np.log(held[:, 0] + 0.1)
        error = float(gain.std(ddof=1)) / len(gain) ** 0.5
        ratio = float(np.exp(gain.mean()))
        if ratio > _FAR and gain.mean() > _sure(_SURE, len(gain)) * max(error, 1e-3):
            found.append((ratio, name))
    if not found:
        return []
    ratio, name = max(found)
    return [
        f"the boxes would lie on edges of what is seen {ratio:.2g} times as well if {name.partition(' (')[0]}: "
        "look at some of them before anything is learned"
    ]


def _shift(shifted: Mapping[int, Sequence[Sequence[float]]]) -> list[str]:
    """Say which edges of boxes lie a pixel or two beside those of things."""
    own = np.array(shifted[0])
    said: dict[tuple[int, str], list[str]] = {}
    for side, name in enumerate(("left", "top", "right", "bottom")):
        best: tuple[float, int] = 0.0, 0
        for shift in _SHIFTS:
            other = np.array(shifted[shift])[:, side]
            known = np.isfinite(other) & np.isfinite(own[:, side])
            if known.sum() < _LEAST:
                continue
            gain = np.log(other[known] + 0.1) - np.log(own[known, side] + 0.1)
            error = max(float(gain.std(ddof=1)) / len(gain) ** 0.5, 1e-3)
            if np.exp(gain.mean()) > _CRISP and gain.mean() > _sure(_CERTAIN, len(gain)) * error:
                best = max(best, (float(gain.mean()), shift))
        if best[1]:
            way = ("left", "right")[best[1] > 0] if side in (0, 2) else ("up", "down")[best[1] > 0]
            said.setdefault((abs(best[1]), way), []).append(name)
    return [
        f"the {' and '.join(sides)} edges of boxes lie {counted(by, 'pixel')} beside edges of what is seen, which are "
        f"further {way}: are pixels counted from another number?"
        for (by, way), sides in said.items()
    ]
