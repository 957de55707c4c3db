"""What goes live, and why: the gate, the value of an improvement, the decision, the registry, the story.

`decide` is pure: records in, a `Decision` out. `release`, `approve` and `rollback` act on the promotion ledger.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.promote.chronicle import story
    from palio.promote.decision import decide
    from palio.promote.registry import approve, record, release, rollback
    from palio.promote.value import appraise

__all__ = ["appraise", "approve", "decide", "record", "release", "rollback", "story"]

_HOME = {
    "appraise": "value",
    "approve": "registry",
    "decide": "decision",
    "record": "registry",
    "release": "registry",
    "rollback": "registry",
    "story": "chronicle",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
