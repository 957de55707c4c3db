"""Find out on labelled pictures how a foreign detector wants them, what its numbers mean, and which class is which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from palio import measure, model
from palio.core.errors import InputError
from palio.core.records import PictureReading, Task
from palio.core.words import counted
from palio.train.deep.pictured import Cells
from palio.train.examples import Array, Examples
from palio.train.family import check_time
from palio.train.foreign.decoding import Decoding, decoded, plausible
from palio.train.foreign.opening import ORDERS, SCALES, Foreign

FEW, MANY = 8, 32
"""Labelled pictures that every way of reading is tried on, and those that decide between the best."""
N_BEST = 3
FITS = ("letterbox", "squash")
KNOWN = 0.05
"""Mean score of a class at the boxes of ours from which on it is taken for the same."""
LEAST = 0.01
"""Average precision below which it has found nothing."""
NEAR = 0.5
"""Overlap from which on a place speaks for a box."""
_MOST = 2_000
"""Places of a picture that are asked which class they are, the surest."""


@dataclass(frozen=True)
class Reading:
    """How pictures are brought before a foreign detector, what it says, and which of its classes are ours."""

    fit: str
    order: str
    scale: str
    how: Decoding
    ids: tuple[int, ...]
    """For each class of the task, the number of the detector's; -1: it knows none such."""
    worth: float = 0.0
    """Average precision on the labelled pictures that decided; before, how sure it is of boxes that are right."""


@dataclass(frozen=True)
class Wanted:
    """What is declared, where it is not to be found out."""

    decode: str = "auto"
    order: str = "auto"
    scale: str = "auto"
    fit: str = "auto"
    names: tuple[str, ...] = ()
    """Classes of the detector in its own order; empty: what its file says, or what labelled pictures show."""


