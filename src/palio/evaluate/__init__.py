"""How good, how sure, where not: a scored part, its slices and errors, and champion against challenger.

`score` judges a bundle on a frame, `compare` two bundles on the same rows, `assess` does both with one look at the
sealed test part, which no other room can open. Heavy libraries load on the first use of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.evaluate.comparison import compare as compare
    from palio.evaluate.leaks import leak_suspect as leak_suspect
    from palio.evaluate.leaks import too_good as too_good
    from palio.evaluate.scoring import score as score
    from palio.evaluate.sealed import Assessment as Assessment
    from palio.evaluate.sealed import assess as assess
    from palio.evaluate.sealed import evaluation_budget as evaluation_budget
    from palio.evaluate.sealed import rows_asked as rows_asked
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "comparison": "compare",
            "leaks": "leak_suspect too_good",
            "scoring": "score",
            "sealed": "Assessment assess evaluation_budget rows_asked",
        },
    )
