"""What only pictures with boxes need: slices by what is in them, galleries of errors, boxes on changed pictures."""

from __future__ import annotations

from palio.evaluate.pictures.boxes.scenery import scenery
from palio.evaluate.pictures.boxes.showing import changed_scenes, scene_galleries
from palio.evaluate.pictures.boxes.squares import MARGIN, areas, emptied, from_square, in_square, shares_of, turned_back

__all__ = [
    "MARGIN",
    "areas",
    "changed_scenes",
    "emptied",
    "from_square",
    "in_square",
    "scene_galleries",
    "scenery",
    "shares_of",
    "turned_back",
]
