"""What the right answer is, and how sure that is: labels that come late, joined to the rows that they are about.

`labelled` joins them; a `Gatherer` makes rows of the data of what was answered and is known by now.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.truth.gathering import Gathered, Gatherer, Learned, obstacle
    from palio.truth.ripening import Labels, Truths, columns_of, labelled, served

__all__ = [
    "Gathered",
    "Gatherer",
    "Labels",
    "Learned",
    "Truths",
    "columns_of",
    "labelled",
    "obstacle",
    "served",
]

_HOMES = dict.fromkeys(__all__, "ripening") | dict.fromkeys(
    ("Gathered", "Gatherer", "Learned", "obstacle"), "gathering"
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
