"""Places answer for what they lie in; a truth is never left alone, and what is ignored costs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.train.deep.boxes.assignment import assign, overlaps
from palio.train.deep.boxes.goal import BoxGoal
from palio.train.deep.boxes.network import places_of
from palio.train.deep.plan import Network, Plan

torch = pytest.importorskip("torch")
PLACES = places_of(64)


def said(n: int = 1) -> Any:
    """Return small boxes around every place."""
    places = torch.from_numpy(PLACES)
    return torch.cat([places - 4, places + 4], dim=1)[None].repeat(n, 1, 1)


def test_every_truth_is_answered_for_from_inside() -> None:
    truth = torch.tensor([[[3.0, 3.0, 30.0, 30.0], [33.0, 33.0, 37.5, 37.5], [0.0, 0.0, 0.0, 0.0]]])
    found = assign(
        said(), torch.full((1, len(PLACES), 2), 0.01), torch.from_numpy(PLACES), truth, torch.tensor([[0, 1, -1]])
    )
    owners = found.owner[found.is_owned].tolist()
    assert set(owners) == {0, 1}
    for place in np.flatnonzero(found.is_owned[0].numpy()):
        left, top, right, bottom = truth[0, found.owner[0, place]].tolist()
        assert left < PLACES[place, 0] < right
        assert top < PLACES[place, 1] < bottom


def test_a_general_overlap_tells_how_far_boxes_are_apart() -> None:
    one, near, far = (torch.tensor(box) for box in ([0.0, 0, 1, 1], [2.0, 0, 3, 1], [9.0, 0, 10, 1]))
    assert float(overlaps(one, near)) == 0
    assert float(overlaps(one, near, is_general=True)) > float(overlaps(one, far, is_general=True))
    assert float(overlaps(one, one, is_general=True)) == pytest.approx(1)


def test_what_is_ignored_costs_nothing_and_an_empty_picture_does() -> None:
    goal = BoxGoal(Network(None, 1), Plan(), np.ones(2, np.float32), np.zeros(2))
    sure = torch.full((1, len(PLACES), 1), 3.0)
    scores = torch.cat([said(), sure], dim=2)
    nothing = torch.full((1, 1, 6), -1.0)
    everywhere = torch.tensor([[[-1.0, -1.0, 65.0, 65.0, 0.0, 1.0]]])
    assert float(goal.loss(scores, nothing, torch.ones(1))) > 1
    assert float(goal.loss(scores, everywhere, torch.ones(1))) == 0
