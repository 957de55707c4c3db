"""What is where in pictures, as numbers: overlaps, matches, average precision, kinds of error."""

from __future__ import annotations

from palio.measure.boxes.objects import Objects as Objects
from palio.measure.boxes.objects import as_objects as as_objects
from palio.measure.boxes.overlaps import areas as areas
from palio.measure.boxes.overlaps import overlaps as overlaps
from palio.measure.boxes.thresholds import at_threshold as at_threshold
from palio.measure.boxes.thresholds import best_threshold as best_threshold

__all__ = ["Objects", "areas", "as_objects", "at_threshold", "best_threshold", "overlaps"]
