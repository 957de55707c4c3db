"""Read cells that stand for pictures: the identity of bytes that are kept, or a file in base64. Pixels come later."""

from __future__ import annotations

import math
import re
from typing import Any

from palio.core.cells.cell import Parsed, Parser, Plain
from palio.core.records import Column

PICTURE_STATISTICS = (
    "brightness",
    "contrast",
    "saturation",
    "sharpness",
    "noise",
    "blockiness",
    "warmth",
    "aspect",
    "pixels",
)
"""What is computed of each picture; `palio.pixels.statistics` says what the numbers mean. A frame holds them in columns
`<picture>.<statistic>`, the prediction log in `input.<picture>.<statistic>`."""
_LOGARITHMS = ("aspect", "pixels")
_MOST_EXPONENT = 700.0
"""What is more has no power that a float holds."""


def as_told(statistic: str, value: float) -> float:
    """Return what people are told of a statistic: of logarithms width over height, and pixels.

    Example:
        >>> round(as_told("pixels", 12.0599)), as_told("noise", 12.5)
        (172802, 12.5)
    """
    return math.exp(min(value, _MOST_EXPONENT)) if statistic in _LOGARITHMS else value


def condition_as_told(column: str, condition: str) -> str:
    """Write a condition on a statistic for people: of logarithms with width over height, or pixels, in two digits.

    Example:
        >>> condition_as_told("picture.pixels", "below 12.1"), condition_as_told("age", "below 12.1")
        ('below 180,000', 'below 12.1')
    """
    statistic = column.rpartition(".")[2]
    if "." not in column or statistic not in _LOGARITHMS:
        return condition

    def told(found: re.Match[str]) -> str:
        value = as_told(statistic, min(50.0, float(found.group().replace(",", ""))))
        return f"{value:.2g}" if value < 100 else f"{float(f'{value:.2g}'):,.0f}"

    return re.sub(r"-?\d[\d,]*\.?\d*", told, condition)


class Picture:
    """A picture, as text."""

    expected = "a picture"
    carries_text = True

    def parser(self, column: Column) -> Parser:  # noqa: ARG002 — there is one way
        """Take any text as it is: whether it is a picture shows when its bytes are read."""
        return lambda cell: Parsed(cell) if isinstance(cell, str) else None

    def plain(self, column: Column) -> Plain:  # noqa: ARG002 — the same for all
        """Name all texts."""
        return Plain(texts=None)

    def describe(self, column: Column) -> str:  # noqa: ARG002 — there is one way
        """Say how it is read."""
        return "picture"

    def show(self, value: float | str) -> str:
        """Write what stands for a picture, shortly."""
        return str(value)[:12]

    def hard(self, column: Column) -> tuple[Any, ...]:  # noqa: ARG002 — the same for all
        """Name cells that are easily misread."""
        return ("/9j/4AAQSkZJRg==", "data:image/png;base64,iVBORw0KGgo=", "0" * 64)
