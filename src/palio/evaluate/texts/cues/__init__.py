"""Spurious cues in texts: a token that one class mostly carries, and that the model has taken for the class itself."""

from __future__ import annotations

import time

import numpy as np

from palio.core.records import WordCue
from palio.core.seeds import derive
from palio.evaluate.texts.asking import Asked
from palio.evaluate.texts.cues.carried import Pool, find_carried
from palio.evaluate.texts.cues.trials import tried

__all__ = ["Pool", "find_cues"]

SHARE_OF_SEARCH = 0.6
"""Of the time that is left: looking for candidates; the rest is for asking the model."""


def find_cues(asked: Asked, pool: Pool, *, seed: int = 0) -> tuple[tuple[WordCue, ...], int, bool]:
    """Find words that texts of a class mostly carry, and write them into texts of the others.

    Args:
        asked: Judged rows.
        pool: Texts that the model learned from, in which candidates are sought.
        seed: Of all draws.

    Returns:
        The cues, those that move the answers first; how many were tried; and whether all classes were searched.
    """
    until = None
    if asked.deadline is not None:
        until = time.monotonic() + SHARE_OF_SEARCH * max(0.0, asked.deadline - time.monotonic())
    found, is_done = [], True
    for label in range(len(asked.task.classes)):
        if until is not None and time.monotonic() >= until:
            is_done = False
            break
        found += find_carried(pool, label, np.random.default_rng(derive(seed, "carried", label)))
    cues = tried(found, asked, pool, np.random.default_rng(derive(seed, "cues of texts")))
    return cues, len(found), is_done and not asked.is_over
