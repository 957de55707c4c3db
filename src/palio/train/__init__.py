"""Make candidates: families of models, a search that ends on time, and the choice among them.

`search` is the verb of this room. A family is an object that fits the `Family` protocol; `FAMILIES` names those that
are built in. Everything else is found on first use, so that importing the room is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from palio.train.table import FAMILIES, load_family

if TYPE_CHECKING:
    from palio.train.contest import search
    from palio.train.family import Examples, Family, Fitted, OutOfTime, Shape
    from palio.train.newest import Preferred, is_enough, prefer
    from palio.train.unseen import score_unseen

__all__ = [
    "FAMILIES",
    "Examples",
    "Family",
    "Fitted",
    "OutOfTime",
    "Preferred",
    "Shape",
    "is_enough",
    "load_family",
    "prefer",
    "score_unseen",
    "search",
]

_WHERE = {
    "Examples": "palio.train.family",
    "Family": "palio.train.family",
    "Fitted": "palio.train.family",
    "OutOfTime": "palio.train.family",
    "Preferred": "palio.train.newest",
    "Shape": "palio.train.family",
    "is_enough": "palio.train.newest",
    "prefer": "palio.train.newest",
    "score_unseen": "palio.train.unseen",
    "search": "palio.train.contest",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
