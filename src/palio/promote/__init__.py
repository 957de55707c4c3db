"""What goes live, and why: the gate, the value of an improvement, the decision, the registry, the story.

`decide` is pure: records in, a `Decision` out. `release`, `approve` and `rollback` act on the promotion ledger.
"""

from __future__ import annotations

from palio.promote.chronicle import story
from palio.promote.decision import decide
from palio.promote.registry import approve, release, rollback
from palio.promote.value import appraise

__all__ = ["appraise", "approve", "decide", "release", "rollback", "story"]
