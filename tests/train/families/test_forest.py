"""What the forest's threads must not do."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

from palio.testing.family import TASKS, examples_of
from palio.train.families import forest
from tests.alone import alone

PARAMS = {"extra": False, "max_features": 0.5, "min_samples_leaf": 2, "max_leaf_nodes": 8}


@alone
def test_threads_that_take_turns_at_any_moment_neither_warn_nor_lose_the_filters_of_warnings(tmp_path: Path) -> None:
    examples = examples_of(TASKS["two classes"], n_rows=200)
    forest.FAMILY.fit(examples, params=PARAMS, seed=0)  # libraries set filters when they are imported
    warnings.simplefilter("error")
    before = list(warnings.filters)
    sys.setswitchinterval(1e-5)
    forest.n_threads = lambda: 8
    forest.MIN_ROWS_A_THREAD = 20
    fitted = forest.FAMILY.fit(examples, params=PARAMS, seed=0)
    features = examples.matrix(fitted.preprocessing)
    first, second = (fitted.answer(features).probabilities for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert list(warnings.filters) == before
