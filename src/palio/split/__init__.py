"""Cut before looking: train, validation and a sealed test part, by a hash that outlives the growth of the data.

`cut` makes the parts, `read` gives the rows of train and validation, `folds` cuts train again for cross-validation.
The rows of the test part come from `open_test` alone, which writes a line in the ledger first; `looks` weighs the looks
by the rows that they showed. `check_metric` tells before a look whether the metric is defined on the test part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.split.cutting import cut as cut
    from palio.split.folding import folds as folds
    from palio.split.given import PART as PART
    from palio.split.hashing import row_ids as row_ids
    from palio.split.moments import time_order as time_order
    from palio.split.newest import newest_only as newest_only
    from palio.split.overlap import looks as looks
    from palio.split.overlap import looks_left as looks_left
    from palio.split.seal import SCORE as SCORE
    from palio.split.seal import open_test as open_test
    from palio.split.seal import part_places as part_places
    from palio.split.seal import read as read
    from palio.split.soundness import check_metric as check_metric
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "cutting": "cut",
            "folding": "folds",
            "given": "PART",
            "hashing": "row_ids",
            "moments": "time_order",
            "newest": "newest_only",
            "overlap": "looks looks_left",
            "seal": "SCORE open_test part_places read",
            "soundness": "check_metric",
        },
    )
