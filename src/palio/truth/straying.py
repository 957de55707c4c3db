"""Find truths that are about another picture, or in other units: boxes outside of the picture that was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from palio.core.cells import boxes_of, outside

Array = np.ndarray[Any, np.dtype[Any]]


def sides_of(batch: Mapping[str, Array]) -> Array | None:
    """Return width and height of the pictures of answers, shape (n_rows, 2), NaN where the log does not hold them.

    None where no row holds one picture: the log of a model that looks at none.
    """
    aspects = [name for name in batch if name.startswith("input.") and name.endswith(".aspect")]
    pixels = aspects[0].removesuffix("aspect") + "pixels" if len(aspects) == 1 else ""
    if pixels not in batch:
        return None
    aspect, total = (np.asarray(batch[name]) for name in (aspects[0], pixels))
    if aspect.dtype.kind != "f" or total.dtype.kind != "f":  # redacted
        return None
    return np.exp(np.stack([total + aspect, total - aspect], axis=1) / 2).round()


def strays(label: str, sides: Array) -> bool:
    """Tell whether a truth holds a box most of which lies outside of a picture of these sides.

    Example:
        >>> strays('[{"label":"cat","box":[300,200,400,300]}]', np.array([320.0, 240.0]))
        True
    """
    if not label.startswith("[{") or not np.isfinite(sides).all():
        return False
    try:
        return outside(boxes_of(label), *sides.tolist()) is not None
    except ValueError:
        return False
