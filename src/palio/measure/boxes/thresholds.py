"""From which score on a box is shown and counted."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np

from palio.core.records import Task
from palio.measure import questions
from palio.measure.boxes.objects import Objects
from palio.measure.boxes.scenes import Scenes
from palio.measure.questions.answers import Answers
from palio.measure.sample import Array

N_PARTS = 5
"""Parts that pictures are cut into, so that each is judged by a threshold that others chose."""


def best_threshold(task: Task, truth: Array, answers: Answers, *, miss: float = 0.0, false_alarm: float = 0.0) -> float:
    """Find the score from which on boxes are best shown, on rows that were not learned from.

    Args:
        task: A detection.
        truth: Shape (n_pictures,), an `Objects` each.
        answers: All boxes down to a low score.
        miss: What a box that is not found costs …
        false_alarm: … and one where nothing is. Unless both are above 0, it is the best F1 among the scores from
            which on no more false alarms are shown than things found, for beyond these showing nothing makes fewer
            mistakes; among all where there is none such, or where the task's metric is `box_f1` itself. Where the
            metric is `box_mistakes`, the fewest of these.

    Returns:
        Midway between the last score that is shown and the next; 1 where showing nothing is cheapest.

    Raises:
        InputError: see `Question.sample`.

    Example:
        >>> task = Task(kind="detection", target="y", classes=("cat",))
        >>> truth = questions.of(task).truth(['[{"label": "cat", "box": [0, 0, 9, 9]}]'])
        >>> two = '[{"label":"cat","box":[0,0,9,9],"score":0.8},{"label":"cat","box":[50,0,90,9],"score":0.4}]'
        >>> round(best_threshold(task, truth, Answers(questions.of(task).truth([two]))), 3)
        0.6
    """
    scores, hits, alarms, n_true = traced(task, truth, answers)
    if not len(scores):
        return 1.0
    if miss > 0 and false_alarm > 0:
        worth = -(miss * (n_true - hits) + false_alarm * alarms)
        if worth.max() < -miss * n_true:
            return 1.0
    else:
        worth = _worth(task.metric, hits, alarms, n_true)
    best = int(np.flatnonzero(worth >= worth.max() - 1e-12)[0])
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + below) / 2)


def as_if_held_out(
    task: Task, truth: Array, answers: Answers, *, miss: float = 0.0, false_alarm: float = 0.0
) -> Answers:
    """Count the boxes of each picture from the score on that the other pictures would have chosen.

    What a threshold brings on the rows that chose it flatters: of twenty pictures by half a mistake each.

    Args:
        task: A detection.
        truth: Shape (n_pictures,), an `Objects` each.
        answers: All boxes down to a low score.
        miss: As in `best_threshold`.
        false_alarm: As there.

    Returns:
        The same boxes; those of one picture in `N_PARTS` share a threshold.

    Raises:
        InputError: see `Question.sample`.
    """
    part = np.arange(len(truth)) % N_PARTS
    if len(truth) < 2 * N_PARTS:
        return answers
    said = np.empty(len(truth), object)
    for one in range(N_PARTS):
        here, others = np.flatnonzero(part == one), np.flatnonzero(part != one)
        at = best_threshold(task, truth[others], answers.take(others), miss=miss, false_alarm=false_alarm)
        said[here] = at_threshold(answers.take(here), at).prediction
    return Answers(said)


def _worth(metric: str, hits: Array, alarms: Array, n_true: int) -> Array:
    """Return what showing boxes from each score on is worth where nobody said what mistakes cost."""
    if metric == "box_mistakes":
        return np.asarray(hits - alarms, np.float64)
    balance = 2 * hits / np.maximum(n_true + hits + alarms, 1)
    is_worth_it = (alarms <= hits) & (hits > 0)
    if metric == "box_f1" or not is_worth_it.any():
        return np.asarray(balance)
    return np.where(is_worth_it, balance, -1.0)


def traced(task: Task, truth: Array, answers: Answers) -> tuple[Array, Array, Array, int]:
    """Follow the threshold down.

    Returns:
        The scores that occur, falling; boxes found and false alarms from each on; and how many are to be found.
    """
    flat = scenes_of(task, truth, answers).flat
    counted = flat.counted[0, 0]
    order = np.argsort(-flat.said_score[counted], kind="stable")
    scores, hit = flat.said_score[counted][order], flat.hits[0, 0][counted][order]
    last = np.flatnonzero(np.r_[scores[1:] != scores[:-1], True]) if len(scores) else np.empty(0, np.int64)
    found = np.cumsum(hit)[last]
    return scores[last], found, last + 1 - found, int(flat.wanted[0].sum())


def scenes_of(task: Task, truth: Array, answers: Answers) -> Scenes:
    """Set answers to a detection against the truth; arguments and errors as of `Question.sample`."""
    return cast(Scenes, questions.of(task).sample(truth, answers))


def at_threshold(answers: Answers, threshold: float) -> Answers:
    """Count the same boxes from another score on."""
    said = np.empty(len(answers), object)
    for place, one in enumerate(answers.prediction):
        said[place] = dataclasses.replace(one, threshold=threshold) if isinstance(one, Objects) else one
    return Answers(said)