def choose(
    foreign: Foreign, examples: Examples, column: str, wanted: Wanted, *, threads: int, deadline: float | None = None
) -> tuple[Reading, tuple[str, ...]]:
    """Try what was not declared, and return the best, and sentences that name what it was better than.

    Raises:
        InputError: no picture has boxes, the outputs are none that are known, or no way of reading finds anything.
        OutOfTime: the deadline has come.
    """
    rows = np.array([row for row, one in enumerate(examples.target) if one is not None and len(one)], np.int64)
    if not len(rows):
        raise InputError(f"{foreign.name}: no picture has a box to try it on", hint="bring some labelled pictures")
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(MANY, len(rows))).astype(np.int64))]
    trial = _Trial(foreign, examples, column, wanted, threads, deadline)
    first = some[:: max(1, len(some) // FEW)]
    orders = ORDERS if wanted.order == "auto" else (wanted.order,)
    scales = tuple(SCALES) if wanted.scale == "auto" else (wanted.scale,)
    fits = FITS if wanted.fit == "auto" else (wanted.fit,)
    found = [one for order, scale in product(orders, scales) for one in trial.readings(first, fits[0], order, scale)]
    if not found:
        raise InputError(
            f"{foreign.name}: its outputs are none that are known: {trial.told}",
            hint="export it with one of the decodings that are described under `imported`",
        )
    found.sort(key=lambda one: -one.worth)
    final = [trial.again(one, some, fit) for one in _different(found, orders) for fit in fits]
    final.sort(key=lambda one: -one.worth)
    best = final[0]
    if best.worth < LEAST:
        raise InputError(
            f"{foreign.name}: however it is read, it finds nothing of {counted(len(some), 'labelled picture')}",
            hint="declare its decoding and classes, or check that it knows what is labelled",
        )
    return best, tuple(_told(foreign, best, final, examples.task, len(some)))


def _different(found: Sequence[Reading], orders: Sequence[str]) -> list[Reading]:
    """Return the best ways of reading; and the best one with the channels in the other order."""
    best = list(found[:N_BEST])
    twin = [one for one in found if one.order != best[0].order and (one.scale, one.how) == (best[0].scale, best[0].how)]
    if len(orders) > 1 and twin and twin[0] not in best:
        best.append(twin[0])
    return best


def _told(foreign: Foreign, best: Reading, final: Sequence[Reading], task: Task, n: int) -> Iterator[str]:
    on = f"on {counted(n, 'labelled picture')}"
    what = f"{best.how.kind}, channels {best.order}, pixels {best.scale}, {best.fit}"
    yield f"{foreign.name} is read as {what}: average precision {best.worth:.3f} {on}."
    for name in ("order", "scale", "fit"):
        others = [one for one in final if getattr(one, name) != getattr(best, name)]
        if others:
            rival = others[0]
            yield f"With {getattr(rival, name)} in place of {getattr(best, name)} it is {rival.worth:.3f}."
    for label, place in zip(task.classes, best.ids, strict=True):
        if place < 0:
            yield f"Warning: it knows nothing like `{label}`, and never says it."
        else:
            called = foreign.names[place] if place < len(foreign.names) else f"class {place}"
            yield f"Its {called} is `{label}`."
    if len({one for one in best.ids if one >= 0}) < sum(one >= 0 for one in best.ids):
        yield "Warning: one of its classes stands for several of the task's, which it cannot tell apart."


class _Trial:
    """Runs the detector on labelled pictures, and scores what it says; what was computed once is kept."""

    def __init__(
        self,
        foreign: Foreign,
        examples: Examples,
        column: str,
        wanted: Wanted,
        threads: int,
        deadline: float | None,
    ) -> None:
        self._foreign, self._examples, self._column = foreign, examples, column
        self._wanted, self._deadline = wanted, deadline
        self._runner = foreign.runner(threads)
        self._cells = examples.feeds()[column][:, 0]
        self.told = ""

    def readings(self, rows: Array, fit: str, order: str, scale: str) -> Iterator[Reading]:
        """Yield what the outputs may mean, with its worth."""
        outputs = self._said(rows, fit, order, scale)
        self.told = ", ".join(f"`{name}` {list(one.shape)}" for name, one in outputs.items())
        n_known = len(self._wanted.names or self._foreign.names)
        for how in plausible(outputs, self._foreign.size, kind=self._wanted.decode, n_known=n_known):
            ids, sure = self._ids(how, outputs, rows, fit)
            yield Reading(fit, order, scale, how, ids, sure)

    def again(self, one: Reading, rows: Array, fit: str) -> Reading:
        """Score a way of reading on other rows, and with another fit."""
        from dataclasses import replace

        outputs = self._said(rows, fit, one.order, one.scale)
        ids, _ = self._ids(one.how, outputs, rows, fit)
        return replace(one, fit=fit, ids=ids, worth=self._worth(one.how, outputs, ids, rows, fit))

    def _said(self, rows: Array, fit: str, order: str, scale: str) -> dict[str, Array]:
        reading = self._reading(fit)
        cells = Cells(self._cells[rows], reading)
        parts = []
        for start in range(0, len(rows), 8):
            check_time(self._deadline)
            pixels = cells[slice(start, start + 8)]
            parts.append(self._foreign.run(self._runner, self._foreign.wanted(pixels, order=order, scale=scale)))
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}

    def _reading(self, fit: str) -> PictureReading:
        return PictureReading(input=self._column, tensor="#", size=self._foreign.size, fit=fit)  # type: ignore[arg-type]

    def _places(self, rows: Array, fit: str) -> Array:
        return model.PictureReader(self._reading(fit)).places(self._cells[rows].tolist())

    def _worth(self, how: Decoding, outputs: dict[str, Array], ids: Sequence[int], rows: Array, fit: str) -> float:
        corners, scores = decoded(how, outputs, ids, self._foreign.size)
        if not np.isfinite(corners).all() or not np.isfinite(scores).all():
            return 0.0
        found = model.brought_back(model.suppressed(corners, np.clip(scores, 0, 1)), self._places(rows, fit))
        task = self._examples.task
        cells = model.cells_of(found, task.classes)
        answers = measure.questions.of(task).truth(cells)
        score = measure.score(task, self._examples.target[rows], measure.Answers(answers), names=("ap",))
        return float(np.nan_to_num(score.get("ap", 0.0)))

    def _ids(self, how: Decoding, outputs: dict[str, Array], rows: Array, fit: str) -> tuple[tuple[int, ...], float]:
        """Say which of the detector's classes are ours, and how sure it is of them where they are.

        By name, else by what it says where our boxes are.
        """
        names = [one.casefold() for one in self._wanted.names or self._foreign.names]
        labels = [one.casefold() for one in self._examples.task.classes]
        means = self._evidence(how, outputs, rows, fit)
        seen = [int(one.argmax()) if one.max(initial=0.0) >= KNOWN else -1 for one in means]
        ids = tuple(names.index(label) if label in names else at for label, at in zip(labels, seen, strict=True))
        return ids, float(np.mean([one[at] if at >= 0 else 0.0 for one, at in zip(means, ids, strict=True)]))

    def _evidence(self, how: Decoding, outputs: dict[str, Array], rows: Array, fit: str) -> Array:
        """Return how sure the detector is of each of its classes at the boxes of each of ours, (n_ours, n_theirs)."""
        corners, scores = decoded(how, outputs, range(how.n_classes), self._foreign.size)
        places = self._places(rows, fit)
        total = np.zeros((len(self._examples.task.classes), how.n_classes))
        counts = np.zeros(len(total))
        for at, row in enumerate(rows):
            truth = self._examples.target[row]
            sure = np.argsort(-scores[at].max(axis=1), kind="stable")[:_MOST]
            back = model.unfitted(corners[at][sure][None], places[[at]])[0]
            for box, kind, ignored in zip(truth.corners, truth.classes, truth.ignored, strict=True):
                if kind < 0 or ignored:
                    continue
                near = measure.boxes.overlaps(back, box[None])[:, 0] >= NEAR
                counts[kind] += 1
                if near.any():
                    total[kind] += scores[at][sure][near].max(axis=0)
        return np.asarray(total / np.maximum(counts, 1)[:, None])


def _joined(parts: list[Any]) -> Array:
    """Put batches one behind the other; where they say different numbers of boxes, padded with zeros."""
    if len({one.shape[1:] for one in parts}) == 1:
        return np.concatenate(parts)
    most = max(one.shape[1] for one in parts)
    return np.concatenate(
        [np.pad(one, [(0, 0), (0, most - one.shape[1])] + [(0, 0)] * (one.ndim - 2)) for one in parts]
    )
