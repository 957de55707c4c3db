"""Pictures to look at: right, wrong, wrong and sure of it, near the threshold; and what a change of model changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio import split
from palio.core.records import Gallery, Seen
from palio.core.records.looking import GalleryKind
from palio.evaluate.answers import Array
from palio.evaluate.pictures.asking import Asked
from palio.measure import Answers

N_SHOWN = 8
SURE = 0.8


def galleries(asked: Asked) -> tuple[Gallery, ...]:
    """Choose pictures of each kind.

    Right: the surest of each class in turn. Wrong: nearest to being right first, less what is shown as surely wrong.
    Near: where the two most probable classes are closest.
    """
    p = asked.probabilities
    said = asked.answers.prediction.astype(int)
    sure = p[np.arange(len(p)), said]
    ranked = np.sort(p, axis=1)
    margin = ranked[:, -1] - ranked[:, -2] if p.shape[1] > 1 else np.zeros(len(p))
    right, wrong = np.flatnonzero(asked.is_right), np.flatnonzero(~asked.is_right)
    surely = wrong[(sure[wrong] >= SURE)]
    chosen: list[tuple[GalleryKind, Array]] = [
        ("surely_wrong", surely[np.argsort(-sure[surely], kind="stable")]),
        ("wrong", _in_turn(np.setdiff1d(wrong, surely), asked.truth, sure)),
        ("near", np.argsort(margin, kind="stable")[: max(N_SHOWN, int((margin < 0.1).sum()))]),
        ("right", _in_turn(right, asked.truth, sure)),
    ]
    return tuple(_gallery(asked, kind, rows) for kind, rows in chosen if len(rows))


def changed(asked: Asked, before: Answers) -> tuple[Gallery, ...]:
    """Show pictures that the champion answered wrongly and the challenger does not, and the other way round."""
    was_right = np.asarray(before.prediction == asked.truth)
    mended, broken = ~was_right & asked.is_right, was_right & ~asked.is_right
    sides: tuple[tuple[GalleryKind, Array], ...] = (("mended", mended), ("broken", broken))
    return tuple(_gallery(asked, kind, np.flatnonzero(rows), before=before) for kind, rows in sides if rows.any())


def _in_turn(rows: Array, truth: Array, sure: Array) -> Array:
    """Order rows by how sure the answer is, the classes taking turns."""
    turns = np.zeros(len(rows), int)
    for label in np.unique(truth[rows]):
        own = np.flatnonzero(truth[rows] == label)
        turns[own[np.argsort(-sure[rows[own]], kind="stable")]] = np.arange(len(own))
    return rows[np.argsort(turns, kind="stable")]


def _gallery(asked: Asked, kind: GalleryKind, rows: Array, *, before: Answers | None = None) -> Gallery:
    shown = rows[:N_SHOWN]
    return Gallery(kind=kind, n_rows=len(rows), pictures=_seen(asked, shown, before))


def _seen(asked: Asked, rows: Array, before: Answers | None) -> tuple[Seen, ...]:
    classes: Sequence[str] = asked.task.classes
    part = asked.frame[rows]
    ids = split.row_ids(part, asked.bundle.manifest.schema) if len(rows) else []
    return tuple(
        Seen(
            picture=asked.picture(row),
            row_id=ids[place],
            truth=classes[int(asked.truth[row])],
            prediction=classes[int(asked.answers.prediction[row])],
            probability=float(asked.probabilities[row, int(asked.answers.prediction[row])]),
            before="" if before is None else classes[int(before.prediction[row])],
        )
        for place, row in enumerate(rows.tolist())
    )
