from __future__ import annotations

import numpy as np
import pytest

from palio.model.cells.stress import _replaced


@pytest.mark.parametrize("n_columns", [1, 3, 50, 128, 5_000])
def test_half_of_the_rows_have_all_columns_replaced_however_many_there_are(n_columns: int) -> None:
    found = _replaced(256, n_columns)
    assert (found >= n_columns).sum() == pytest.approx(128, abs=n_columns / 2)
    single = np.unique(found[found < n_columns])
    assert len(single) == min(n_columns, 128)
    assert single.min() == 0 and single.max() >= n_columns - max(1, 2 * n_columns / 128)
