"""Score a bundle on a part: metrics with intervals, and everything that shows where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from palio import measure
from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.progress import SILENT, Progress
from palio.core.records import Evaluation, Metric, Part, Task
from palio.core.seeds import derive
from palio.core.words import counted
from palio.evaluate.answers import Array, answer, known_rows
from palio.evaluate.details import details_of, worst_rows
from palio.evaluate.segmenting import Segment
from palio.evaluate.slices import find_slices
from palio.measure import Answers, Question

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
    more: Sequence[Segment] = (),
    progress: Progress = SILENT,
) -> Evaluation:
    """Score answers that were already given, to rows with a known answer; arguments as in `score` and `find_slices`."""
    primary = measure.default_metric(task)
    question = measure.questions.of(task)
    metrics = measure.score_with_intervals(task, truth, answers, seed=SEED)
    if primary not in metrics:
        raise InputError(
            f"`{primary}` is not defined on {counted(len(truth), 'row')} of {part}: {question.lacking}",
            hint="bring more rows, or choose another metric in palio.toml [train]",
        )
    schema = bundle.manifest.schema
    slices = find_slices(
        frame,
        truth,
        answers,
        task=task,
        schema=schema,
        primary=primary,
        whole=metrics[primary],
        more=more,
        progress=progress,
    )
    simplest = question.always(baseline, len(truth)) if baseline else None
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
        gains=_gains(question, truth, simplest, answers, primary=primary),
        calibration=measure.calibration_bins(task, truth, answers),
        slices=slices,
        worst=worst_rows(frame, truth, answers, task=task, schema=schema),
        **details_of(task, truth, answers),
    )
    return named(evaluation)


def named(evaluation: Evaluation, **found: Any) -> Evaluation:
    """Add what was found beside the rows, and give the evaluation its identity: the SHA-256 of all else it holds."""
    whole = msgspec.structs.replace(evaluation, id="", **found)
    return msgspec.structs.replace(whole, id=digest_of(whole))


def _baseline(task: Task, truth: Array, dummy: Answers | None) -> dict[str, Metric]:
    """Score the dummy."""
    if dummy is None:
        return {}
    return measure.score_with_intervals(task, truth, dummy, seed=SEED, n_resamples=200)


def _gains(
    question: Question, truth: Array, dummy: Answers | None, answers: Answers, *, primary: str
) -> dict[str, Metric]:
    """Measure by how much the answers are better than the dummy's to the same rows."""
    if dummy is None:
        return {}
    names = tuple(dict.fromkeys((primary, question.error_metric)))
    found = measure.paired(question.task, truth, dummy, answers, seed=SEED, names=names)
    return {name: gain for name, (gain, _) in found.items()}
