"""Read pictures by a `PictureReading`: the bytes of a file become the pixels that a graph takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from palio import pixels
from palio.core.errors import InputError
from palio.core.records import PictureReading, TensorSpec
from palio.model.cells.pictures import bytes_of
from palio.model.reading.cells import refuse

Array = npt.NDArray[Any]
RULE = 1
"""The rule: what `palio.pixels.fitted` makes of a file."""
MAX_SIZE = 2_048
"""Pixels of a side that a graph may ask for."""
MAX_PIXELS, MAX_BYTES = 400_000_000, 1 << 30
"""What a reading may allow of a file, at most."""
VALUES_AT_ONCE = 16 * 224 * 224 * 3
"""Values of pixels that go through the graph together: networks hold many times as much while they compute."""


@runtime_checkable
class Fitted(Protocol):
    """A picture whose pixels may be there already."""

    def fitted(self, reading: PictureReading) -> Array | None:
        """Return its pixels as a reading wants them, uint8 of shape (size, size, 3); None if they are not there."""


@runtime_checkable
class Sided(Protocol):
    """A picture of which the sides are known."""

    @property
    def sides(self) -> tuple[int, int] | None:
        """Width and height as it is shown, in pixels; 0 of pixels as the graph takes them; None: its file says."""


class PictureReader:
    """Reads the pictures of one column. Safe to share between threads.

    A cell is the bytes of a file, the same in base64 (also as a `data:` URL), a `Kept` or a `Fitted` one.

    Args:
        reading: How.
        is_placed: Whether the graph says what is where: who shows it pixels should know the sides of the picture, too.
    """

    def __init__(self, reading: PictureReading, *, is_placed: bool = False) -> None:
        self.reading, self.is_placed = reading, is_placed
        self.at_once = VALUES_AT_ONCE if not reading.batch else reading.batch * self.width(None)
        self.limits = pixels.Limits(max_pixels=reading.max_pixels, max_bytes=reading.max_bytes)

    def prepared(self, cells: Sequence[Any]) -> Sequence[Any]:
        """Return the cells: they are read when their turn comes, since all together may not fit into memory."""
        return cells

    def width(self, cell: Any) -> int:  # noqa: ARG002 — all have the same
        """Tell how many values a picture has."""
        return self.reading.size**2 * 3

    def feeds(self, cells: Sequence[Any]) -> dict[str, Array]:
        """Return the pixels of some pictures, uint8 of shape (n, size, size, 3).

        Raises:
            InputError: a cell is no picture that may be read; `facts` hold `row` and `problem`.
        """
        size = self.reading.size
        found = np.empty((len(cells), size, size, 3), np.uint8)
        for row, cell in enumerate(cells):
            found[row] = self.picture(cell, row)
        return {f"{self.reading.tensor}.pixels": found}

    def places(self, cells: Sequence[Any]) -> Array:
        """Say where pictures lie in what the graph takes, shape (n, 6) float64.

        What they were multiplied by across and down, what was cut off at the left and top, and their own width and
        height; pixels as the graph takes them lie where they are.

        Raises:
            InputError: a cell is no picture that may be read.
        """
        reading, found = self.reading, np.ones((len(cells), 6))
        for row, cell in enumerate(cells):
            sides = self.sides(cell)
            if sides is None:
                found[row] = (1, 1, 0, 0, reading.size, reading.size)
                continue
            place = pixels.place_of(*sides, size=reading.size, short=reading.short, fit=reading.fit)
            found[row] = (place.across, place.down, place.left, place.top, *sides)
        return found

    def sides(self, cell: Any) -> tuple[int, int] | None:
        """Return width and height of a picture as it is shown; None of pixels as the graph takes them."""
        if isinstance(cell, np.ndarray):
            return None
        if isinstance(cell, Sided) and cell.sides is not None:
            return cell.sides if all(cell.sides) else None
        found = pixels.look(bytes_of(cell), self.limits)
        return found.width, found.height

    def picture(self, cell: Any, row: int = 0) -> Array:
        """Return the pixels of one picture, uint8 of shape (size, size, 3)."""
        reading = self.reading
        if isinstance(cell, np.ndarray) and cell.dtype == np.uint8 and cell.shape == (reading.size, reading.size, 3):
            return cell
        if isinstance(cell, Fitted) and (found := cell.fitted(reading)) is not None:
            return found
        try:
            return pixels.fitted(
                bytes_of(cell), size=reading.size, short=reading.short, fit=reading.fit, limits=self.limits
            )
        except InputError as error:
            said = f"row {row}: `{reading.input}`: {error.message.removeprefix('picture: ')}"
            raise InputError(said, hint=error.hint, facts={**error.facts, "row": row}) from None


def specs_of(reading: PictureReading) -> tuple[TensorSpec, ...]:
    """Name the tensor of the graph that a reading feeds."""
    size = reading.size
    return (TensorSpec(name=f"{reading.tensor}.pixels", datatype="UINT8", shape=(-1, size, size, 3)),)


def check(reading: PictureReading) -> None:
    """Raise `IntegrityError` if a reading, which may come from anybody, asks for another rule or for too much."""
    if reading.rule != RULE:
        raise refuse(f"they name rule {reading.rule} of pictures, this version of Palio knows rule {RULE}")
    if not 0 < reading.size <= MAX_SIZE or not 0 <= reading.short <= 2 * MAX_SIZE:
        raise refuse(f"they ask for {reading.size} pixels a side, at most {MAX_SIZE:,} are allowed")
    if reading.batch not in (0, 1):
        raise refuse(f"they give {reading.batch} pictures at once, any number or one alone is possible")
    if not 0 < reading.max_pixels <= MAX_PIXELS or not 0 < reading.max_bytes <= MAX_BYTES:
        raise refuse(f"they allow pictures of {reading.max_pixels:,} pixels")


def brief(reading: PictureReading) -> PictureReading:
    """Return the reading: a manifest tells all of it."""
    return reading
