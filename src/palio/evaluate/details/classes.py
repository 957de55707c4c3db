"""What an evaluation of classes shows below the headline: each class, what is taken for what, curves."""

from __future__ import annotations

from typing import Any

from palio import measure
from palio.core.records import ClassScore, Curve, Metric, Task
from palio.evaluate.answers import Array
from palio.evaluate.details.curves import curve
from palio.measure import Answers


def details_of(task: Task, truth: Array, answers: Answers) -> dict[str, Any]:
    """Return fields of an `Evaluation`: scores of the classes, confusions, and the curves of two classes."""
    return {
        "per_class": class_scores(task, truth, answers),
        "confusion": confusion_table(task, truth, answers),
        "curves": _curves(task, truth, answers),
    }


def confusion_table(task: Task, truth: Array, answers: Answers) -> tuple[tuple[int, ...], ...]:
    """Count rows by true class (rows) and answered class (columns)."""
    counts = measure.confusion(truth, answers.prediction, len(task.classes))
    return tuple(tuple(int(n) for n in row) for row in counts)


def class_scores(task: Task, truth: Array, answers: Answers) -> tuple[ClassScore, ...]:
    """Score each class: recall with Wilson's interval, precision, F1. A class without rows knows nothing: 0 to 1."""
    counts = measure.confusion(truth, answers.prediction, len(task.classes))
    actual, called, hits = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    out = []
    for i, label in enumerate(task.classes):
        n, hit = int(actual[i]), int(hits[i])
        low, high = measure.wilson(hit, n)
        out.append(
            ClassScore(
                label=label,
                n_rows=n,
                accuracy=Metric(value=hit / n if n else 0.0, low=low, high=high, n_rows=n),
                precision=hit / int(called[i]) if called[i] else 0.0,
                f1=2 * hit / int(actual[i] + called[i]) if actual[i] + called[i] else 0.0,
            )
        )
    return tuple(out)


def _curves(task: Task, truth: Array, answers: Answers) -> tuple[Curve, ...]:
    if answers.probabilities is None or len(task.classes) != 2:
        return ()
    positive = measure.positive_index(task)
    outcome, forecast = truth == positive, answers.probabilities[:, positive]
    if outcome.all() or not outcome.any():
        return ()
    drawn = {"roc": measure.roc_curve(outcome, forecast), "precision_recall": measure.pr_curve(outcome, forecast)}
    return tuple(curve(name, x, y) for name, (x, y) in drawn.items())
