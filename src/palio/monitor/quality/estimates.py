"""Estimate how good the answers of a window are before their truth comes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import numpy as np

from palio.core.errors import InputError
from palio.core.monitoring import Estimate, Finding, Outcome, Window
from palio.core.records import Metric, Task
from palio.core.seeds import derive
from palio.measure import METRICS
from palio.monitor.findings import finding
from palio.monitor.quality import cbpe
from palio.monitor.quality.answers import Answers, Array, Batch, Features, answers_of, truths_of, usable
from palio.monitor.quality.beliefs import N_FOLDS, Beliefs, folds_of
from palio.monitor.quality.dle import Losses, LossSums
from palio.monitor.quality.intervals import interval, label_variance
from palio.monitor.quality.kept import Kept
from palio.monitor.quality.standards import Standard, error_of, judged_names, margin_of, standards_of, worse
from palio.monitor.quality.weighting import MAX_ROWS, density_ratio, weighted_metrics

LEAST_REFERENCE = 200
"""Rows of the reference below which nothing is estimated."""


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
        self.class_counts: dict[str, int] = _class_counts(task, reference_rows)
        """Class → rows of the reference."""
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
        answers, truth = answers_of(self.task, rows), truths_of(self.task, rows)
        known = usable(self.task, answers) & (np.isfinite(truth) if self._is_number else truth >= 0)
        self._beliefs: Beliefs | None = None
        self._losses: Losses | None = None
        self._has_probabilities = answers.probabilities is not None
        if known.sum() < LEAST_REFERENCE:
            return
        features, truth = self._features.of(rows)[0][known], truth[known]
        said, scores = answers.prediction[known], _scores(self.task, answers)[known]
        blocks = np.asarray(rows["block"])[known] if "block" in rows else None
        folds = folds_of(len(truth), blocks, self._seed)
        if self._is_number:
            self._losses = Losses(said, features, self._features.is_category, truth, folds, seed=self._seed)
        else:
            learnt = Beliefs(scores, features, self._features.is_category, truth, folds, seed=self._seed)
            self._beliefs, self._sums = learnt, cbpe.Sums(self.task, scores, N_FOLDS)
        few = np.random.default_rng(derive(self._seed, "few")).permutation(len(truth))[:MAX_ROWS]
        self._few = {"truth": truth[few], "prediction": said[few], "scores": scores[few], "features": features[few]}

    @property
    def _is_number(self) -> bool:
        return self.task.kind == "regression"

    def _empty(self) -> None:
        if self._beliefs is not None:
            self._sums = self._sums.fresh()
        self._loss_sums = LossSums()
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
        if self._beliefs is None and self._losses is None:
            return
        answers = answers_of(self.task, batch)
        if self._has_probabilities and answers.probabilities is None:
            return
        rows = usable(self.task, answers)
        features, complete = (values[rows] for values in self._features.of(batch))
        said, scores = answers.prediction[rows], _scores(self.task, answers)[rows]
        if not len(said):
            return
        with self._threads.limit(limits=1):
            self._count(said, scores, features, complete)

    def _count(self, said: Array, scores: Array, features: Array, complete: Array) -> None:
        columns = {"prediction": said, "features": features, "scores": scores}
        if self._losses is not None:
            self._loss_sums.add(self._losses.of(said, features, complete), self._losses.tail)
        elif self._beliefs is not None:
            chances = self._beliefs.of(scores, features, complete)
            self._sums.add(scores, said, chances)
            columns["chances"] = chances.mean(0)
        self._kept.add(columns)

    def merge(self, other: Estimator) -> None:
        """Add what another estimator counted; both must come from the same one by `fresh`."""
        if self._beliefs is not None:
            self._sums.merge(other._sums)
        self._loss_sums.merge(other._loss_sums)
        self._kept.merge(other._kept)

    @property
    def n_rows(self) -> int:
        """Rows counted."""
        return self._sums.n_rows if self._beliefs is not None else self._loss_sums.n_rows

    def finish(self) -> tuple[Estimate, ...]:
        """Return what the metrics of the counted rows probably are; empty if nothing can be said.

        The intervals hold the real figure of these rows with 95 %, as long as the concept has not changed.
        """
        if not self.n_rows:
            return ()
        figures = self._of_numbers() if self._is_number else self._of_classes()
        method = "dle" if self._is_number else "cbpe"
        return tuple(
            Estimate(metric=name, value=value, reference=self.standards[name].value.value, method=how)  # type: ignore[arg-type]
            for some, how in ((figures, method), (self._weighted(), "weighted"))
            for name, value in some.items()
            if name in self.standards
        )

    def _of_numbers(self) -> dict[str, Metric]:
        return {
            name: interval(value, by_fit, chance, self.n_rows, low=0.0)
            for name, (value, by_fit, chance) in self._loss_sums.metrics().items()
        }

    def _of_classes(self) -> dict[str, Metric]:
        kept, out = self._kept.columns, {}
        for name, values in cbpe.metrics_of(self._sums).items():
            spec = METRICS[name]
            if spec.needs == "probability" and not self._has_probabilities:
                continue
            pulls = cbpe.pulls_of(self._sums, name, kept["scores"], kept["prediction"])
            chance = label_variance(pulls, kept["chances"]) / self.n_rows
            top = 1.0 if spec.bounded else np.inf
            out[name] = interval(float(values[-1]), values[:-1], chance, self.n_rows, low=0.0, high=top)
        return out

    def _weighted(self) -> dict[str, Metric]:
        if not self._more or len(self._kept) < LEAST_REFERENCE:
            return {}
        few, now = self._few, self._kept.columns
        said = [few["prediction"], now["prediction"]] if self._is_number else [few["scores"], now["scores"]]
        before, after = (
            np.column_stack([one, two]) for one, two in zip((few["features"], now["features"]), said, strict=True)
        )
        categories = self._features.is_category + [False] * (before.shape[1] - len(self._features.is_category))
        with self._threads.limit(limits=1):
            ratio = density_ratio(before, after, categories, seed=self._seed)
        p = few["scores"] if self._has_probabilities else None
        return weighted_metrics(
            self.task, few["truth"], few["prediction"], p, ratio, self._more, n_rows=self.n_rows, seed=self._seed
        )

    def total(self, values: Array) -> Metric | None:
        """Estimate a sum over the counted rows.

        Args:
            values: Shape (n_classes, n_classes): worth of a row by truth (rows) and answer (columns); of numbers shape
                (): worth of one unit of absolute error.

        Returns:
            The sum with its 95 % interval, or None if nothing can be said.
        """
        n = self.n_rows
        if not n:
            return None
        if self._is_number:
            sums = self._loss_sums
            by_fit, chance = sums.losses[:, 0] * float(values), float(sums.variance[0]) * float(values) ** 2
        else:
            by_fit = (self._sums.cells * values).sum((1, 2))
            pulls = values.T[self._kept.columns["prediction"]]
            chance = label_variance(pulls, self._kept.columns["chances"]) * n
        return interval(float(by_fit.mean()), by_fit, chance, n)


def judge_estimates(
    window: Window, estimates: Iterable[Estimate], standards: dict[str, Standard], task: Task
) -> tuple[Finding, ...]:
    """Find the metrics that are surely and materially worse than on the reference, as estimated without labels."""
    figures = {one.metric: one.value for one in estimates}
    return worse(window, "estimated_quality", figures, standards, judged_names(task), words="is probably")


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
        Estimate(
            metric=one.metric,
            value=one.value,
            reference=one.reference,
            method=one.method,
            error=float(np.mean(off[one.metric])) if one.metric in off else None,
        )
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


def _check(task: Task, rows: Batch) -> None:
    if task.kind == "detection":
        raise InputError("the quality of a detector cannot be estimated without labels", hint="send feedback")
    for name in ("prediction", "truth"):
        if name not in rows:
            raise InputError(f"the rows of the reference have no column `{name}`", hint="train the model anew")


def _scores(task: Task, answers: Answers) -> Array:
    """Return what chances are calibrated from: the probabilities, or else the answer as a certainty."""
    if answers.probabilities is not None:
        return answers.probabilities
    if task.kind == "regression":
        return answers.prediction[:, None]
    out: Array = np.eye(len(task.classes))[np.maximum(answers.prediction, 0)]
    return out


def _class_counts(task: Task, rows: Batch) -> dict[str, int]:
    if task.kind != "classification":
        return {}
    truth = truths_of(task, rows)
    return {label: int((truth == place).sum()) for place, label in enumerate(task.classes)}


def _only_weighted(task: Task, names: Iterable[str]) -> tuple[str, ...]:
    wanted = [*names, *([] if task.metric == "auto" else [task.metric])]
    told = {"mae", "rmse"} if task.kind == "regression" else set(cbpe.KNOWN)
    never = {"calibration_error"}
    return tuple(dict.fromkeys(name for name in wanted if name not in told | never))
