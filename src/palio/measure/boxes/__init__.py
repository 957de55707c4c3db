"""What is where in pictures, as numbers: overlaps, matches, average precision, kinds of error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.measure.boxes.covering import areas as areas
    from palio.measure.boxes.covering import overlaps as overlaps
    from palio.measure.boxes.judging import FAULTS as FAULTS
    from palio.measure.boxes.judging import Faults as Faults
    from palio.measure.boxes.judging import faults as faults
    from palio.measure.boxes.objects import Objects as Objects
    from palio.measure.boxes.objects import as_objects as as_objects
    from palio.measure.boxes.scenes import Scenes as Scenes
    from palio.measure.boxes.shares import class_precision as class_precision
    from palio.measure.boxes.shares import share as share
    from palio.measure.boxes.thresholds import as_if_held_out as as_if_held_out
    from palio.measure.boxes.thresholds import at_threshold as at_threshold
    from palio.measure.boxes.thresholds import best_threshold as best_threshold
    from palio.measure.boxes.thresholds import scenes_of as scenes_of
    from palio.measure.boxes.thresholds import traced as traced
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "covering": "areas overlaps",
            "judging": "FAULTS Faults faults",
            "objects": "Objects as_objects",
            "scenes": "Scenes",
            "shares": "class_precision share",
            "thresholds": "as_if_held_out at_threshold best_threshold scenes_of traced",
        },
    )
