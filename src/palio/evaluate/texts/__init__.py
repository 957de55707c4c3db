"""What only texts need: telling words, spurious cues, behavioural checks, slices by language and subject, galleries.

Everything is asked of the graph that serves, about texts that were changed. The wing is entered only where a model that
tells classes reads texts.
"""

from __future__ import annotations

from palio.evaluate.texts.looking import Looked, differences, opened, wordings

__all__ = ["Looked", "differences", "opened", "wordings"]
