"""Pictures to look at: right, wrong, wrong and sure of it, near the threshold; and what a change of model changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio import split
from palio.core.records import Gallery, Seen
from palio.core.records.looking import GalleryKind
from palio.evaluate.answers import Array
from palio.evaluate.choosing import changed_rows, chosen
from palio.evaluate.pictures.asking import Asked
from palio.measure import Answers

N_SHOWN = 8


def galleries(asked: Asked) -> tuple[Gallery, ...]:
    """Choose pictures of each kind."""
    said = asked.answers.prediction.astype(int)
    kinds = chosen(asked.probabilities, said, np.asarray(asked.truth), fewest_near=N_SHOWN)
    return tuple(_gallery(asked, kind, rows) for kind, rows in kinds)


def changed(asked: Asked, before: Answers) -> tuple[Gallery, ...]:
    """Show pictures that the champion answered wrongly and the challenger does not, and the other way round."""
    sides = changed_rows(before, asked.truth, asked.is_right)
    return tuple(_gallery(asked, kind, rows, before=before) for kind, rows in sides)


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
