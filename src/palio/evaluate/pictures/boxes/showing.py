"""Pictures with boxes to look at: a gallery for each kind of error, those that are right, and what a change changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio import measure, split
from palio.core.records import Drawn, Gallery, Place, Seen
from palio.core.records.looking import DrawnKind, GalleryKind
from palio.evaluate.answers import Array
from palio.evaluate.pictures.asking import Asked
from palio.measure import Answers, boxes

N_SHOWN = 6
MAX_DRAWN = 60
"""Boxes drawn in a picture, what it is shown for first, then the surest: more hide it."""
KINDS: tuple[GalleryKind, ...] = ("background", "missed", "class", "place", "double", "both")
"""What a person should look at first, first."""


def scene_galleries(asked: Asked) -> tuple[Gallery, ...]:
    """Choose pictures of each kind of error, the surest errors first; and those that are right."""
    view = _View(asked, asked.answers)
    flat, faults = view.scenes.flat, view.faults
    found: list[Gallery] = []
    for kind in KINDS:
        if kind == "missed":
            rows, weight = flat.true_in[faults.missed], np.ones(int(faults.missed.sum()))
        else:
            those = (faults.kinds == boxes.FAULTS.index(kind)) & flat.is_said
            rows, weight = flat.said_in[those], flat.said_score[those]
        if len(rows):
            found.append(view.gallery(kind, _ranked(rows, weight, len(asked.truth), by_sum=kind == "missed"), (kind,)))
    true, hits, wrong = view.scenes.tally
    right = np.flatnonzero((hits > 0) & (hits == true) & (wrong == 0))
    if len(right):
        found.append(view.gallery("right", right[np.argsort(-hits[right], kind="stable")], ()))
    return tuple(found)


def changed_scenes(asked: Asked, before: Answers) -> tuple[Gallery, ...]:
    """Show pictures with fewer mistakes than the champion made, and with more; the largest change first."""
    question = measure.questions.of(asked.task)
    fewer = question.errors(asked.truth, before) - question.errors(asked.truth, asked.answers)
    view = _View(asked, asked.answers, before)
    found = []
    sides: tuple[tuple[GalleryKind, Array], ...] = (("mended", fewer), ("broken", -fewer))
    for kind, gain in sides:
        rows = np.flatnonzero(gain > 0)
        if len(rows):
            found.append(view.gallery(kind, rows[np.argsort(-gain[rows], kind="stable")], ()))
    return tuple(found)


def _ranked(rows: Array, weight: Array, n_rows: int, *, by_sum: bool) -> Array:
    """Return the pictures that rows name, those with the greatest weight first."""
    total = np.zeros(n_rows)
    (np.add if by_sum else np.maximum).at(total, rows, weight)
    return np.argsort(-total, kind="stable")[: len(np.unique(rows))]


class _View:
    """Judged pictures with what is right and wrong in each."""

    def __init__(self, asked: Asked, answers: Answers, before: Answers | None = None) -> None:
        self.asked, self.before = asked, before
        self.scenes = boxes.scenes_of(asked.task, asked.truth, answers)
        self.faults = boxes.faults(self.scenes)
        self._open = self.faults.missed_by_all(self.scenes.flat)

    def gallery(self, kind: GalleryKind, rows: Array, only: Sequence[str]) -> Gallery:
        """Show the first of some pictures; the faults named are drawn as what it is about."""
        asked, shown = self.asked, rows[:N_SHOWN]
        part = asked.frame[shown]
        ids = split.row_ids(part, asked.bundle.manifest.schema)
        question = measure.questions.of(asked.task)
        seen = tuple(
            Seen(
                picture=asked.picture(row),
                row_id=ids[place],
                truth=question.shown(asked.truth[row]),
                prediction=question.shown(asked.answers.prediction[row]),
                probability=float(asked.answers.prediction[row].scores.max(initial=0.0)),
                before="" if self.before is None else question.shown(self.before.prediction[row]),
                sides=(float(asked.sides[row, 0]), float(asked.sides[row, 1])),
                drawn=self._drawn(row, only),
            )
            for place, row in enumerate(shown.tolist())
        )
        return Gallery(kind=kind, n_rows=len(rows), pictures=seen)

    def _drawn(self, row: int, only: Sequence[str]) -> tuple[Drawn, ...]:
        flat, asked = self.scenes.flat, self.asked
        classes, sides = asked.task.classes, asked.sides[row]
        truth, said = asked.truth[row], asked.answers.prediction[row]
        first_said, first_true = np.searchsorted(flat.said_in, row), np.searchsorted(flat.true_in, row)
        out = [_one("ignored", truth.corners[box], sides, "") for box in np.flatnonzero(truth.ignored).tolist()]
        for box in np.flatnonzero(self._open[first_true : first_true + len(truth)]).tolist():
            name = classes[truth.classes[box]]
            out.append(_one("missed", truth.corners[box], sides, name, stands_out="missed" in only))
        counted = flat.counted[0, 0, first_said : first_said + len(said)]
        for box in np.flatnonzero(said.is_said & counted).tolist():
            fault = int(self.faults.kinds[first_said + box])
            is_right = bool(flat.hits[0, 0, first_said + box])
            name, score = classes[said.classes[box]], float(said.scores[box])
            kind: DrawnKind = "right" if is_right else "alarm"
            is_it = not is_right and boxes.FAULTS[fault] in only
            out.append(_one(kind, said.corners[box], sides, name, score=score, stands_out=is_it))
        kept = sorted(range(len(out)), key=lambda place: not out[place].stands_out)[:MAX_DRAWN]
        return tuple(out[place] for place in sorted(kept))


def _one(
    kind: DrawnKind, corners: Array, sides: Array, label: str, *, score: float | None = None, stands_out: bool = False
) -> Drawn:
    left, top, right, bottom = (corners / np.tile(sides, 2)).clip(0, 1).tolist()
    place = Place(left=left, top=top, right=right, bottom=bottom)
    return Drawn(kind=kind, place=place, label=label, score=score, stands_out=stands_out)
