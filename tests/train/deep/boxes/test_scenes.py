"""What detectors are shown: regions stay regions, and rare things come more often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.core.cells.boxes import cell_of
from palio.core.records import Box
from palio.train import Examples
from palio.train.deep.boxes.augment import NONE
from palio.train.deep.boxes.bringing import scenes_of
from palio.train.deep.boxes.scenes import Scenes
from tests.train.deep.boxes.small_scenes import SCHEMA, TASK, examples

pytest.importorskip("PIL")


def test_nobody_is_held_to_what_lies_in_a_region_whose_class_is_not_known() -> None:
    rows = examples(2)
    cells = [cell_of([Box(label="crowd", box=(0, 0, 45, 35), ignored=True)]), cell_of([])]
    truth = measure.questions.of(TASK).truth(cells)
    some = Examples(rows.frame, truth, SCHEMA, TASK)
    (column,) = some.feeds()
    found = scenes_of(some, column=column, size=64, fronts={}, how=NONE, seed=0, deadline=None)
    assert found.kinds[0].tolist() == [[0.0, 1.0]] and len(found.kinds[1]) == 0
    assert found.corners[0][0] == pytest.approx([0, 0, *found.sides[0] / 2], abs=1)


def test_pictures_with_something_rare_come_more_often_into_others() -> None:
    def made(*kinds: int) -> Any:
        return np.array([[kind, 0] for kind in kinds], np.float64).reshape(-1, 2)

    def turns(kinds: list[Any]) -> Any:
        n = len(kinds)
        whole = {"pixels": np.zeros((n, 8, 8, 3), np.uint8), "sides": np.full((n, 2), 8), "target": np.arange(n)}
        return Scenes(**whole, corners=[np.zeros((len(one), 4)) for one in kinds], kinds=kinds, size=64).turns

    rare = [made(0) for _ in range(95)] + [made(0, 1) for _ in range(5)]
    found = turns(rare)
    assert found.sum() == pytest.approx(1)
    assert 2.0 < found[-1] / found[0] <= 3.0
    assert turns([made(0) for _ in range(10)]) is None
    assert turns([made(0), made(1), made()] * 5) is None, "what is common is drawn as before"
    ignored = np.array([[1.0, 1.0]])
    assert turns([made(0)] * 95 + [ignored] * 5) is None, "regions teach nothing"
