"""Which columns matter: shuffle one at a time and see what is lost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palio import measure, model
from palio.core.progress import SILENT, Progress
from palio.core.records import Importance, Metric, Reach, Task
from palio.core.seeds import derive
from palio.evaluate.answers import Array, answers_of, known_rows
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

MAX_ROWS, MAX_ROWS_OF_NETWORKS = 2_000, 500
"""Rows that are shuffled; of a network, which takes milliseconds for a row, fewer."""
MIN_ROWS = 200
MAX_ANSWERS = 400_000
"""Answers asked for at most (rows × shuffles): some ten seconds of a large forest."""
MAX_MEASURED = 100
"""Columns that are measured closely; of more, these are chosen by a first look at one shuffle each."""
FIRST_LOOK_SHARE = 0.5
"""Share of the time left that the first look may take."""
N_REPEATS = 3
N_PASSES = 1 + N_REPEATS
"""Times that each row is answered where one column is all there is."""
N_RESAMPLES = 200


def permutation_importance(
    bundle: Bundle,
    frame: pl.DataFrame,
    *,
    seed: int = 0,
    task: Task | None = None,
    deadline: float | None = None,
    progress: Progress = SILENT,
) -> tuple[tuple[Importance, ...], Reach]:
    """Measure how much the primary metric loses when the cells of a column are shuffled.

    Works on at most 2,000 rows (500 of a network), through the bundle's own graph, which is taken apart so that a
    shuffle costs what the features of one column cost. Columns that say the same share their importance: each seems to
    matter little while the other one stays. Of more than 100 columns that the model reads, each is shuffled once, and
    the 100 that lose most are measured closely.

    Args:
        bundle: The model.
        frame: Labelled rows that were not trained on, so that memorised noise does not count.
        seed: Of the choice of rows and the shuffles.
        task: Whose metric; the bundle's own if None.
        deadline: Moment on `time.monotonic` after which no further column is shuffled; one is not begun if the rows as
            they are took so long that it would be over long before its end.
        progress: Told how many columns are done.

    Returns:
        One entry for each column measured, largest loss first; positive: the metric gets worse. The interval covers
        the chance of rows and of shuffles. A column that the model does not read has no loss. Empty if the metric is
        not defined on these rows. And how far it went: equal arguments give equal results, unless it was stopped by
        time.

    Raises:
        InputError: no row has a known answer.

    Source: Breiman 2001, Machine Learning 45(1); model-agnostic form: Fisher et al. 2019, JMLR 20(177).
    """
    task = task or bundle.manifest.task
    names = [column.name for column in bundle.manifest.schema.features]
    if bundle.manifest.schema.modality == "image":  # what matters in a picture is no question of columns
        return (), Reach(n_read=len(names), n_seen=0, n_measured=0)
    stages = bundle.stages()
    read = [name for name in names if stages is None or model.input_name(name) in stages.read]
    n_shuffles = N_REPEATS * min(len(read), MAX_MEASURED) + (len(read) if len(read) > MAX_MEASURED else 0)
    most = MAX_ROWS if bundle.graph.precision == "float64" else MAX_ROWS_OF_NETWORKS
    frame, truth = _chosen(*known_rows(frame, task), n_shuffles=n_shuffles, seed=seed, most=most)
    feeds = bundle.feeds(frame)
    started = time.monotonic()
    before = answers_of(bundle, bundle.graph.predict(feeds), task=task)
    took = time.monotonic() - started if stages is None else 0.0
    value = _score(task, truth, before)
    if value is None:
        return (), Reach(n_read=len(read), n_seen=0, n_measured=0)
    trial = _Trial(task, truth, before, value, _shuffles(bundle, stages, feeds, task), seed)
    chosen, n_seen = _promising(trial, read, deadline=deadline, progress=progress)
    found: list[Importance] = []
    for name in chosen:
        if _is_over(deadline, ahead_s=N_REPEATS * took):
            break
        progress.step("importance", len(found), len(chosen))
        found.append(trial.measured(name))
    progress.step("importance", len(chosen), len(chosen))
    is_cut = n_seen < len(read) or len(found) < len(chosen)
    reach = Reach(n_read=len(read), n_seen=n_seen, n_measured=len(found), stopped_by="time" if is_cut else "plan")
    unread = sorted(set(names).difference(read))
    none = Metric(value=0.0, low=0.0, high=0.0, n_rows=len(truth))
    found += [Importance(column=name, loss=none) for name in unread]
    return tuple(sorted(found, key=lambda i: (-i.loss.value, i.column))), reach


@dataclass(frozen=True)
class _Trial:
    """What the shuffles of all columns have in common."""

    task: Task
    truth: Array
    before: Answers
    value: float
    """The metric before any shuffle."""
    shuffled: Callable[[str, Array], Answers]
    """Column and order of the rows → answers when its cells are put in that order."""
    seed: int

    def loss(self, name: str, repeat: int = 0) -> tuple[float, Answers]:
        """Shuffle a column; return what the metric loses, and the answers."""
        order = np.random.default_rng(derive(self.seed, "shuffle", name, repeat)).permutation(len(self.truth))
        after = self.shuffled(name, order)
        sign = 1 if measure.higher_is_better(measure.default_metric(self.task)) else -1
        return sign * (self.value - (_score(self.task, self.truth, after) or 0.0)), after

    def measured(self, name: str) -> Importance:
        """Shuffle a column three times, and bound what is lost."""
        metric = measure.default_metric(self.task)
        losses, error = [], 0.0
        for repeat in range(N_REPEATS):
            loss, after = self.loss(name, repeat)
            losses.append(loss)
            if repeat == 0:
                gain, _ = measure.paired(
                    self.task,
                    self.truth,
                    after,
                    self.before,
                    seed=self.seed,
                    n_resamples=N_RESAMPLES,
                    names=(metric,),
                )[metric]
                error = (gain.high - gain.low) / (2 * measure.Z95)
        return Importance(column=name, loss=_summary(losses, error, len(self.truth)))


def _score(task: Task, truth: Array, answers: Answers) -> float | None:
    metric = measure.default_metric(task)
    return measure.score(task, truth, answers, names=[metric]).get(metric)


def _promising(
    trial: _Trial, names: Sequence[str], *, deadline: float | None, progress: Progress
) -> tuple[list[str], int]:
    """Return the columns to measure closely, the most promising first, and how many were shuffled to find them."""
    if len(names) <= MAX_MEASURED:
        return list(names), len(names)
    now = time.monotonic()
    until = None if deadline is None else now + FIRST_LOOK_SHARE * (deadline - now)
    losses: dict[str, float] = {}
    for name in names:
        if _is_over(until):
            break
        progress.step("columns", len(losses), len(names))
        losses[name] = trial.loss(name)[0]
    progress.step("columns", len(names), len(names))
    return sorted(losses, key=lambda name: (-losses[name], name))[:MAX_MEASURED], len(losses)


def _shuffles(
    bundle: Bundle, stages: model.Stages | None, feeds: dict[str, Array], task: Task
) -> Callable[[str, Array], Answers]:
    """Return what answers when one column is in another order: from its features alone, where that can be."""
    if stages is None:

        def whole(name: str, order: Array) -> Answers:
            tensor = model.input_name(name)
            return answers_of(bundle, bundle.graph.predict({**feeds, tensor: feeds[tensor][order]}), task=task)

        return whole
    features = stages.features(feeds)
    places: dict[str, list[int]] = {}
    for place, tensor in enumerate(stages.column_of):
        places.setdefault(tensor, []).append(place)

    def headed(name: str, order: Array) -> Answers:
        mine = places.get(model.input_name(name), [])
        kept = features[:, mine]
        features[:, mine] = kept[order]
        try:
            return answers_of(bundle, stages.answer(features), task=task)
        finally:
            features[:, mine] = kept

    return headed


def _is_over(deadline: float | None, *, ahead_s: float = 0.0) -> bool:
    return deadline is not None and time.monotonic() + ahead_s >= deadline


def _chosen(frame: pl.DataFrame, truth: Array, *, n_shuffles: int, seed: int, most: int) -> tuple[pl.DataFrame, Array]:
    n_rows = min(most, max(MIN_ROWS, MAX_ANSWERS // max(1, n_shuffles)))
    if frame.height <= n_rows:
        return frame, truth
    rows = np.sort(np.random.default_rng(derive(seed, "rows")).choice(frame.height, n_rows, replace=False))
    return frame[rows], truth[rows]


def _summary(losses: list[float], row_error: float, n_rows: int) -> Metric:
    mean = float(np.mean(losses))
    half = measure.Z95 * math.sqrt(row_error**2 + float(np.var(losses, ddof=1)) / len(losses))
    return Metric(value=mean, low=mean - half, high=mean + half, n_rows=n_rows)
