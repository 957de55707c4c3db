"""Champion against challenger on the same rows, by the same metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from palio import measure
from palio.core.errors import InputError
from palio.core.progress import SILENT, Progress
from palio.core.records import Comparison, Metric, Part, Schema, Slice, Task
from palio.core.words import counted
from palio.evaluate.answers import Array, answer, known_rows
from palio.evaluate.scoring import SEED
from palio.evaluate.segmenting import Segment, segments
from palio.evaluate.slices import SPREAD_RESAMPLES, SPREAD_ROWS, can_rank, sampled_rows
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle


SURELY = 1.6449
"""Standard deviations that 95 % of a normal distribution lie above the negative of."""


def compare(champion: Bundle, challenger: Bundle, *, frame: pl.DataFrame, part: Part) -> Comparison:
    """Measure by how much the challenger is better than the champion on the same labelled rows.

    Both answer by the graph that serves; the challenger's task (metric, positive class) decides.

    Args:
        champion: The bundle that is live.
        challenger: The bundle that wants to be.
        frame: Rows with target and the features of both.
        part: Which part the rows are.

    Returns:
        Improvements, so that positive is better whatever the metric, by a paired bootstrap; the slices on which the
        challenger is worse beyond chance; and how many rows get another answer (for numbers: one that differs by more
        than a millionth).

    Raises:
        InputError: the two do not answer the same question (kind of task or set of classes differ).
        ContractError: the frame lacks a feature of one of them.
    """
    check_comparable(champion.manifest.task, challenger.manifest.task)
    task = challenger.manifest.task
    frame, truth = known_rows(frame, task)
    both = answer(champion, frame, task=task), answer(challenger, frame, task=task)
    bundles = champion, challenger
    return compare_answers(bundles, frame, truth, both, part=part, task=task)


def check_comparable(champion: Task, challenger: Task) -> None:
    """Refuse two models that do not answer the same question.

    Raises:
        InputError: their kinds of task or sets of classes differ.
    """
    if champion.kind != challenger.kind:
        raise InputError(
            f"champion does {champion.kind}, challenger {challenger.kind}: they cannot be compared",
            hint="start a new project for another question",
        )
    if set(champion.classes) != set(challenger.classes):
        new = ", ".join(sorted(set(challenger.classes) - set(champion.classes))) or "none"
        gone = ", ".join(sorted(set(champion.classes) - set(challenger.classes))) or "none"
        raise InputError(
            f"champion and challenger know other classes (new: {new}; gone: {gone}): they cannot be compared",
            hint="let a person approve the challenger, or train it on the champion's classes",
            facts={"champion": list(champion.classes), "challenger": list(challenger.classes)},
        )


def compare_answers(
    bundles: tuple[Bundle, Bundle],
    frame: pl.DataFrame,
    truth: Array,
    both: tuple[Answers, Answers],
    *,
    part: Part,
    task: Task,
    more: Sequence[Segment] = (),
    progress: Progress = SILENT,
) -> Comparison:
    """Compare answers that were already given (champion first); rows with a known answer only.

    `more`: slices of these rows beside those by their columns.
    """
    primary = measure.default_metric(task)
    found = measure.paired(task, truth, *both, seed=SEED)
    if primary not in found:
        raise InputError(f"`{primary}` is not defined on {counted(len(truth), 'row')} of {part}")
    difference, p_better = found.pop(primary)
    return Comparison(
        champion=bundles[0].id,
        challenger=bundles[1].id,
        part=part,
        n_rows=len(truth),
        metric=primary,
        difference=difference,
        p_better=p_better,
        differences={name: metric for name, (metric, _) in found.items()},
        slices=_worse(frame, truth, both, task=task, schema=bundles[1].manifest.schema, more=more, progress=progress),
        n_changed=int(measure.questions.of(task).differ(*both).sum()),
    )


def in_time(comparison: Comparison, truth: Array, both: tuple[Answers, Answers], *, task: Task) -> Comparison:
    """Say what the improvement surely is at least, on rows in the order of time.

    The bootstrap takes rows for independent. How far neighbours are from that is measured on the errors (wrong answers,
    or absolute errors): by as much as `measure.loss_gain` is wider than it would be for independent rows, the interval
    is widened.
    """
    a, b = (measure.questions.of(task).errors(truth, answers) for answers in both)
    independent = SURELY * float(np.std(a - b)) / float(np.sqrt(len(truth)))
    gain = measure.loss_gain(a, b, level=0.9)
    factor = max(1.0, (gain.high - gain.low) / 2 / independent) if independent > 0 else 1.0
    d = comparison.difference
    return msgspec.structs.replace(comparison, surely=d.value - (d.value - d.low) * SURELY / measure.Z95 * factor)


def _worse(
    frame: pl.DataFrame,
    truth: Array,
    both: tuple[Answers, Answers],
    *,
    task: Task,
    schema: Schema,
    more: Sequence[Segment],
    progress: Progress,
) -> tuple[Slice, ...]:
    """Find the slices on which the challenger is worse than the champion, beyond chance over all slices."""
    primary = measure.default_metric(task)
    rows = sampled_rows(frame.height)
    if rows is not None:
        frame, truth, both, more = frame[rows], truth[rows], (both[0].take(rows), both[1].take(rows)), ()
    found: list[Slice] = []
    p = []
    for segment in (*segments(frame, schema, progress=progress), *more):
        if not can_rank(truth[segment.rows], task):
            continue
        inside = both[0].take(segment.rows), both[1].take(segment.rows)
        here = truth[segment.rows]
        paired = measure.paired(
            task,
            here,
            *inside,
            seed=SEED,
            n_resamples=SPREAD_RESAMPLES,
            names=(primary,),
            max_rows=SPREAD_ROWS,
        )
        if primary not in paired:
            continue
        gain = paired[primary][0]
        p.append(measure.two_sided_p(gain.value, (gain.high - gain.low) / (2 * measure.Z95)))
        value = measure.score(task, here, inside[1], names=[primary])[primary]
        found.append(
            Slice(
                column=segment.column,
                condition=segment.condition,
                n_rows=gain.n_rows,
                metric=primary,
                score=Metric(value=value, low=value, high=value, n_rows=gain.n_rows),
                difference=gain,
                worse=gain.value < 0,
            )
        )
    alarms = measure.benjamini_hochberg(np.array(p))
    worse = [s for s, alarm in zip(found, alarms, strict=True) if alarm and s.worse]
    return tuple(sorted(worse, key=lambda s: s.difference.value))
