"""Read numbers and ids as files write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from palio.data.boxes.sheets import Place, Size

NO_PLACE: Place = (math.nan, math.nan, math.nan, math.nan)


def identity(value: Any) -> str:
    """Write an id in one way, whether it is a number or a text.

    Example:
        >>> identity(7), identity("7"), identity(7.0), identity(None)
        ('7', '7', '7', '')
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def number(value: Any) -> float:
    """Return a number; NaN where it is none."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def four(values: Any) -> Place:
    """Return four numbers; four NaN where they are not four.

    Example:
        >>> four(["1", 2, 3.5, 4])
        (1.0, 2.0, 3.5, 4.0)
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 4:
        return NO_PLACE
    a, b, c, d = map(number, values)
    return a, b, c, d


def size_of(width: Any, height: Any) -> Size | None:
    """Return a size; None where it is none."""
    across, down = number(width), number(height)
    if not (math.isfinite(across) and math.isfinite(down)) or across < 1 or down < 1:
        return None
    return round(across), round(down)
