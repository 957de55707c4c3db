"""What only pictures need: looks at them, slices of those that look alike, spurious cues, strains, what moves answers.

Everything is asked of the graph that serves, about pictures that were decoded once and changed as arrays. The wing is
entered only where a model reads pictures: who works with tables never imports it.
"""

from __future__ import annotations

from palio.evaluate.pictures.looking import Looked, differences, opened, sight

__all__ = ["Looked", "differences", "opened", "sight"]
