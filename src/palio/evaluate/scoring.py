"""Score a bundle on a part: metrics with intervals, and everything that shows where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio import measure
from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.progress import SILENT, Progress
from palio.core.records import Curve, Evaluation, Metric, Part, Task
from palio.core.seeds import derive
from palio.core.words import counted
from palio.evaluate import details
from palio.evaluate.answers import Answers, Array, answer, known_rows
from palio.evaluate.slices import find_slices

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

SEED = derive(0, "evaluate")
"""Fixed, so that the same bundle on the same rows has the same evaluation, digit for digit."""


def score(
    bundle: Bundle,
    frame: pl.DataFrame,
    *,
    part: Part,
    snapshot: str = "",
    parts: str = "",
    baseline: Sequence[float] = (),
    task: Task | None = None,
) -> Evaluation:
    """Score a bundle on labelled rows; rows without a known answer are left out.

    Deterministic: equal bundle and rows give an equal evaluation, so also an equal `id`.

    Args:
        bundle: The model, by the graph that serves.
        frame: Rows with features and target, in the types of a snapshot.
        part: Which part the rows are.
        snapshot: Identity of the data.
        parts: Identity of the cut.
        baseline: What the simplest guess knows from the training part: the share of each class in the order of the
            task, or the mean (for mae the median) alone. Empty: no baseline.
        task: What is asked; the bundle's own if None. A champion is given its challenger's, so that both are judged by
            the same metric.

    Raises:
        InputError: no row has a known answer, the primary metric is not defined on them (ROC AUC on one class), or the
            baseline does not fit the task.
        ContractError: the frame lacks a feature of the bundle.
    """
    task = task or bundle.manifest.task
    frame, truth = known_rows(frame, task)
    answers = answer(bundle, frame, task=task)
    return judge(bundle, frame, truth, answers, part=part, ids=(snapshot, parts), baseline=baseline, task=task)


def judge(
    bundle: Bundle,
    frame: pl.DataFrame,
    truth: Array,
    answers: Answers,
    *,
    part: Part,
    ids: tuple[str, str],
    baseline: Sequence[float],
    task: Task,
    progress: Progress = SILENT,
) -> Evaluation:
    """Score answers that were already given; arguments as in `score`, rows with a known answer only."""
    primary = measure.default_metric(task)
    metrics = measure.score_with_intervals(task, truth, answers.prediction, answers.probabilities, seed=SEED)
    if primary not in metrics:
        raise InputError(
            f"`{primary}` is not defined on {counted(len(truth), 'row')} of {part}: "
            + ("too few classes among them" if task.kind == "classification" else "their values do not allow it"),
            hint="bring more rows, or choose another metric in palio.toml [train]",
        )
    schema = bundle.manifest.schema
    slices = find_slices(
        frame, truth, answers, task=task, schema=schema, primary=primary, whole=metrics[primary], progress=progress
    )
    is_classification = task.kind == "classification"
    p = answers.probabilities
    simplest = _simplest(task, len(truth), baseline)
    evaluation = Evaluation(
        id="",
        bundle=bundle.id,
        snapshot=ids[0],
        parts=ids[1],
        part=part,
        task=task,
        primary=primary,
        n_rows=len(truth),
        metrics=metrics,
        baseline=_baseline(task, truth, simplest),
        gains=_gains(task, truth, simplest, answers, primary=primary),
        per_class=details.class_scores(task, truth, answers) if is_classification else (),
        confusion=details.confusion_table(task, truth, answers) if is_classification else (),
        calibration=measure.calibration_bins(task, truth, p) if p is not None else (),
        curves=_curves(task, truth, answers),
        slices=slices,
        worst=details.worst_rows(frame, truth, answers, task=task, schema=schema),
    )
    return named(evaluation)


def named(evaluation: Evaluation, **found: Any) -> Evaluation:
    """Add what was found beside the rows, and give the evaluation its identity: the SHA-256 of all else it holds."""
    whole = msgspec.structs.replace(evaluation, id="", **found)
    return msgspec.structs.replace(whole, id=digest_of(whole))


def _simplest(task: Task, n_rows: int, known: Sequence[float]) -> Answers | None:
    """Answer as the dummy does: always the most common class of the training part, or its mean."""
    if not known:
        return None
    if len(known) != max(len(task.classes), 1) or not np.isfinite(known).all():
        raise InputError(f"baseline: {len(known)} numbers, expected one per class, or the mean")
    if task.kind == "regression":
        return Answers(np.full(n_rows, known[0]))
    shares = np.asarray(known, dtype=np.float64) / np.sum(known)
    return Answers(np.full(n_rows, int(shares.argmax())), np.tile(shares, (n_rows, 1)))


def _baseline(task: Task, truth: Array, dummy: Answers | None) -> dict[str, Metric]:
    """Score the dummy."""
    if dummy is None:
        return {}
    return measure.score_with_intervals(task, truth, dummy.prediction, dummy.probabilities, seed=SEED, n_resamples=200)


def _gains(task: Task, truth: Array, dummy: Answers | None, answers: Answers, *, primary: str) -> dict[str, Metric]:
    """Measure by how much the answers are better than the dummy's to the same rows."""
    if dummy is None:
        return {}
    names = tuple(dict.fromkeys((primary, "mae" if task.kind == "regression" else "accuracy")))
    return {
        name: gain for name, (gain, _) in measure.paired(task, truth, dummy, answers, seed=SEED, names=names).items()
    }


def _curves(task: Task, truth: Array, answers: Answers) -> tuple[Curve, ...]:
    if task.kind == "regression":
        return details.regression_curves(truth, answers.prediction)
    if answers.probabilities is None or len(task.classes) != 2:
        return ()
    positive = measure.positive_index(task)
    outcome, forecast = truth == positive, answers.probabilities[:, positive]
    if outcome.all() or not outcome.any():
        return ()
    drawn = {"roc": measure.roc_curve(outcome, forecast), "precision_recall": measure.pr_curve(outcome, forecast)}
    return tuple(details.curve(name, x, y) for name, (x, y) in drawn.items())
