"""Write what names a row, so that a row and the truth about it meet however their senders write numbers."""

from __future__ import annotations

import re
from typing import Any

from palio.core.cells.categories import label
from palio.core.cells.reader import BLANKS

_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")


def row_key(value: Any) -> str:
    """Write a row key, empty if the value names no row, as lists and objects do.

    Tables write a whole number as `5035.0` where other rows of its column have none: it is the key 5035.

    Example:
        >>> row_key(5035), row_key(5035.0), row_key(" 5035.0 "), row_key("005035"), row_key(None), row_key([5035])
        ('5035', '5035', '5035', '005035', '', '')
    """
    if isinstance(value, str):
        text = value.strip(BLANKS)
        found = _WHOLE.fullmatch(text)
        return found[1] if found else text
    if not isinstance(value, int | float) or value != value:
        return ""
    try:
        return label(value)
    except ValueError:  # a whole number of thousands of digits
        return ""
