"""What is wrong with boxes: place, class, both, said twice, nothing there, missed; and what each costs.

Source: Bolya et al. 2020, TIDE (ECCV).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from palio.measure.boxes.covering import overlaps
from palio.measure.boxes.precision import average_precision, mean_defined
from palio.measure.boxes.scenes import Flat, Scenes
from palio.measure.sample import Array

FAULTS = ("place", "class", "both", "double", "background", "missed")
"""Too far from a box of its class; another class there; too far from a box of another class; a box that a surer one has
met; nothing near; and a true box that none of the first two is about."""
RIGHT = -1
"""In place of a fault: right, or on what is ignored."""
NEAR, MET = 0.1, 0.5
"""Overlaps from which on a box is about another one, and from which on it meets it."""


@dataclass(frozen=True, slots=True, eq=False)
class Faults:
    """What is wrong with the boxes of a `Flat`."""

    kinds: Array
    """Shape (n_said,): place in `FAULTS`, or `RIGHT`."""
    about: Array
    """Shape (n_said,): the true box that it is about, place in the `Flat`; -1: none."""
    missed: Array
    """Shape (n_true,): missed at the threshold, and no box shown is about it."""
    unsure: Array
    """Shape (n_true,): missed at the threshold, but found by a less sure box."""
    costs: dict[str, float]
    """Fault → how much `ap50` would rise without it; empty where that is not defined."""
    met: Array
    """Shape (n_said,): the true box that a right box meets, place in the `Flat`; -1: none."""

    def missed_by_all(self, flat: Flat) -> Array:
        """Tell which true boxes no box that is shown meets, shape (n_true,)."""
        return np.asarray(flat.wanted[0] & ~_among(self.met[flat.is_said], flat))


def faults(scenes: Scenes) -> Faults:
    """Tell what is wrong with each box."""
    flat = scenes.flat
    kinds, about = _kinds(scenes)
    met = _met(scenes)
    return Faults(
        kinds=kinds,
        about=about,
        missed=_missed(flat, kinds, about, met, flat.is_said),
        unsure=flat.wanted[0] & ~_among(met[flat.is_said], flat) & _among(met, flat),
        costs=_costs(scenes, kinds, about, met),
        met=met,
    )


def _kinds(scenes: Scenes) -> tuple[Array, Array]:
    """Name the fault of each box, and the true box that it is about."""
    flat = scenes.flat
    kinds, about = np.full(len(flat.said_in), RIGHT), np.full(len(flat.said_in), -1)
    wrong = flat.counted[0, 0] & ~flat.hits[0, 0]
    first_said = np.searchsorted(flat.said_in, np.arange(scenes.n_rows))
    first_true = np.searchsorted(flat.true_in, np.arange(scenes.n_rows))
    for row, (truth, said) in enumerate(zip(scenes.truth.tolist(), scenes.prediction.tolist(), strict=True)):
        here = first_said[row] + np.arange(len(said))
        here = here[wrong[here]]
        if not len(here):
            continue
        counts = np.flatnonzero(~truth.ignored)
        boxes = here - first_said[row]
        covers = overlaps(said.corners[boxes], truth.corners[counts])
        is_same = said.classes[boxes][:, None] == truth.classes[counts][None, :]
        own, own_at = _best(np.where(is_same, covers, 0.0))
        other, other_at = _best(np.where(is_same, 0.0, covers))
        chosen = np.select(
            [(own >= NEAR) & (own < MET), other >= MET, own >= MET, np.maximum(own, other) < NEAR],
            [0, 1, 3, 4],
            default=2,
        )
        kinds[here] = chosen
        at = np.where(chosen == 1, other_at, own_at)
        if len(counts):
            about[here] = np.where(np.isin(chosen, (0, 1, 3)), first_true[row] + counts[at], -1)
    return kinds, about


def _best(covers: Array) -> tuple[Array, Array]:
    if not covers.shape[1]:
        return np.zeros(len(covers)), np.zeros(len(covers), np.int64)
    at = covers.argmax(axis=1)
    return covers[np.arange(len(covers)), at], at


def _met(scenes: Scenes) -> Array:
    """Return the true box that each right box meets, place in the `Flat`; -1: none."""
    flat = scenes.flat
    first = np.searchsorted(flat.true_in, np.arange(scenes.n_rows))
    partner = np.concatenate([np.empty(0, np.int64), *(one.partner[0] for one in scenes.matched)])
    return np.where(flat.hits[0, 0], first[flat.said_in] + partner if len(partner) else -1, -1)


def _among(places: Array, flat: Flat) -> Array:
    found = np.zeros(len(flat.true_in), bool)
    found[places[places >= 0]] = True
    return found


def _missed(flat: Flat, kinds: Array, about: Array, met: Array, those: Array) -> Array:
    """Tell which true boxes none of `those` meets or is about, be it at the wrong place or of the wrong class."""
    near = about[those & (kinds >= 0) & (kinds <= 1)]
    return np.asarray(flat.wanted[0] & ~_among(met[those], flat) & ~_among(near, flat))


def _costs(scenes: Scenes, kinds: Array, about: Array, met: Array) -> dict[str, float]:
    """Mend one fault after the other, and see by how much `ap50` rises."""
    flat = scenes.flat
    now = _ap50(scenes, flat)
    if not np.isfinite(now):
        return {}
    everywhere = np.ones(len(kinds), bool)
    missed = _missed(flat, kinds, about, met, everywhere)
    free = flat.wanted[0] & ~_among(met, flat)
    found = {}
    for code, name in enumerate(FAULTS[:-1]):
        those = kinds == code
        mended = _moved(flat, those, about, free) if name in ("place", "class") else _without(flat, those)
        found[name] = _ap50(scenes, mended) - now
    fewer = flat.wanted.copy()
    fewer[:, missed] = False
    found["missed"] = _ap50(scenes, replace(flat, wanted=fewer)) - now
    return {name: max(0.0, value) if np.isfinite(value) else 0.0 for name, value in found.items()}


def _moved(flat: Flat, those: Array, about: Array, free: Array) -> Flat:
    """Let the surest of the boxes about a true box that is still free meet it, and drop the others."""
    places = np.flatnonzero(those)
    order = places[np.argsort(-flat.said_score[places], kind="stable")]
    _, first = np.unique(about[order], return_index=True)
    mended = order[first]
    mended = mended[free[about[mended]]]
    hits, counted, classes = flat.hits.copy(), flat.counted.copy(), flat.said_class.copy()
    counted[:, :, those] = False
    counted[:, :, mended] = hits[:, :, mended] = True
    classes[mended] = flat.true_class[about[mended]]
    return replace(flat, hits=hits, counted=counted, said_class=classes)


def _without(flat: Flat, those: Array) -> Flat:
    counted = flat.counted.copy()
    counted[:, :, those] = False
    return replace(flat, counted=counted)


def _ap50(scenes: Scenes, flat: Flat) -> float:
    found = average_precision(scenes, np.ones((1, scenes.n_rows)), flat=flat, n_overlaps=1)
    return float(mean_defined(found[0, :, 0]))
