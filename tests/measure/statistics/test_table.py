"""The table of statistics: what holds for each of its modules."""

from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.measure.statistics import STATISTICS, compute_statistics

CELLS = {
    "text": np.array(["Good day", "", "good NIGHT 12"], object),
    "boxes": np.array(['[{"label":"a","box":[0,0,9,9]}]', "", "[]"], object),
}


@pytest.mark.parametrize("kind", list(STATISTICS))
def test_what_is_learned_is_computed_again_under_the_same_names(kind: str) -> None:
    names = measure.statistics_names(kind)
    found, kept = measure.learn_statistics(kind, CELLS[kind])
    later = compute_statistics({name: kept.get(name, b"") for name in names}, CELLS[kind])
    assert set(found) == set(later) == set(names) and set(kept) <= set(names)
    assert all(values.shape == (3,) for values in (*found.values(), *later.values()))
    assert all(measure.is_statistic(name) for name in names)


def test_only_what_is_wanted_is_given_and_nothing_of_hidden_cells() -> None:
    assert set(compute_statistics({"length": b""}, CELLS["text"])) == {"length"}
    assert compute_statistics({"length": b""}, np.full(2, None)) == {}
    assert not measure.is_statistic("shoe size")
    assert measure.statistics_names("number") == ()
