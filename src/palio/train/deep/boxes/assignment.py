"""Say what each place of a detector should say: which truth it answers for, and how well.

Places whose middle lies in a box compete for it by how well they say its class and place already.

Source: Feng et al. 2021 (TOOD, task-aligned assignment).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TOP = 10
"""Places that answer for one truth, at most."""
BY_CLASS, BY_PLACE = 1.0, 6.0
"""Exponents of the score and of the overlap."""
_LEAST = 1e-9


@dataclass(frozen=True)
class Assigned:
    """What places should say; n pictures, A places, G truths of a picture at most."""

    owner: Any
    """Truth that a place answers for, int64 (n, A); meaningless where it answers for none."""
    is_owned: Any
    """Bool (n, A)."""
    quality: Any
    """How sure a place should be of the class of its truth, float (n, A); 0 where it answers for none."""


def assign(corners: Any, scores: Any, places: Any, truth: Any, kinds: Any) -> Assigned:
    """Assign places to truths.

    Args:
        corners: Boxes that places say, (n, A, 4).
        scores: How sure they are, in [0, 1], (n, A, n_classes).
        places: Their middles, (A, 2).
        truth: Boxes, (n, G, 4).
        kinds: Classes, int64 (n, G); -1 where there is no truth.
    """
    import torch

    with torch.no_grad():
        is_there = kinds >= 0
        near = places[None, None, :, :]
        inside = (near > truth[:, :, None, :2]) & (near < truth[:, :, None, 2:])
        may = inside.all(dim=-1) & is_there[:, :, None]  # n, G, A
        overlap = overlaps(truth[:, :, None, :], corners[:, None, :, :]) * may
        wanted = kinds.clamp(min=0)[:, :, None].expand(-1, -1, corners.shape[1])
        said = scores.transpose(1, 2).gather(1, wanted)
        fitness = said**BY_CLASS * overlap**BY_PLACE * may
        n_top = min(TOP, corners.shape[1])
        best, at = fitness.topk(n_top, dim=-1)
        chosen = torch.zeros_like(fitness, dtype=torch.bool).scatter_(-1, at, best > _LEAST)
        # a truth that nobody meets yet is answered by the places that are in it, the nearest first
        chosen = chosen | _nearest(may, places, truth, chosen)
        rivals = torch.where(chosen, overlap + _LEAST, torch.zeros_like(overlap))
        owner = rivals.argmax(dim=1)
        is_owned = chosen.any(dim=1)
        held = chosen & (torch.arange(truth.shape[1], device=owner.device)[None, :, None] == owner[:, None, :])
        most_fit = (fitness * held).amax(dim=-1, keepdim=True)
        most_near = (overlap * held).amax(dim=-1, keepdim=True)
        quality = (fitness * held / (most_fit + _LEAST) * most_near).amax(dim=1)
        return Assigned(owner, is_owned, quality * is_owned)


def _nearest(may: Any, places: Any, truth: Any, chosen: Any) -> Any:
    """Return one place for each truth that has none, the one nearest to its middle of those that may."""
    import torch

    middle = (truth[..., :2] + truth[..., 2:]) / 2
    far = ((middle[:, :, None, :] - places[None, None]) ** 2).sum(dim=-1)
    far = torch.where(may, far, torch.full_like(far, torch.inf))
    at = far.argmin(dim=-1, keepdim=True)
    lonely = ~chosen.any(dim=-1, keepdim=True) & may.any(dim=-1, keepdim=True)
    return torch.zeros_like(may).scatter_(-1, at, lonely)


def overlaps(one: Any, other: Any, *, is_general: bool = False) -> Any:
    """Return how much boxes overlap, by intersection over union; in [-1, 1] if general: minus what lies between them.

    Source: Rezatofighi et al. 2019 (generalised intersection over union).
    """
    import torch

    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., 2:], other[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp(min=0).prod(dim=-1) for box in (one, other)]
    union = areas[0] + areas[1] - shared
    found = shared / union.clamp(min=_LEAST)
    if not is_general:
        return found
    around = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    hull = around.clamp(min=0).prod(dim=-1)
    return found - (hull - union) / hull.clamp(min=_LEAST)
