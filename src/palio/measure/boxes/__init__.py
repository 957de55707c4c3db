"""What is where in pictures, as numbers."""

from __future__ import annotations

from palio.measure.boxes.objects import Objects as Objects
from palio.measure.boxes.objects import as_objects as as_objects

__all__ = ["Objects", "as_objects"]
