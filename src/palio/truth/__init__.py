"""What the right answer is, and how sure that is: labels that come late, joined to the rows that they are about."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.truth.ripening import Labels, Truths, columns_of, labelled, served

__all__ = ["Labels", "Truths", "columns_of", "labelled", "served"]

_HOMES = dict.fromkeys(__all__, "ripening")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
