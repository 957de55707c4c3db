"""How columns may become features: what a family asks for, and what may be tuned."""

from __future__ import annotations

from typing import Literal

import msgspec

Style = Literal["tree", "forest", "linear"]


class PreprocessingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be tuned; the defaults suit most tables."""

    min_count: int = 5
    """A value seen in fewer rows is rare: all rare values, and those never seen, share one code."""
    max_categories: int = 100
    """Values of a column that keep a code of their own, most frequent first."""
    one_hot_limit: int = 12
    """Style `forest`: a column with more values becomes one ordered code instead of an indicator per value."""
    twins: bool = True
    """Style `linear`: a heavy-tailed column enters a second time, as its signed logarithm."""
