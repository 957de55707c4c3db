"""Find rows that are equal in every feature and stand in different parts, and set the copies aside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from palio.split.hashing import Hashes, is_in
from palio.split.strata import ASIDE, TEST, TRAIN, VALIDATION, Assignment

_COARSE_DISTINCT = 0.5
_COARSE_LARGEST = 0.05
_FEW_COPIES = 20


def is_coarse(hashes: Hashes) -> bool:
    """Tell whether equal rows are coincidence rather than copies: few distinct rows, or one that fills the table.

    Then equality says little (three yes-no questions have eight answers), and keeping equal rows together, or setting
    them aside, would do more harm than good.
    """
    if hashes.size == 0:
        return False
    ranked = np.sort(hashes)
    n_distinct = 1 + int((ranked[1:] != ranked[:-1]).sum())
    at_most = int(max(_COARSE_LARGEST * hashes.size, _FEW_COPIES))
    fills = bool((ranked[at_most:] == ranked[:-at_most]).any())  # a row that stands there more often than that
    return n_distinct < _COARSE_DISTINCT * hashes.size or fills


def copies_across(parts: Assignment, features: Hashes) -> npt.NDArray[np.bool_]:
    """Mark the rows that have an equal in a part that comes later: train in validation or test, validation in test.

    Args:
        parts: Shape (n_rows,).
        features: Hash of the features of each row, shape (n_rows,).
    """
    test = np.unique(features[parts == TEST])
    validation = np.unique(features[parts == VALIDATION])
    later = np.union1d(validation, test)
    validated = (parts == VALIDATION) & is_in(features, test)
    trained = (parts == TRAIN) & is_in(features, later)
    across: npt.NDArray[np.bool_] = validated | trained
    return across


def set_aside(parts: Assignment, features: Hashes, *, kept: npt.NDArray[np.bool_] | None = None) -> int:
    """Take copies out of their part, in place, so that no row has its equal in another part.

    Test is left whole, and after it validation. Rows that are `kept` are never touched (they have their part from an
    earlier cut); another row that equals one of them in another part is set aside instead, wherever it stands.

    Returns:
        Number of rows set aside.
    """
    moved = 0
    if kept is not None:
        for part in (TRAIN, VALIDATION, TEST):
            elsewhere = np.unique(features[kept & (parts != part) & (parts != ASIDE)])
            copies = is_in(features, elsewhere) & (parts == part) & ~kept
            parts[copies] = ASIDE
            moved += int(copies.sum())
    copies = copies_across(parts, features)
    if kept is not None:
        copies &= ~kept
    parts[copies] = ASIDE
    return moved + int(copies.sum())
