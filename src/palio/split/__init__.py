"""Cut before looking: train, validation and a sealed test part, by a hash that outlives the growth of the data.

`cut` makes the parts, `read` gives the rows of train and validation, `folds` cuts train again for cross-validation.
The rows of the test part come from `open_test` alone, which writes a line in the ledger first; `looks` weighs the looks
by the rows that they showed. `check_metric` tells before a look whether the metric is defined on the test part.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.split.cutting import cut
    from palio.split.folding import folds
    from palio.split.hashing import row_ids
    from palio.split.moments import time_order
    from palio.split.newest import newest_only
    from palio.split.overlap import looks, looks_left
    from palio.split.seal import SCORE, Look, open_test, part_places, read
    from palio.split.soundness import check_metric

__all__ = [
    "SCORE",
    "Look",
    "check_metric",
    "cut",
    "folds",
    "looks",
    "looks_left",
    "newest_only",
    "open_test",
    "part_places",
    "read",
    "row_ids",
    "time_order",
]

_HOMES = {
    "SCORE": "palio.split.seal",
    "Look": "palio.split.seal",
    "check_metric": "palio.split.soundness",
    "cut": "palio.split.cutting",
    "folds": "palio.split.folding",
    "looks": "palio.split.overlap",
    "looks_left": "palio.split.overlap",
    "newest_only": "palio.split.newest",
    "open_test": "palio.split.seal",
    "part_places": "palio.split.seal",
    "read": "palio.split.seal",
    "row_ids": "palio.split.hashing",
    "time_order": "palio.split.moments",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
