"""Look at the judged pictures once, and gather all that is told of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palio.core.progress import SILENT, Progress
from palio.core.records import Cue, Evaluation, Gallery, Sight, Task
from palio.core.seeds import derive
from palio.core.words import counted
from palio.evaluate.answers import Array
from palio.evaluate.effects import within
from palio.evaluate.pictures import boxes
from palio.evaluate.pictures.asking import Asked, column_of, held, pixels_of, places_of, reading_of
from palio.evaluate.pictures.cues import Pool, find_cues
from palio.evaluate.pictures.galleries import changed, galleries
from palio.evaluate.pictures.likeness import groups
from palio.evaluate.pictures.saliency import explained
from palio.evaluate.pictures.sheets import sheets
from palio.evaluate.pictures.strains import strains
from palio.evaluate.segmenting import Segment, segments
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

BOXES = "detection"
KINDS = ("classification", BOXES)
"""Of tasks whose pictures are looked at."""
MAX_ROWS = 1_000
"""Judged pictures that are held in memory, 150 kB each at 224 pixels."""
MAX_POOL, MAX_PER_CLASS, MIN_PER_CLASS = 600, 100, 30
"""Pictures of those learned from in which cues are sought."""
LEAST_S = 15.0
"""Seconds that looking may take though the time is over: a model that goes by a hat should not pass unseen."""
SHARES = {"cues": 0.5, "strains": 0.6}
"""Of the time that is left when its turn comes; what comes last (saliency) has the rest."""


@dataclass(frozen=True)
class Looked:
    """Judged pictures, decoded, and groups of those that look alike."""

    asked: Asked
    groups: tuple[Segment, ...]
    rows: Array | None
    """Places of the rows that were taken; None: all."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the groups as slices of the judged rows; none where only some of these were looked at."""
        return self.groups if self.rows is None else ()


def opened(
    bundle: Bundle,
    frame: pl.DataFrame,
    truth: Array,
    answers: Answers,
    *,
    task: Task,
    seed: int = 0,
    deadline: float | None = None,
) -> Looked | None:
    """Decode judged pictures (some of very many) and group them; None of a model that tells numbers from pictures.

    Args:
        bundle: The model.
        frame: Rows with a known answer.
        truth: Of these.
        answers: To these.
        task: What was asked.
        seed: Of all draws.
        deadline: Moment on `time.monotonic` by which all that is only shown should be done.
    """
    reading = reading_of(bundle)
    if reading is None or task.kind not in KINDS:
        return None
    rows = None
    if frame.height > MAX_ROWS:
        rng = np.random.default_rng(derive(seed, "looked at"))
        rows = np.sort(rng.choice(frame.height, MAX_ROWS, replace=False))
        frame, truth, answers = frame[rows], truth[rows], answers.take(rows)
    pixels = pixels_of(bundle, reading, frame)
    alike = groups(pixels, seed=seed)
    places = None
    if task.kind == BOXES:
        places = places_of(bundle, reading, frame)
        alike += boxes.scenery(truth, places[:, 4:])
    asked = Asked(bundle, reading, frame, truth, pixels, answers, task, deadline, places)
    return Looked(asked, tuple(alike), rows)


def sight(
    looked: Looked,
    evaluation: Evaluation,
    *,
    learned: tuple[pl.DataFrame, Array],
    seed: int = 0,
    progress: Progress = SILENT,
) -> Sight:
    """Gather all that is told of judged pictures, as far as there is time; 15 seconds there always are.

    Args:
        looked: The pictures.
        evaluation: Of these rows, with their slices.
        learned: Rows that the model learned from, and their truth: cues are sought in them, and tried on judged ones.
        seed: Of all draws.
        progress: Told what was found.
    """
    asked = looked.asked
    if asked.deadline is not None:
        asked = replace(asked, deadline=max(asked.deadline, time.monotonic() + LEAST_S))
    schema = asked.bundle.manifest.schema
    cut = [*segments(asked.frame, schema), *looked.groups]
    searching = within(asked, SHARES["cues"])
    pool = _pool(asked, *learned, seed=seed)
    cues, n_tries, is_searched = find_cues(searching, pool, seed=seed)
    for cue in (one for one in cues if one.moves):
        progress.say(f"evaluate  {_moving(cue)}")
    progress.step("pictures", 1, 3)
    strained = strains(within(asked, SHARES["strains"]), primary=evaluation.primary, seed=seed)
    progress.step("pictures", 2, 3)
    shown = boxes.scene_galleries(asked) if asked.task.kind == BOXES else explained(asked, galleries(asked))
    progress.step("pictures", 3, 3)
    if not is_searched:
        progress.say(f"evaluate  its time was over when {counted(n_tries, 'cue')} had been tried; there may be others")
    return Sight(
        column=asked.column,
        reading=asked.reading,
        n_rows=len(asked.truth),
        galleries=shown,
        sheets=sheets(asked, evaluation.slices, cut, seed=seed),
        cues=cues,
        n_tries=n_tries,
        is_comparable=pool.is_comparable,
        is_searched=is_searched,
        strains=strained,
    )


def differences(looked: Looked, before: Answers) -> tuple[Gallery, ...]:
    """Show pictures that another model answered otherwise, with `before`, its answers to all judged rows."""
    asked, before = looked.asked, before if looked.rows is None else before.take(looked.rows)
    return boxes.changed_scenes(asked, before) if asked.task.kind == BOXES else changed(asked, before)


def _moving(cue: Cue) -> str:
    """Say in a line what moves the answers."""
    if cue.kind == "background":
        return (
            f"the model knows “{cue.label}” by the ground: of {counted(cue.n_things, 'thing')}, {cue.n_found_there} "
            f"are found on the ground of another such picture, {cue.n_found_elsewhere} on that of others; of "
            f"{cue.n_tried} pictures without, {cue.n_moved} show one on such a ground ({cue.n_control} on another)"
        )
    return (
        f"the model answers “{cue.label}” for {cue.where}: {cue.n_moved} of {cue.n_tried} other pictures "
        f"are called so once they have it ({cue.n_control} with the like part of their own kind)"
    )


def _pool(asked: Asked, frame: pl.DataFrame, truth: Array, *, seed: int) -> Pool:
    """Decode some of the pictures that were learned from, as many of each class."""
    n_classes = len(asked.task.classes)
    holds = held(truth, n_classes)
    most = min(MAX_PER_CLASS, max(MIN_PER_CLASS, MAX_POOL // n_classes))
    rng = np.random.default_rng(derive(seed, "pool"))
    drawn = [rng.permutation(np.flatnonzero(holds[:, label]))[:most] for label in range(n_classes)]
    drawn.append(rng.permutation(np.flatnonzero(~holds.any(axis=1)))[:most])  # of no class: nothing is in them
    rows = np.unique(np.concatenate(drawn))
    part = frame[rows]
    column = column_of(asked.bundle, asked.reading)
    identities = tuple(str(cell) for cell in part.get_column(column).to_list())
    found = pixels_of(asked.bundle, asked.reading, part)
    if asked.task.kind != BOXES:
        return Pool(found, holds[rows], identities)
    places = places_of(asked.bundle, asked.reading, part)
    areas = boxes.areas(places, found.shape[1])
    around = boxes.in_square(truth[rows], places, margin=boxes.MARGIN)
    cleared = tuple(boxes.shares_of(some, area) for some, area in zip(around, areas, strict=True))
    return Pool(boxes.emptied(found, truth[rows], places), holds[rows], identities, cleared, areas)
