"""Read lengths of time as people write them."""

from __future__ import annotations

import datetime as dt
import re

from palio.core.errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def read_duration(text: str) -> dt.timedelta:
    """Read `90d`, `12h`, `30m`, `45s` or `2w`.

    Raises:
        InputError: it is something else.

    Example:
        >>> read_duration("90d").days
        90
    """
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip())
    if match is None or int(match[1]) == 0:
        raise InputError(f"duration {text[:20]!r}: not understood", hint="write it as 90d, 12h, 30m, 45s or 2w")
    return dt.timedelta(seconds=int(match[1]) * _UNITS[match[2]])
