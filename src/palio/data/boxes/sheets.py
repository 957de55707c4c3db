"""The words for what files of annotation say, before it is held against pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from palio.core.words import counted

Unit = Literal["pixels", "fractions", "percent"]
Form = Literal["corners", "corner and size", "centre and size"]
Place = tuple[float, float, float, float]
Size = tuple[int, int]
"""Width and height in pixels."""


class Notation(NamedTuple):
    """How the four numbers of a box are meant."""

    unit: Unit
    form: Form

    def __str__(self) -> str:
        return f"{self.form} in {self.unit}"

    def corners(self, place: Place, size: Size) -> Place:
        """Return left, top, right and bottom in pixels.

        Example:
            >>> Notation("fractions", "centre and size").corners((0.5, 0.5, 0.5, 1.0), (40, 20))
            (10.0, 0.0, 30.0, 20.0)
        """
        a, b, c, d = place
        if self.unit != "pixels":
            whole = 1.0 if self.unit == "fractions" else 100.0
            across, down = size[0] / whole, size[1] / whole
            a, b, c, d = a * across, b * down, c * across, d * down
        if self.form == "corners":
            return a, b, c, d
        if self.form == "corner and size":
            return a, b, a + c, b + d
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2


class Mark(NamedTuple):
    """One thing, as a file writes it."""

    label: str
    """What it is, by name; empty: `number` has no name."""
    place: Place
    ignored: bool = False
    where: str = ""
    """Where it stands in its file: `line 3`."""
    number: str = ""
    """Of its class, where that has no name."""


@dataclass(slots=True)
class Sheet:
    """What one file says of one picture."""

    file: str
    """The picture, as the file names it."""
    origin: str
    """The file that says so."""
    marks: list[Mark] = field(default_factory=list)
    size: Size | None = None
    """Of the picture, as the file says."""
    is_looked_at: bool = True
    """False: the picture is named, but nobody has looked at it."""
    part: str = ""
    sequence: str = ""
    problem: str = ""
    """Why what it says cannot be used; empty: it can."""
    base: str = ""
    """Folder that `file` starts from, if it is found there."""


@dataclass(slots=True)
class Annotations:
    """What the files of one format say."""

    format: str
    """As people call it."""
    notation: Notation
    """How its boxes are written by definition."""
    sheets: list[Sheet] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What is odd about the files, one sentence each."""
    read: set[str] = field(default_factory=set)
    """Files that were understood."""
    names: dict[str, None] = field(default_factory=dict)
    """Classes that are named, be there one or not, in order."""
    is_by_file: bool = True
    """Whether each file has a notation of its own; False: all files are written alike."""
    notations: dict[str, tuple[Notation, ...]] = field(default_factory=dict)
    """File → notations that its columns may mean, the likeliest first, where its form leaves that open."""
    parts: dict[str, str] = field(default_factory=dict)
    """Pictures, as lists name them → the part whose list names them."""

    def tell(self, *counts: tuple[int, str, str]) -> None:
        """Say how many things were odd, what they are, and what was made of them; of none nothing is said."""
        self.told += [f"{counted(n, what)}: {how}" for n, what, how in counts if n]


def around(corners: list[tuple[float, float]]) -> Place:
    """Return the box around points.

    Example:
        >>> around([(3, 1), (0, 5), (2, 9)])
        (0, 1, 3, 9)
    """
    across, down = [x for x, _ in corners], [y for _, y in corners]
    return min(across), min(down), max(across), max(down)


def turned(place: Place, degrees: float, pivot: tuple[float, float]) -> Place:
    """Return the box around a box that was turned clockwise about a point; corners, in pixels."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    left, top, right, bottom = place
    x0, y0 = pivot
    points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return around(
        [(x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine) for x, y in points]
    )
