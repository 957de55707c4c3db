"""Remember how large the pictures of the last answers were, so that truths of other pictures are refused at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from palio.serve.pictures import Sent
from palio.serve.protocols.datatypes import Array

MOST = 20_000
"""Answers that are remembered, by each process of a server: some 200 bytes a picture. What came of others is told once
truths meet answers in the log."""


class Sides:
    """Width and height of pictures by the id of their answer. One thread writes, any may read.

    Example:
        >>> Sides().of("9f0c-1.0") is None
        True
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[tuple[int, int] | None, ...]] = OrderedDict()

    def remember(self, request: str, feeds: Mapping[str, Array]) -> None:
        """Keep the sides of a request's pictures, if it was answered in their pixels."""
        for values in feeds.values():
            if values.dtype != object or not values.size or not isinstance(values.flat[0], Sent):
                continue
            sides = tuple(cell.sides for cell in values.flat)
            if any(one is not None and all(one) for one in sides):
                self._known[request] = sides
                if len(self._known) > MOST:
                    self._known.popitem(last=False)
            return

    def of(self, prediction_id: str) -> tuple[int, int] | None:
        """Return width and height of the picture that this answer is about; None if they are not known."""
        request, _, row = prediction_id.rpartition(".")
        sides = self._known.get(request, ())
        at = int(row) if row.isdecimal() else len(sides)
        return sides[at] if at < len(sides) and all(sides[at] or ()) else None
