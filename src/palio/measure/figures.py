"""Write figures for people."""

from __future__ import annotations

SMALL = 0.01
LARGE = 1000.0
NOTHING = 1e-9


def figure(value: float, *, sign: bool = False) -> str:
    """Write a number with four decimals; a large one with fewer, a small one with the digits that count.

    Example:
        >>> figure(0.7223), figure(48578.91), figure(0.0042137), figure(-1e-14), figure(0.25, sign=True)
        ('0.7223', '48,578.9', '0.00421', '0.0000', '+0.2500')
    """
    size = abs(value)
    if size < NOTHING:  # what rounding leaves of a difference of equals
        value = 0.0
    how = ".3g" if NOTHING <= size < SMALL else ",.1f" if LARGE <= size < 1e15 else ".4f"
    return format(value, ("+" if sign else "") + how)


def amount(value: float) -> str:
    """Write what something is worth with three digits that count: more are never known.

    Example:
        >>> amount(1428537.3), amount(-763949.1), amount(12.345), amount(0.0)
        ('1,430,000', '-764,000', '12.3', '0')
    """
    rounded = float(f"{value:.3g}")
    return format(rounded, ",.0f" if LARGE <= abs(rounded) < 1e15 else ".3g")
