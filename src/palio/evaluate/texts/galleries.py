"""Texts to look at: wrong and sure of it, wrong, near the threshold, right; each with what its answer hangs on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from palio import split
from palio.core.records import ReadText, Stretch, TextGallery
from palio.core.records.looking import GalleryKind
from palio.evaluate.answers import Array
from palio.evaluate.choosing import changed_rows, chosen
from palio.evaluate.effects import logit
from palio.evaluate.texts.asking import Asked
from palio.evaluate.texts.spans import EXCERPT, spans, without
from palio.measure import Answers

N_SHOWN = 6
MOST_STRETCHES, FEWEST_STRETCHES = 48, 8
"""A longer text is taken out in stretches of several words; in few where answers take long."""


def galleries(asked: Asked) -> tuple[TextGallery, ...]:
    """Choose texts of each kind."""
    return tuple(
        _gallery(asked, kind, rows) for kind, rows in chosen(asked.probabilities, asked.said, np.asarray(asked.truth))
    )


def changed(asked: Asked, before: Answers) -> tuple[TextGallery, ...]:
    """Show texts that the champion answered wrongly and the challenger does not, and the other way round."""
    sides = changed_rows(before, asked.truth, asked.is_right)
    return tuple(_gallery(asked, kind, rows, before=before) for kind, rows in sides)


def _gallery(asked: Asked, kind: GalleryKind, rows: Array, *, before: Answers | None = None) -> TextGallery:
    classes = asked.task.classes
    texts = tuple(
        ReadText(
            row_id=asked.row_id(row),
            text=asked.texts[row][:EXCERPT],
            is_cut=len(asked.texts[row]) > EXCERPT,
            truth=classes[int(asked.truth[row])],
            prediction=classes[int(asked.said[row])],
            probability=float(asked.probabilities[row, int(asked.said[row])]),
            before="" if before is None else classes[int(before.prediction[row])],
        )
        for row in rows[:N_SHOWN].tolist()
    )
    return TextGallery(kind=kind, n_rows=len(rows), texts=texts)


def explained(asked: Asked, shown: Sequence[TextGallery]) -> tuple[tuple[TextGallery, ...], int]:
    """Add to the texts of galleries what their answer hangs on; to as many as there is time for.

    Returns:
        The galleries, and how many texts there was no time for.

    Source: Li, Monroe and Jurafsky 2016 (erasure), arXiv:1612.08220.
    """
    row_of: dict[str, int] = {}
    wanted = {one.row_id for gallery in shown for one in gallery.texts}
    for row, identity in enumerate(_ids(asked)):
        if identity in wanted:
            row_of.setdefault(identity, row)
    known: dict[str, ReadText] = {}
    left: set[str] = set()

    def read(one: ReadText) -> ReadText:
        if one.row_id not in known:
            if asked.is_over or one.row_id not in row_of:
                left.add(one.row_id)
                return one
            known[one.row_id] = _explained(asked, row_of[one.row_id], one)
        seen = known[one.row_id]
        return msgspec.structs.replace(one, text=seen.text, is_cut=seen.is_cut, stretches=seen.stretches)

    found = tuple(
        msgspec.structs.replace(gallery, texts=tuple(read(one) for one in gallery.texts)) for gallery in shown
    )
    return found, len(left)


def _ids(asked: Asked) -> list[str]:
    return split.row_ids(asked.frame, asked.bundle.manifest.schema)


def occlusion(asked: Asked, row: int) -> list[Stretch]:
    """Take one stretch of a text after the other out of it, and see what becomes of its answer."""
    text = asked.texts[row]
    words = spans(text)
    each = max(1, -(-len(words) // min(MOST_STRETCHES, max(FEWEST_STRETCHES, asked.n_affordable))))
    cuts = [(words[at].start, words[min(at + each, len(words)) - 1].end) for at in range(0, len(words), each)]
    if not cuts:
        return []
    said = int(asked.said[row])
    _, p = asked.again([row] * len(cuts), [without(text, [cut]) for cut in cuts])
    before = asked.probabilities[[row], said]
    drops, weights = before - p[:, said], logit(before) - logit(p[:, said])
    return [
        Stretch(start=start, end=end, drop=round(float(drop), 4), weight=round(float(weight), 3))
        for (start, end), drop, weight in zip(cuts, drops, weights, strict=True)
    ]


def _explained(asked: Asked, row: int, shown: ReadText) -> ReadText:
    """Show the part of a long text that the answer hangs on most."""
    text, found = asked.texts[row], occlusion(asked, row)
    start = 0
    if len(text) > EXCERPT and found:
        most = max(found, key=lambda one: one.weight)
        start = max(0, min((most.start + most.end - EXCERPT) // 2, len(text) - EXCERPT))
        start = next((one.start for one in found if start <= one.start <= most.start), start)
    end = min(len(text), start + EXCERPT)
    inside = tuple(
        msgspec.structs.replace(one, start=max(one.start, start) - start, end=min(one.end, end) - start)
        for one in found
        if one.start < end and one.end > start
    )
    return msgspec.structs.replace(shown, text=text[start:end], is_cut=end - start < len(text), stretches=inside)
