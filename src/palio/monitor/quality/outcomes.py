"""How good the answers of a window were, from the labels that came, and whether the labels can be trusted to say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from palio.core.cells.boxes import boxes_of
from palio.core.monitoring import Finding, Outcome, Window
from palio.core.records import Metric, Task
from palio.core.words import listed
from palio.measure import Answers, Question, figure, positive_index, questions, score_with_intervals, wilson
from palio.monitor.findings import finding
from palio.monitor.movement.distances import chi2_test, pooled, pooling, psi
from palio.monitor.quality.features import Array, Batch
from palio.monitor.quality.standards import Standard, judged_names, worse

LEAST_LABELS = 50
"""Labels below which no metric is given."""
LEAST_EACH = 30
"""Rows with and without label below which they are not compared."""
_SELECTIVE_PSI = 0.1
"""Below this two samples are taken as alike, by the custom of credit scoring (Siddiqi 2006)."""
_SURE = 0.001
_LEAST_STRANGE = 10
_LEAST_SHARE = 0.001
_SHOWN = 5
_N_BINS = 10
_MAX_ROWS = 20_000


def outcomes_of(
    task: Task, labelled: Batch, reference: Mapping[str, Standard], *, seed: int = 0
) -> tuple[Outcome, ...]:
    """Score the rows of a window whose label has come.

    Args:
        task: What was asked.
        labelled: `prediction`, `probability_<class>`, and `truth`, or `truth_number` where numbers are asked for. Rows
            without label and those with a class that the model does not know are passed over; see `judge_classes`.
        reference: Metric → standard (`standards_of`).
        seed: Equal seeds give equal intervals.

    Returns:
        Metrics with 95 % intervals; empty below 50 labels.
    """
    if "prediction" not in labelled:
        return ()
    question = questions.of(task)
    answers, truth = question.answers(labelled), question.truth_in(labelled)
    known = question.usable(answers) & question.known(truth)
    if known.sum() < LEAST_LABELS:
        return ()
    figures = score_with_intervals(
        task, truth[known], answers.take(known), seed=seed, n_resamples=200, max_rows=_MAX_ROWS
    )
    return tuple(
        Outcome(metric=name, value=value, reference=reference[name].value.value)
        for name, value in figures.items()
        if name in reference
    )


def standards_from(quality: Mapping[str, Metric]) -> dict[str, Standard]:
    """Take the metrics that a bundle tells of its reference as standards, where its rows are not at hand."""
    return {name: Standard(value=value) for name, value in quality.items()}


def judge_outcomes(
    window: Window, outcomes: Iterable[Outcome], standards: Mapping[str, Standard], task: Task, *, share: float = 1.0
) -> tuple[Finding, ...]:
    """Find the metrics that are surely and materially worse than on the reference, as labels tell."""
    figures = {one.metric: one.value for one in outcomes}
    return worse(window, "quality", figures, dict(standards), judged_names(task), words="was", share=share)


def label_delay_s(answered: Array, received: Array, now: np.datetime64, *, share: float = 0.9) -> float | None:
    """Say after how many seconds a share of the labels has come.

    Young rows can only show labels that came quickly. The estimator counts each label among those that had the time to
    come so late, so that young rows do not make labels look quick.

    Args:
        answered: When rows were answered whose label has come (datetime64).
        received: When their label was received.
        now: The present moment.
        share: In (0, 1).

    Returns:
        Seconds, or None if no label has come. Labels that take longer than the oldest row is old cannot be known of.

    Example:
        >>> answered = np.array(["2026-05-01", "2026-05-02"], "datetime64[us]")
        >>> label_delay_s(answered, answered + np.timedelta64(60, "s"), np.datetime64("2026-05-03"))
        60.0

    Source: Lagakos, Barraj & De Gruttola 1988, Biometrika 75(3) (right truncation).
    """
    start = np.asarray(answered).astype("datetime64[us]").astype(np.int64)
    delay = np.asarray(received).astype("datetime64[us]").astype(np.int64) - start
    age = now.astype("datetime64[us]").astype(np.int64) - start
    seen = (delay >= 0) & (delay <= age)
    if not seen.any():
        return None
    delay, age = np.sort(delay[seen]), np.sort(age[seen])
    values, counts = np.unique(delay, return_counts=True)
    at_risk = np.cumsum(counts) - np.searchsorted(age, values, side="left")
    # From the longest delay down: the share of labels that come before each delay, among those that could.
    lasting = np.where(at_risk > counts, 1 - counts / np.maximum(at_risk, 1), 1.0)
    first = len(values) - int(np.argmax((at_risk > counts)[::-1])) if (at_risk > counts).any() else len(values)
    cumulative = np.ones(len(values))
    cumulative[: first - 1] = np.cumprod(lasting[1:first][::-1])[::-1]
    place = int(np.argmax(cumulative >= share))
    return float(values[place]) / 1e6


def judge_labels(window: Window, answered: Batch, task: Task) -> tuple[Finding, ...]:
    """Find out whether rows with a label are unlike those without; then labels say little about all rows.

    Args:
        window: Of ripe labels: before, labels are missing because they are young.
        answered: `prediction`, `probability_<class>`, and `known`, whether the label has come.
        task: What was asked.
    """
    if "prediction" not in answered:
        return ()
    question = questions.of(task)
    answers = question.answers(answered)
    rows, known = question.usable(answers), np.asarray(answered["known"], bool)
    if min((rows & known).sum(), (rows & ~known).sum()) < LEAST_EACH:
        return ()
    places = _places(question, answers.take(rows))
    n_places = int(places.max()) + 1
    left, right = (np.bincount(places[known[rows] == which], minlength=n_places) for which in (True, False))
    group = pooling(left, right)
    left, right = pooled(left, group), pooled(right, group)
    (_, p_value), distance = chi2_test(left, right), float(psi(left, right))
    if p_value >= _SURE or distance < _SELECTIVE_PSI:
        return ()
    reason = (
        "Truths come for rows that are answered otherwise than those without one, so what they say does not hold for "
        f"all rows (PSI {figure(distance)})"
    )
    facts = {"effect": distance, "measure": "psi", "limit": _SELECTIVE_PSI, "p": p_value, "reason": reason}
    return (finding(window, "selective_labels", task.target, severity="warn", **facts),)


def one_sided(window: Window, classes: Iterable[Finding], task: Task, *, n_labels: int, n_rows: int) -> Finding | None:
    """Say that truths of a class never come back, where many rows have none: those are likely the rows of that class.

    A fraud is reported and an honest order is not. What such truths say of quality is wrong, however many there are.

    Args:
        window: Of labels that have had their time.
        classes: What `judge_classes` found.
        task: What was asked.
        n_labels: Rows with a label.
        n_rows: All rows.
    """
    gone = [one for one in classes if one.effect < 0]
    if not gone:
        return None
    names = listed([f"`{one.subject}`" for one in gone])
    was = -sum(one.effect for one in gone)
    reason = (
        f"Truths are {names} for none of the {n_labels:,} rows that have one, and were for {was:.1%} of the rows in"
        f" training; {n_rows - n_labels:,} of {n_rows:,} rows have none, so what came does not hold for all rows, and"
        " quality and value are not judged by it"
    )
    facts = {"effect": was, "measure": "share", "limit": _LEAST_SHARE, "p": gone[0].p, "reason": reason}
    return finding(window, "selective_labels", task.target, severity="warn", **facts)


def _places(question: Question, answers: Answers) -> Array:
    """Put rows into cells by their answer: tenths of the number or chance, or the class and how sure it was."""
    said, p = answers.prediction, answers.probabilities
    if p is None:
        return said if question.mistakes.ndim else _tenths(question.sizes(answers))
    if p.shape[1] == 2:
        return _tenths(p[:, positive_index(question.task)])
    sure = p[np.arange(len(said)), said]
    return np.asarray(2 * said + (sure > np.median(sure)), np.int64)


def _tenths(values: Array) -> Array:
    edges = np.unique(np.quantile(values, np.arange(1, _N_BINS) / _N_BINS))
    return np.searchsorted(edges, values, side="right")


def judge_classes(window: Window, labelled: Batch, task: Task, class_counts: Mapping[str, int]) -> tuple[Finding, ...]:
    """Find labels that the model does not know, and classes that no longer come.

    A strange label must come at least ten times and surely be more than one in a thousand: less is a slip of the pen. A
    class has vanished when so many labels without it had a chance below one in a thousand.

    Args:
        window: Of the labels.
        labelled: `truth`, as text.
        task: What was asked.
        class_counts: Class → rows of the reference.
    """
    question = questions.of(task)
    if "truth" not in labelled or not task.classes:
        return ()
    if question.described_as:
        return judge_things(window, labelled, task, class_counts)
    index = question.truth_in(labelled)
    n_labels = int(question.labelled(index).sum())
    return (*_strange(window, labelled, index, n_labels), *_vanished(window, index, n_labels, task, class_counts))


def judge_things(window: Window, labelled: Batch, task: Task, class_counts: Mapping[str, int]) -> tuple[Finding, ...]:
    """Do the same for boxes: each picture counts once for a class that it holds, and boxes for one that is gone."""
    held = [_labels_in(cell) for cell in np.asarray(labelled["truth"]).tolist()]
    known = [labels for labels in held if labels is not None]
    strange = [label for labels in known for label in set(labels) - set(task.classes)]
    there = {label for labels in known for label in labels}
    n_boxes = sum(map(len, known))
    return (
        *_told_strange(window, strange, len(known)),
        *_gone(window, there, n_boxes, task, class_counts),
    )


def _labels_in(cell: Any) -> list[str] | None:
    try:
        return [one.label for one in boxes_of(cell) if not one.ignored] if cell else None
    except ValueError:
        return None


def _strange(window: Window, labelled: Batch, index: Array, n_labels: int) -> list[Finding]:
    texts = [str(text) for text in np.asarray(labelled["truth"])[index == questions.UNKNOWN].tolist()]
    return _told_strange(window, texts, n_labels)


def _told_strange(window: Window, texts: Sequence[str], n_labels: int) -> list[Finding]:
    ranked = sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))
    out = []
    for text, count in ranked[:_SHOWN]:
        label = text[:80]
        if count < _LEAST_STRANGE or wilson(count, n_labels)[0] < _LEAST_SHARE:
            continue
        share = count / n_labels
        facts = {"effect": share, "measure": "share", "limit": _LEAST_SHARE, "n_rows": n_labels}
        reason = f"`{label}` is the label of {count:,} of {n_labels:,} rows, and the model does not know it"
        consequence = "Every such row is answered wrongly."
        out.append(finding(window, "classes", label, severity="warn", reason=reason, consequence=consequence, **facts))
    return out


def _vanished(
    window: Window, index: Array, n_labels: int, task: Task, class_counts: Mapping[str, int]
) -> list[Finding]:
    there = {label for place, label in enumerate(task.classes) if (index == place).any()}
    return _gone(window, there, n_labels, task, class_counts)


def _gone(
    window: Window, there: Collection[str], n_labels: int, task: Task, class_counts: Mapping[str, int]
) -> list[Finding]:
    total, out = sum(class_counts.values()), []
    for label in task.classes:
        before = class_counts.get(label, 0)
        if not before or label in there:
            continue
        chance = (1 - wilson(before, total)[0]) ** n_labels
        if chance >= _SURE / len(task.classes):
            continue
        facts = {"effect": -before / total, "measure": "share", "p": chance, "n_rows": n_labels}
        reason = f"`{label}` is the label of none of {n_labels:,} rows, and was that of {before / total:.1%}"
        out.append(finding(window, "classes", label, severity="warn", reason=reason, **facts))
    return out
