"""Whether two models say the same of a picture."""

from __future__ import annotations

import numpy as np

from palio.measure.boxes.matching import match
from palio.measure.boxes.objects import Objects


def agree(one: Objects, other: Objects) -> bool:
    """Tell whether each box of one has a partner of its class in the other that half overlaps; thresholds hold."""
    a, b = one.take(one.is_said), other.take(other.is_said)
    if len(a) != len(b) or not np.array_equal(np.sort(a.classes), np.sort(b.classes)):
        return False
    plain = np.zeros(len(b), bool)
    truth = Objects(b.corners, b.classes, b.scores, plain)
    return bool(match([truth], [a])[0].hits[0, 0].all())
