"""What the right answer is, and how sure that is: labels that come late, joined to the rows that they are about.

`labelled` joins them; a `Gatherer` makes rows of the data of what was answered and is known by now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.truth.gathering import Gatherer as Gatherer
    from palio.truth.gathering import Learned as Learned
    from palio.truth.gathering import obstacle as obstacle
    from palio.truth.names import Names as Names
    from palio.truth.names import feedback_about as feedback_about
    from palio.truth.ripening import Labels as Labels
    from palio.truth.ripening import Truths as Truths
    from palio.truth.ripening import columns_of as columns_of
    from palio.truth.ripening import labelled as labelled
    from palio.truth.ripening import served as served
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "gathering": "Gatherer Learned obstacle",
            "names": "Names feedback_about",
            "ripening": "Labels Truths columns_of labelled served",
        },
    )
