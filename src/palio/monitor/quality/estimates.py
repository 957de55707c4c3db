"""Estimate how good the answers of a window are before their truth comes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from palio.core.errors import InputError
from palio.core.monitoring import Estimate, Finding, Outcome, Window
from palio.core.records import Metric, Task
from palio.core.seeds import derive
from palio.measure import questions
from palio.monitor.findings import finding
from palio.monitor.quality.beliefs import folds_of
from palio.monitor.quality.classes import OfClasses
from palio.monitor.quality.craft import Craft, Lesson
from palio.monitor.quality.features import Array, Batch, Features
from palio.monitor.quality.kept import Kept
from palio.monitor.quality.numbers import OfNumbers
from palio.monitor.quality.slices import Slices
from palio.monitor.quality.standards import Standard, error_of, judged_names, margin_of, standards_of, worse
from palio.monitor.quality.weighting import MAX_ROWS, Overlap, density_ratio, overlap, weighted_metrics

LEAST_REFERENCE = 200
"""Rows of the reference below which nothing is estimated."""


_MOVED = 0.05
"""Share of its rows that a column must have moved before rows of the reference are weighted: below, little changes."""
_CRAFTS: dict[str, type[Craft]] = {"classification": OfClasses, "regression": OfNumbers}


class Estimator:
    """Estimate the metrics of a window without labels.

    Learns once from the reference; `fresh` gives empty estimators that share what was learnt, one per window and
    segment. Memory does not grow with the rows added.

    Args:
        reference_rows: Rows that the model had not seen: `input.<column>`, `prediction`, `probability_<class>`,
            `truth`, and `block` where runs of them are runs of time.
        task: What was asked. Its metric is estimated, too, if it is one that only weighting can tell.
        columns: Only these inputs, such as those that the log keeps; None takes all.
        names: More metrics, which weighting is to tell.
        seed: Equal seeds give equal estimates.

    Raises:
        InputError: a column is missing, or the task is detection.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.random(2000)
        >>> rows = {"prediction": np.where(p > 0.5, "yes", "no"), "probability_yes": p, "probability_no": 1 - p}
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> estimator = Estimator({**rows, "truth": np.where(rng.random(2000) < p, "yes", "no")}, task).fresh()
        >>> estimator.add(rows)
        >>> [round(one.value.value, 1) for one in estimator.finish() if one.metric == "accuracy"]
        [0.8]
    """

    def __init__(
        self,
        reference_rows: Batch,
        task: Task,
        *,
        columns: Iterable[str] | None = None,
        names: Iterable[str] = (),
        seed: int = 0,
    ) -> None:
        _check(task, reference_rows)
        self.task, self._seed = task, seed
        self.standards: dict[str, Standard] = standards_of(task, reference_rows, seed=seed)
        """Metrics of the reference."""
        self._features = Features(reference_rows, columns)
        self._more = _only_weighted(task, names)
        self._n_fresh = [0]
        self._learn(reference_rows)
        self._empty()

    def _learn(self, rows: Batch) -> None:
        import sklearn.ensemble  # noqa: F401  (only libraries that are loaded can be told)
        from threadpoolctl import ThreadpoolController

        self._threads = ThreadpoolController()
        with self._threads.limit(limits=1):  # small models: more threads cost more than they save
            self._learn_alone(rows)

    def _learn_alone(self, rows: Batch) -> None:
        question = questions.of(self.task)
        answers, truth = question.answers(rows), question.truth_in(rows)
        known = question.usable(answers) & question.known(truth)
        self._craft: Craft | None = None
        self._has_probabilities = answers.probabilities is not None
        if known.sum() < LEAST_REFERENCE:
            return
        features, truth, answers = self._features.of(rows)[0][known], truth[known], answers.take(known)
        blocks = np.asarray(rows["block"])[known] if "block" in rows else None
        folds = folds_of(len(truth), blocks, self._seed)
        self._craft = _CRAFTS[self.task.kind](
            self.task, Lesson(answers, features, self._features.is_category, truth, folds, self._seed)
        )
        columns = np.column_stack([features, self._craft.scores(self.task, answers)])
        self._is_category = self._features.is_category + [False] * (columns.shape[1] - features.shape[1])
        self._slices, self._known = Slices(columns, self._is_category), columns[self._craft.known]
        few = np.random.default_rng(derive(self._seed, "few")).permutation(len(truth))[:MAX_ROWS]
        self._few, self._few_truth, self._few_features = answers.take(few), truth[few], features[few]

    def _empty(self) -> None:
        if self._craft is not None:
            self._craft = self._craft.fresh()
        self._n_fresh[0] += 1
        self._kept = Kept(MAX_ROWS, np.random.default_rng(derive(self._seed, "kept", self._n_fresh[0])))

    def fresh(self) -> Estimator:
        """Return an empty estimator that shares what was learnt."""
        other = copy.copy(self)
        other._empty()
        return other

    def add(self, batch: Batch) -> None:
        """Count answered rows, as the log gives them. Rows without an answer that the task knows are passed over.

        Rows without their inputs are estimated by the answer alone.
        """
        if self._craft is None:
            return
        question = questions.of(self.task)
        answers = question.answers(batch)
        if self._has_probabilities and answers.probabilities is None:
            return
        rows = question.usable(answers)
        features, complete = (values[rows] for values in self._features.of(batch))
        answers = answers.take(rows)
        if not len(answers):
            return
        with self._threads.limit(limits=1):
            columns = self._craft.add(answers, features, complete)
        columns |= {"prediction": answers.prediction, "features": features}
        self._kept.add(columns | {"scores": self._craft.scores(self.task, answers)})

    def merge(self, other: Estimator) -> None:
        """Add what another estimator counted; both must come from the same one by `fresh`."""
        if self._craft is not None and other._craft is not None:
            self._craft.merge(other._craft)
        self._kept.merge(other._kept)

    @property
    def n_rows(self) -> int:
        """Rows counted."""
        return 0 if self._craft is None else self._craft.n_rows

    def finish(self) -> tuple[Estimate, ...]:
        """Return what the metrics of the counted rows probably are; empty if nothing can be said.

        The intervals hold the real figure of these rows with 95 %, as long as the concept has not changed.
        """
        if self._craft is None or not self.n_rows:
            return ()
        seen = self._overlap()
        outside = max(seen.unknown, self._slices.outside(self._now()))
        metrics = self._craft.metrics(self._kept.columns, seen)
        found = (metrics, self._craft.method), (self._weighted(self._craft), "weighted")
        return tuple(
            Estimate(
                metric=name,
                value=value,
                reference=self.standards[name].value.value,
                method=how,  # type: ignore[arg-type]
                outside=outside,
            )
            for some, how in found
            for name, value in some.items()
            if name in self.standards
        )

    def _now(self) -> Array:
        """Return what some of the counted rows hold, in the columns of the slices."""
        return np.column_stack([self._kept.columns["features"], self._kept.columns["scores"]])

    def _overlap(self) -> Overlap:
        """Say what rows of the reference tell about the counted ones; where nothing has moved, all tell the same."""
        now = self._now()
        if self._slices.moved(now) < _MOVED:
            return Overlap.whole(len(self._known))
        with self._threads.limit(limits=1):
            return overlap(self._known, now, self._is_category, seed=self._seed)

    def _weighted(self, craft: Craft) -> dict[str, Metric]:
        if not self._more or len(self._kept) < LEAST_REFERENCE:
            return {}
        now, few = self._kept.columns, craft.scores(self.task, self._few)
        before = np.column_stack([self._few_features, few])
        after = np.column_stack([now["features"], now["scores"]])
        categories = self._features.is_category + [False] * few.shape[1]
        with self._threads.limit(limits=1):
            ratio = density_ratio(before, after, categories, seed=self._seed)
        return weighted_metrics(
            self.task, self._few_truth, self._few, ratio, self._more, n_rows=self.n_rows, seed=self._seed
        )

    def total(self, values: Array) -> Metric | None:
        """Estimate a sum over the counted rows.

        Args:
            values: Shape (n_classes, n_classes): worth of a row by truth (rows) and answer (columns); of numbers shape
                (): worth of one unit of absolute error.

        Returns:
            The sum with its 95 % interval, or None if nothing can be said.
        """
        if self._craft is None or not self.n_rows:
            return None
        return self._craft.total(values, self._kept.columns, self._overlap())


def judge_estimates(
    window: Window, estimates: Iterable[Estimate], standards: dict[str, Standard], task: Task, *, share: float = 1.0
) -> tuple[Finding, ...]:
    """Find the metrics that are surely and materially worse than on the reference, as estimated without labels."""
    figures = {one.metric: one.value for one in estimates}
    return worse(window, "estimated_quality", figures, standards, judged_names(task), words="is probably", share=share)


def with_errors(
    estimates: Iterable[Estimate], earlier: Iterable[tuple[Sequence[Estimate], Sequence[Outcome]]]
) -> tuple[Estimate, ...]:
    """Tell with each estimate how far earlier ones were off, on average.

    Args:
        estimates: Of the newest window.
        earlier: Estimates and real figures of earlier windows whose labels have come.
    """
    off: dict[str, list[float]] = {}
    for estimated, real in earlier:
        figures = {one.metric: one.value.value for one in real}
        for one in estimated:
            if one.metric in figures:
                off.setdefault(one.metric, []).append(abs(one.value.value - figures[one.metric]))
    return tuple(
        msgspec.structs.replace(one, error=float(np.mean(off[one.metric])) if one.metric in off else None)
        for one in estimates
    )


def judge_errors(
    window: Window, estimates: Iterable[Estimate], outcomes: Iterable[Outcome], task: Task
) -> tuple[Finding, ...]:
    """Find estimates that were off against the real figure by more than their errors explain, and by the margin.

    That is a sign that the concept has changed: equal rows have other truths than before.
    """
    real, out = {one.metric: one.value for one in outcomes}, []
    names = judged_names(task)
    for one in estimates:
        if one.metric not in real or one.metric not in names:
            continue
        was = real[one.metric]
        off, error = one.value.value - was.value, float(np.hypot(error_of(one.value), error_of(was)))
        margin = margin_of(one.metric, one.reference)
        if abs(off) > margin + 2.6 * error:
            reason = f"{one.metric} was estimated as {one.value.value:.4g}, and was {was.value:.4g}"
            out.append(
                finding(
                    window, "estimate_off", one.metric, severity="warn", effect=off, measure=one.metric, limit=margin,
                    reason=reason, consequence="estimates of the next windows are probably off, too",
                )
            )  # fmt: skip
    return tuple(out)


def can_estimate(task: Task) -> bool:
    """Tell whether the quality of answers can be estimated without labels; that of boxes cannot.

    A score tells how likely a box is right; nothing tells of things that got no box.
    """
    return task.kind in _CRAFTS


def _check(task: Task, rows: Batch) -> None:
    if task.kind not in _CRAFTS:
        raise InputError(f"the quality of a {task.kind} cannot be estimated without labels", hint="send feedback")
    for name in ("prediction", "truth"):
        if name not in rows:
            raise InputError(f"the rows of the reference have no column `{name}`", hint="train the model anew")


def _only_weighted(task: Task, names: Iterable[str]) -> tuple[str, ...]:
    wanted = [*names, *([] if task.metric == "auto" else [task.metric])]
    never = _CRAFTS[task.kind].told | {"calibration_error"}
    return tuple(dict.fromkeys(name for name in wanted if name not in never))
