"""Notice numbers that may be names: a zip code, a version, a room that is called `8E4`."""

from __future__ import annotations

import re
from collections.abc import Mapping

CODE_NAME = re.compile(
    r"(^|[\W_])(zip|zipcode|plz|post(al)?_?(code)?|cep|cp|phone|tel|mobile|fax|iban|ean|upc|gtin|isbn|sku|ssn|code|cod)$",
    re.IGNORECASE,
)
"""Names of columns whose digits tell things apart."""
_STEP_NAME = re.compile(r"(^|[\W_])(version|ver|release|section|chapter|clause|article)$", re.IGNORECASE)
"""Names of columns in which 1.10 comes after 1.9."""
_POWER = re.compile(r"[1-9]\d{0,3}[eE]\d{1,2}\Z")
_STEP = re.compile(r"\d+\.\d+0\Z")
_MOST = 0.5


def about_codes(name: str, sample: Mapping[str, int]) -> list[str]:
    """Say what speaks for names where the cells of a column are numbers.

    Args:
        name: Of the column.
        sample: Some of its cells, and how often each was seen.

    Example:
        >>> about_codes("room", {"8E4": 1, "2E1": 1})
        ['`8E4` is read as 80000; if it is a name, make the type "category"']
        >>> about_codes("version", {"1.9": 4, "1.10": 2})
        ['`1.10` is read as 1.1; if it is a name, make the type "category"']
    """
    n_cells = sum(sample.values())
    powers = [cell for cell in sample if _POWER.match(cell)]
    if powers and sum(sample[cell] for cell in powers) >= _MOST * n_cells:
        return [_read_as(powers[0])]
    steps = [cell for cell in sample if _STEP.match(cell)] if _STEP_NAME.search(name) else []
    if steps:
        return [_read_as(steps[0])]
    if CODE_NAME.search(name) and all(cell.isdecimal() for cell in sample):
        return [
            "a code by its name, read as a number in whose order 20 comes after 10; if it only tells things apart, "
            'make the type "category"'
        ]
    return []


def _read_as(cell: str) -> str:
    return f'`{cell}` is read as {float(cell):.12g}; if it is a name, make the type "category"'
