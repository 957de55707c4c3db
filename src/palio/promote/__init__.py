"""What goes live, and why: the gate, the value of an improvement, the decision, the registry, the story.

`decide` is pure: records in, a `Decision` out. `release`, `approve` and `rollback` act on the promotion ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.promote.chronicle import story as story
    from palio.promote.decision import decide as decide
    from palio.promote.registry import approve as approve
    from palio.promote.registry import record as record
    from palio.promote.registry import release as release
    from palio.promote.registry import rollback as rollback
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "chronicle": "story",
            "decision": "decide",
            "registry": "approve record release rollback",
        },
    )
