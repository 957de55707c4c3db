"""Watch what was served: count it into windows, judge them against what the model was trained on, tell people.

Pure but for the reader of the log that is passed in: records in, records out. What to do about a finding is decided in
`renew`.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__: list[str] = []

_HOMES: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
