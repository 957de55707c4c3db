"""What an evaluation of boxes shows below the headline: what is found, what is wrong, and what that costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio import measure
from palio.core.records import ClassScore, Curve, Fault, Finds, Level, Metric, SizeScore, Task
from palio.core.seeds import derive
from palio.evaluate.answers import Array
from palio.evaluate.details.curves import curve
from palio.measure import Answers, boxes

SEED = derive(0, "evaluate", "boxes")
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Scores that the threshold could be instead."""
FINER = (0.01, 0.02, 0.03, 0.05, 0.07, 0.15, 0.25, 0.35)
"""Those between them, where a model is so unsure that few of the others would show anything."""
FEW_LEVELS = 5
SIZES = ("small", "medium", "large")


def details_of(task: Task, truth: Array, answers: Answers) -> dict[str, Any]:
    """Return fields of an `Evaluation`: what is found, scores of the classes, what is taken for what, curves."""
    scenes = boxes.scenes_of(task, truth, answers)
    faults = boxes.faults(scenes)
    return {
        "finds": finds(scenes, faults),
        "per_class": class_scores(scenes),
        "confusion": confusion_table(scenes, faults),
        "curves": _curves(task, truth, answers),
    }


def finds(scenes: boxes.Scenes, faults: boxes.Faults) -> Finds:
    """Sum up what is found and what is wrong."""
    true, found, wrong = scenes.tally
    flat, is_empty = scenes.flat, true == 0
    n_alarmed = int((wrong > 0).sum())
    low, high = measure.wilson(n_alarmed, scenes.n_rows)
    covers = np.concatenate([np.empty(0), *map(_overlaps_of_found, range(scenes.n_rows), [scenes] * scenes.n_rows)])
    return Finds(
        threshold=max((one.threshold for one in scenes.prediction.tolist()), default=0.0),
        n_boxes=int(true.sum()),
        n_found=int(found.sum()),
        n_false=int(wrong.sum()),
        n_empty=int(is_empty.sum()),
        n_empty_alarmed=int((is_empty & (wrong > 0)).sum()),
        n_unsure=int(faults.unsure.sum()),
        found=boxes.share(found, true, seed=SEED),
        alarmed=Metric(value=n_alarmed / scenes.n_rows, low=low, high=high, n_rows=scenes.n_rows),
        overlap=float(np.median(covers)) if len(covers) else None,
        sizes=tuple(_size(scenes, place) for place in range(1, 1 + len(SIZES)) if flat.wanted[place].any()),
        faults=_faults(scenes, faults),
        levels=_levels(scenes),
    )


def _overlaps_of_found(row: int, scenes: boxes.Scenes) -> Array:
    truth, said, matched = scenes.truth[row], scenes.prediction[row], scenes.matched[row]
    hit = np.flatnonzero(matched.hits[0, 0] & said.is_said)
    covers = boxes.overlaps(said.corners[hit], truth.corners)
    return np.asarray(covers[np.arange(len(hit)), matched.partner[0, hit]])


def _size(scenes: boxes.Scenes, place: int) -> SizeScore:
    flat, n = scenes.flat, scenes.n_rows
    true = np.bincount(flat.true_in[flat.wanted[place]], minlength=n).astype(float)
    found = np.bincount(flat.said_in[flat.hits[place, 0] & flat.is_said], minlength=n).astype(float)
    name = SIZES[place - 1]
    return SizeScore(size=name, n_boxes=int(true.sum()), found=boxes.share(found, true, seed=SEED))  # type: ignore[arg-type]


def _faults(scenes: boxes.Scenes, faults: boxes.Faults) -> tuple[Fault, ...]:
    flat = scenes.flat
    out = []
    for code, kind in enumerate(boxes.FAULTS):
        where = flat.true_in[faults.missed] if kind == "missed" else flat.said_in[(faults.kinds == code) & flat.is_said]
        cost = faults.costs.get(kind)
        out.append(Fault(kind=kind, n=len(where), n_pictures=len(np.unique(where)), cost=cost))  # type: ignore[arg-type]
    return tuple(sorted(out, key=lambda one: (-(one.cost or 0.0), -one.n)))


def _levels(scenes: boxes.Scenes) -> tuple[Level, ...]:
    flat, n_true = scenes.flat, int(scenes.flat.wanted[0].sum())
    counted, hit = flat.counted[0, 0], flat.hits[0, 0]
    if not n_true:
        return ()
    surest = flat.said_score[counted].max(initial=0.0)
    levels = [one for one in LEVELS if one <= surest]
    if len(levels) < FEW_LEVELS:
        levels = sorted(one for one in (*LEVELS, *FINER) if one <= surest)
    out = []
    for threshold in levels:
        said = counted & (flat.said_score >= threshold)
        alarms = float((said & ~hit).sum()) / scenes.n_rows
        out.append(Level(threshold=threshold, found=float((said & hit).sum()) / n_true, false_alarms=alarms))
    return tuple(out)


def class_scores(scenes: boxes.Scenes) -> tuple[ClassScore, ...]:
    """Score each class: the share found, precision and F1 at the threshold, and average precision."""
    out = []
    for kind, precision in enumerate(boxes.class_precision(scenes, seed=SEED)):
        true, found, wrong = scenes.tally_of(kind)
        n_true, n_found, n_said = int(true.sum()), int(found.sum()), int(found.sum() + wrong.sum())
        out.append(
            ClassScore(
                label=scenes.task.classes[kind],
                n_rows=int((true > 0).sum()),
                accuracy=boxes.share(found, true, seed=SEED),
                precision=n_found / n_said if n_said else 0.0,
                f1=2 * n_found / (n_true + n_said) if n_true + n_said else 0.0,
                n_boxes=n_true,
                ap=precision,
            )
        )
    return tuple(out)


def confusion_table(scenes: boxes.Scenes, faults: boxes.Faults) -> tuple[tuple[int, ...], ...]:
    """Count boxes by what is there (rows) and what is said (columns); the last of both is nothing.

    A box of another class that meets a true one which nothing right has met counts as taken for that class.
    """
    flat, nothing = scenes.flat, len(scenes.task.classes)
    counts = np.zeros((nothing + 1, nothing + 1), np.int64)
    right = flat.hits[0, 0] & flat.is_said
    counts[np.arange(nothing), np.arange(nothing)] = np.bincount(flat.said_class[right], minlength=nothing)
    open_ = faults.missed_by_all(flat)
    wrong = np.flatnonzero(flat.counted[0, 0] & ~flat.hits[0, 0] & flat.is_said)
    for box in wrong[np.argsort(-flat.said_score[wrong], kind="stable")].tolist():
        there = nothing
        if boxes.FAULTS[faults.kinds[box]] == "class" and open_[faults.about[box]]:
            there = int(flat.true_class[faults.about[box]])
            open_[faults.about[box]] = False
        counts[there, flat.said_class[box]] += 1
    counts[:nothing, nothing] = np.bincount(flat.true_class[open_], minlength=nothing)
    return tuple(tuple(int(n) for n in row) for row in counts)


def _curves(task: Task, truth: Array, answers: Answers) -> tuple[Curve, ...]:
    _, found, alarms, n_true = boxes.traced(task, truth, answers)
    if not len(found) or not n_true:
        return ()
    recall = np.r_[0, found] / n_true
    precision = found / (found + alarms)
    return (
        curve("precision_recall", *measure.thin(recall, np.r_[precision[0], precision])),
        curve("alarms_found", *measure.thin(np.r_[0, alarms] / len(truth), recall)),
    )
