"""Say by how much what a detector says misses the truth, as a tensor that can be gone down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from palio.train.deep.boxes.assignment import assign, overlaps
from palio.train.deep.boxes.network import places_of, size_of
from palio.train.deep.losses import Goal
from palio.train.deep.plan import Material
from palio.train.examples import Array

PLACE = 2.0
"""What place counts beside class."""
NEGATIVE = 0.75
"""What a place that answers for nothing counts, times the square of how sure it is."""


@dataclass(frozen=True)
class BoxGoal(Goal):
    """Varifocal loss of the classes, and generalised overlap of the boxes; both by how well a place should say.

    Aims of a picture are rows of left, top, right, bottom, class (-1: no row), and whether it is ignored: nobody is
    held to what lies there.

    Source: Zhang et al. 2021 (VarifocalNet); Feng et al. 2021 (TOOD).
    """

    def batch(self, material: Material, rows: Array, epoch: int | None) -> tuple[tuple[Array, ...], Array, Array]:
        """Return pictures and what is where in them, changed together."""
        *inputs, aims = material.seen(rows) if epoch is None else material.learned(rows, epoch)
        return tuple(inputs), aims, self.weights[rows]

    @property
    def by_chance(self) -> float:
        """A loss that is near to nothing is a tenth of it."""
        return 1.0

    def loss(self, scores: Any, aims: Any, counts: Any) -> Any:
        """Return the loss of a batch."""
        import torch
        from torch.nn import functional

        said = scores.float()
        corners, logits = said[..., :4], said[..., 4:]
        places = torch.from_numpy(places_of(size_of(said.shape[1]))).to(said.device)
        truth, is_ignored = aims[..., :4], aims[..., 5] > 0
        kinds = torch.where(is_ignored, torch.full_like(aims[..., 4], -1.0), aims[..., 4]).long()
        sure = torch.sigmoid(logits)
        found = assign(corners.detach(), sure.detach(), places, truth, kinds)
        mine = kinds.gather(1, found.owner).clamp(min=0)
        wanted = functional.one_hot(mine, logits.shape[-1]) * found.quality[..., None]
        is_own = functional.one_hot(mine, logits.shape[-1]).bool() & found.is_owned[..., None]
        weight = torch.where(is_own, wanted, NEGATIVE * sure.detach() ** 2)
        is_free = _lies_in(places, truth, is_ignored & (aims[..., 4] >= 0)) & ~found.is_owned
        weight = weight * ~is_free[..., None]
        each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weight
        boxes = truth.gather(1, found.owner[..., None].expand(-1, -1, 4))
        apart = (1 - overlaps(corners, boxes, is_general=True)) * found.quality
        by_picture = each.sum(dim=(1, 2)) + PLACE * apart.sum(dim=1)
        return (by_picture * counts).sum() / (found.quality.sum(dim=1) * counts).sum().clamp(min=1.0)

    def judged(self, scores: Array, target: Array, weights: Array | None) -> float:  # noqa: ARG002 — see below
        """Nobody watches a detector round by round: a look takes as long as an epoch of a few pictures."""
        return float(np.nan)

    corrected = judged


def _lies_in(places: Any, truth: Any, which: Any) -> Any:
    """Tell which places lie in one of some boxes, bool (n, A)."""
    near = places[None, None, :, :]
    inside = (near > truth[:, :, None, :2]) & (near < truth[:, :, None, 2:])
    return (inside.all(dim=-1) & which[:, :, None]).any(dim=1)
