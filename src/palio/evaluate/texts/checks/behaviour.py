"""Change texts in ways whose effect is known beforehand, and count what the answers do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio import measure
from palio.core.records import TextCheck
from palio.core.seeds import derive
from palio.evaluate.answers import Array
from palio.evaluate.texts.asking import Asked, swap
from palio.evaluate.texts.checks.changes import CHANGES, OF_OPINION, OF_OTHERS, TOLD, Change, polarity

MAX_TEXTS, FEWEST_TEXTS = 200, 20
"""Texts that are changed; fewer allow no verdict."""
MOST_CHANGED = 0.05
"""Of the answers that may change though they should not: texts near the threshold tip for little."""
LEAST_CHANGED = 0.5
"""Of the answers that should change."""
MAX_SOUGHT = 2_000
"""Judged texts among which those that a change touches are sought."""
N_EXAMPLES = 3
LEAST_POLAR, LEAST_LEAD = 20, 0.4
"""Texts of one opinion that a class must have; and by how much the share of good ones differs between two classes."""


def text_checks(
    asked: Asked, learned: Sequence[str], truth: Array, *, seed: int = 0
) -> tuple[tuple[TextCheck, ...], int]:
    """Make each change on judged texts, as many as there is time for.

    Args:
        asked: Judged rows.
        learned: Texts that were learned from: they tell whether the classes are opinions.
        truth: Of these, class indices.
        seed: Of all draws.

    Returns:
        What the answers did, and how many changes there was no time for.
    """
    of_opinion = are_opinions(learned, truth)
    changes = (*CHANGES, *(OF_OPINION if of_opinion else OF_OTHERS), *TOLD)
    n_texts = min(MAX_TEXTS, max(FEWEST_TEXTS, asked.n_affordable // len(changes)))
    found = []
    for change in changes:
        if asked.is_over:
            break
        found.append(_checked(asked, change, n_texts, derive(seed, "checks", change.name)))
    return tuple(found), len(changes) - len(found)


def are_opinions(texts: Sequence[str], truth: Array) -> bool:
    """Tell whether classes are opinions: texts with good words alone and with bad words alone fall into other classes.

    Example:
        >>> texts = ["good", "a great film"] * 20 + ["bad", "a dull film"] * 20
        >>> are_opinions(texts, np.repeat([1, 0], 40)), are_opinions(texts, np.tile([1, 0], 40))
        (True, False)
    """
    signs = np.array([polarity(text) for text in texts[:MAX_SOUGHT]])
    labels = np.asarray(truth)[: len(signs)]
    shares = []
    for label in np.unique(labels):
        own = signs[(labels == label) & (signs != 0)]
        if len(own) >= LEAST_POLAR:
            shares.append(float((own > 0).mean()))
    return bool(shares) and max(shares) - min(shares) >= LEAST_LEAD


def _checked(asked: Asked, change: Change, n_texts: int, seed: int) -> TextCheck:
    rng = np.random.default_rng(seed)
    usable = np.flatnonzero(asked.is_right) if change.expected == "other" else np.arange(len(asked.texts))
    rows: list[int] = []
    texts: list[str] = []
    for row in rng.permutation(usable)[:MAX_SOUGHT].tolist():
        made = change.make(asked.texts[row], rng)
        if made != asked.texts[row] and asked.texts[row].strip():
            rows.append(row)
            texts.append(made)
        if len(rows) == n_texts or (asked.is_over and rows):
            break
    said = np.zeros(0, int)
    at_once = asked.at_once
    for start in range(0, len(rows), at_once):
        if asked.is_over and start:
            break
        said = np.concatenate([said, asked.again(rows[start : start + at_once], texts[start : start + at_once])[0]])
    places = np.array(rows[: len(said)], int)
    is_changed = said != asked.said[places]
    n, n_changed = len(said), int(is_changed.sum())
    low, high = measure.wilson(n_changed, n) if n else (0.0, 1.0)
    shown = np.flatnonzero(~is_changed if change.expected == "other" else is_changed)[:N_EXAMPLES].tolist()
    passed = _passed(change, low, high) if n >= FEWEST_TEXTS else None
    return TextCheck(
        change=change.name,
        expected=change.expected,
        n_tried=n,
        n_changed=n_changed,
        low=low,
        high=high,
        n_right_before=int(asked.is_right[places].sum()),
        n_right_after=int((said == asked.truth[places]).sum()),
        passed=passed,
        examples=tuple(swap(asked, int(places[at]), texts[at], int(said[at])) for at in shown),
        countermeasure=change.countermeasure if passed is False else "",
    )


def _passed(change: Change, low: float, high: float) -> bool | None:
    if change.expected == "same":
        return low <= MOST_CHANGED
    return high >= LEAST_CHANGED if change.expected == "other" else None
