"""Spurious cues: what pictures of one class share by chance or habit, and the model has taken for the thing itself.

Candidates come from looking at the pictures alone, which costs little: the same pixels at one place, the same patch
anywhere, a tint of the whole. Each is then put onto rightly answered pictures of other classes, and the like part of
another picture of their own class beside it: what moves the answer is a cue. Of boxes, the ground on which things of a
class stand is one, too: things are put onto other grounds, and other things onto theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from palio.core.records import Cue, Place
from palio.core.seeds import derive
from palio.evaluate.effects import in_order, within
from palio.evaluate.pictures.asking import Asked
from palio.evaluate.pictures.cues.backgrounds import find_backgrounds
from palio.evaluate.pictures.cues.candidate import Candidate, Pool
from palio.evaluate.pictures.cues.casts import find_casts
from palio.evaluate.pictures.cues.marks import find_marks
from palio.evaluate.pictures.cues.places import find_places
from palio.evaluate.pictures.cues.regrounded import all_regrounded
from palio.evaluate.pictures.cues.trials import tried

__all__ = ["Pool", "find_cues"]

FEWEST_SHAPES, SHARE_OF_SHAPES = 3, 0.3
"""Classes that must have a place in common before places are taken for the shape of things; and their share of all."""
_Finder = Callable[[Pool, int, np.random.Generator], Iterator[Candidate]]
SHARE_OF_SEARCH = 0.6
"""Of the time that is left: looking for candidates; the rest is for asking the model."""
SHARE_OF_PARTS = 0.6
"""Of that rest, where there are boxes: asking about parts; what is left then is for grounds."""
LEAST_S = 3.0
"""Seconds that grounds have though the time is over: looking for marks takes most of it, and cannot be broken off."""


def find_cues(asked: Asked, pool: Pool, *, seed: int = 0) -> tuple[tuple[Cue, ...], int, bool]:
    """Find spurious cues.

    Args:
        asked: Judged rows, onto which candidates are put.
        pool: Pictures that the model learned from, in which candidates are sought.
        seed: Of all draws.

    Returns:
        What pictures of a class share, first what moves the answers; how many candidates were asked about; and whether
        all classes were searched before the time was over.
    """
    until = None
    if asked.deadline is not None:
        until = time.monotonic() + SHARE_OF_SEARCH * max(0.0, asked.deadline - time.monotonic())
    found: list[Candidate] = []
    is_done = True
    finders: tuple[_Finder, ...] = (find_places, find_casts, find_marks)
    for finder in finders:
        for label in range(len(asked.task.classes)):
            if until is not None and time.monotonic() >= until:
                is_done = False
                break
            rng = np.random.default_rng(derive(seed, "cues", finder.__name__, label))
            found += [one for one in finder(pool, label, rng) if not _is_known(one, found)]
    found = _once(_beside_shapes(found, n_classes=len(asked.task.classes)), n_classes=len(asked.task.classes))
    asking = asked if pool.cleared is None else within(asked, SHARE_OF_PARTS)
    cues = tried(found, asking, pool, np.random.default_rng(derive(seed, "cues", "trials")))
    is_done &= not asking.is_over
    if pool.cleared is None:
        return cues, len(found), is_done
    if asked.deadline is not None:
        asked = replace(asked, deadline=max(asked.deadline, time.monotonic() + LEAST_S))
    rest = _without(pool, found, cues, asked.task.classes)
    backdrops = list(find_backgrounds(rest, len(asked.task.classes), np.random.default_rng(derive(seed, "grounds"))))
    rng = np.random.default_rng(derive(seed, "cues", "grounds"))
    n_tries = len(found) + len(backdrops)
    grounds = all_regrounded(backdrops, asked, rest, rng, n_tries=n_tries)
    return in_order([*cues, *grounds]), n_tries, is_done and not asked.is_over


def _without(pool: Pool, found: list[Candidate], cues: tuple[Cue, ...], classes: tuple[str, ...]) -> Pool:
    """Leave out pictures that carry what moves the answers: a tint, or a frame, is not named as a ground once more."""
    moving = {(cue.kind, cue.label) for cue in cues if cue.moves}
    carries = np.zeros(len(pool.holds), bool)
    for one in found:
        if (one.kind, classes[one.label]) in moving:
            carries |= np.asarray(one.how.carries(pool.pixels))
    return pool.take(np.flatnonzero(~carries))


def _once(found: list[Candidate], *, n_classes: int) -> list[Candidate]:
    """Of two classes the warmth of one is the cold of the other: keep the tint that more pictures have."""
    tints = [one for one in found if one.kind == "cast"]
    if n_classes > 2 or len(tints) < 2:
        return found
    kept = max(tints, key=lambda one: one.share_of_class)
    return [one for one in found if one.kind != "cast" or one is kept]


def _beside_shapes(found: list[Candidate], *, n_classes: int) -> list[Candidate]:
    """Leave out places in the middle where many classes have some: these pictures lie alike, and differ by shape.

    Of handwritten digits, four of ten classes are moved by what is the digit itself.
    """
    labels = {one.label for one in found if one.kind == "place"}
    if len(labels) < max(FEWEST_SHAPES, SHARE_OF_SHAPES * n_classes):
        return found
    return [one for one in found if one.kind != "place" or not any(_is_amid(place) for place in one.places)]


def _is_amid(place: Place) -> bool:
    """Tell whether a rectangle reaches into the middle quarter of the picture."""
    return place.left < 0.75 and place.right > 0.25 and place.top < 0.75 and place.bottom > 0.25


def _is_known(mark: Candidate, found: list[Candidate]) -> bool:
    """Tell whether a mark is what was found at a place already: the same pictures carry it."""
    if mark.kind != "mark":
        return False
    mine = set(mark.carriers.tolist())
    for other in found:
        if other.label == mark.label and other.kind == "place":
            both = mine & set(other.carriers.tolist())
            if len(both) >= 0.7 * len(mine):
                return True
    return False
