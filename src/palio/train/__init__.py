"""Make candidates: families of models, a search that ends on time, and the choice among them.

`search` is the verb of this room. A family is an object that fits the `Family` protocol; `FAMILIES` names those that
are built in. Everything else is found on first use, so that importing the room is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.train.contest import search as search
    from palio.train.deep.augment import contact_sheet as contact_sheet
    from palio.train.deep.boxes.augment import Scene as Scene
    from palio.train.deep.boxes.augment import may_mirror as may_mirror
    from palio.train.deep.boxes.sheet import box_sheet as box_sheet
    from palio.train.engine.waiting import let_go as let_go
    from palio.train.engine.waiting import prepare as prepare
    from palio.train.examples import Examples as Examples
    from palio.train.family import Family as Family
    from palio.train.family import Fitted as Fitted
    from palio.train.family import OutOfTime as OutOfTime
    from palio.train.how import How as How
    from palio.train.newest import is_enough as is_enough
    from palio.train.newest import prefer as prefer
    from palio.train.table import FAMILIES as FAMILIES
    from palio.train.threshold import Costs as Costs
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "contest": "search",
            "deep.augment": "contact_sheet",
            "deep.boxes.augment": "Scene may_mirror",
            "deep.boxes.sheet": "box_sheet",
            "engine.waiting": "let_go prepare",
            "examples": "Examples",
            "family": "Family Fitted OutOfTime",
            "newest": "is_enough prefer",
            "table": "FAMILIES",
            "how": "How",
            "threshold": "Costs",
        },
    )
