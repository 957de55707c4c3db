"""Curves as an evaluation holds them."""

from __future__ import annotations

from palio.core.records import Curve
from palio.evaluate.answers import Array


def curve(name: str, x: Array, y: Array) -> Curve:
    """Round a curve to six digits, which is more than any screen shows."""
    return Curve(name=name, x=tuple(float(f"{v:.6g}") for v in x), y=tuple(float(f"{v:.6g}") for v in y))
