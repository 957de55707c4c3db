"""Write figures for people."""

from __future__ import annotations

SMALL = 0.001
NOTHING = 1e-9


def figure(value: float, *, sign: bool = False) -> str:
    """Write a number with four decimals; a smaller one so that it is not lost, and what is nothing without a sign.

    Example:
        >>> figure(0.7223), figure(48578.91), figure(0.00001234), figure(-1e-14), figure(0.25, sign=True)
        ('0.7223', '48578.9100', '1.23e-05', '0.0000', '+0.2500')
    """
    if abs(value) < NOTHING:
        value = 0.0
    how = ("+" if sign else "") + (".3g" if 0 < abs(value) < SMALL else ".4f")
    return format(value, how)
