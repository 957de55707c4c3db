"""Name how pictures are read, so that what was found out about one is known to hold, or not, later."""

from __future__ import annotations

from palio.pixels.limits import Limits
from palio.pixels.opening import pillow_version

RULE = 1
"""Counts up whenever a picture would be read or described in another way."""

_DESCRIPTION = 3  # of what is found out beside the pixels


def rule(limits: Limits) -> str:
    """Name how pictures are read: what was found under another rule may have another answer now.

    Raises:
        UnavailableError: Pillow is not installed.
    """
    return f"{RULE}/{_DESCRIPTION}/{pillow_version()}/{limits.max_pixels}/{limits.max_bytes}/{','.join(limits.formats)}"
