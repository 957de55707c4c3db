"""Two models on the same rows: how much better the second is, and how sure that is."""

from __future__ import annotations

import numpy as np

from palio.core.errors import InputError
from palio.core.records import Metric, Task
from palio.measure import questions
from palio.measure.intervals import MAX_ROWS, resampled_weights, subset, wilson
from palio.measure.questions import Answers
from palio.measure.sample import Array, Sample, View
from palio.measure.scores import specs_for, values_of
from palio.measure.specs import MetricSpec
from palio.measure.telling import FEWEST, left_out, n_telling, widening


def paired(
    task: Task,
    truth: Array,
    first: Answers,
    second: Answers,
    *,
    seed: int = 0,
    n_resamples: int = 1000,
    names: tuple[str, ...] | None = None,
    max_rows: int = MAX_ROWS,
) -> dict[str, tuple[Metric, float]]:
    """Measure the improvement of the second model over the first on the same rows by a paired bootstrap.

    Args:
        task: What was asked.
        truth: Shape (n_rows,): class index, or number.
        first: Answers of the first model.
        second: Answers of the second model to the same rows.
        seed: Equal seeds give equal intervals.
        n_resamples: At most so many resamples; fewer for many rows (see `intervals`).
        names: Only these metrics.
        max_rows: Above so many rows the spread, but not the value, is measured on a random subset.

    Returns:
        Metric → (improvement with its 95 % interval, share of resamples in which the second is better, ties count
        half). Positive is better whatever the metric. Metrics that both do not define are left out.

    Raises:
        InputError: see `Question.sample`.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 10 (paired resampling).
    """
    if len(first) != len(second):
        raise InputError(f"the models answered {len(first)} and {len(second)} rows")
    question = questions.of(task)
    both = [question.sample(truth, one) for one in (first, second)]
    values = [values_of(sample, specs_for(sample, names)) for sample in both]
    specs = [s for s in specs_for(both[0], names) if s.name in values[0] and s.name in values[1]]
    rows, shrink = subset(both[0].n_rows, seed, cost=both[0].cost, max_rows=max_rows)
    parts = [(sample if rows is None else sample.take(rows)).coarsened() for sample in both]
    drawn = _drawn(parts, specs, seed, n_resamples)
    without = _without(parts, specs, n_resamples)
    same = both[0].says_the_same(both[1])
    out = {}
    for spec in specs:
        gain = (values[1][spec.name] - values[0][spec.name]) * _sign(spec)
        deviations, known = drawn[spec.name] * shrink, without.get(spec.name)
        if known is not None:
            deviations = deviations * widening(known)
        is_told = known is None or spec.needs != "boxes" or n_telling(known) >= FEWEST
        out[spec.name] = _summary(spec, gain, deviations, both[0].n_rows, same=same, is_told=is_told)
    return out


def _drawn(parts: list[Sample], specs: list[MetricSpec], seed: int, n_resamples: int) -> dict[str, Array]:
    """Compute each metric's improvement on resampled rows, as deviations from the improvement on these rows."""
    blocks: dict[str, list[Array]] = {s.name: [] for s in specs}
    ones = np.ones((1, parts[0].n_rows))
    centre = {s.name: _gain(s, [View(p, ones) for p in parts])[0] for s in specs}
    for weights in resampled_weights(parts[0].n_rows, seed, n_resamples, cost=2 * parts[0].cost):
        views = [View(part, weights) for part in parts]
        for spec in specs:
            blocks[spec.name].append(_gain(spec, views) - centre[spec.name])
    return {name: np.concatenate(chunks) for name, chunks in blocks.items()}


def _without(parts: list[Sample], specs: list[MetricSpec], n_resamples: int) -> dict[str, Array]:
    """Compute the improvement without each row, where there are few: of these, few may make all of it."""
    if parts[0].n_rows > n_resamples:
        return {}
    views = [View(part, left_out(part.n_rows)) for part in parts]
    return {spec.name: _gain(spec, views) for spec in specs}


def _gain(spec: MetricSpec, views: list[View]) -> Array:
    return (spec.function(views[1]) - spec.function(views[0])) * _sign(spec)


def _sign(spec: MetricSpec) -> float:
    return 1.0 if spec.higher_is_better else -1.0


def _summary(
    spec: MetricSpec, gain: float, deviations: Array, n_rows: int, *, same: bool, is_told: bool
) -> tuple[Metric, float]:
    defined = deviations[np.isfinite(deviations)]
    if same or len(defined) == 0:
        return Metric(value=gain, low=gain, high=gain, n_rows=n_rows), 0.5
    low, high = np.quantile(gain + defined, [0.025, 0.975])
    if (spec.bounded or spec.is_count) and (np.ptp(defined) == 0 or not is_told):
        # No resample differs, or few rows do: what one unseen kind of row could still change, as for a share of zero.
        low, high = min(low, gain - wilson(0, n_rows)[1]), max(high, gain + wilson(0, n_rows)[1])
    better = float(np.mean(gain + defined > 1e-15) + np.mean(np.abs(gain + defined) <= 1e-15) / 2)
    return Metric(value=gain, low=min(float(low), gain), high=max(float(high), gain), n_rows=n_rows), better


def mcnemar(first_right: Array, second_right: Array) -> float:
    """Test whether two models are right equally often on the same rows; exact, two-sided.

    Args:
        first_right: Shape (n_rows,), whether the first model was right.
        second_right: The same for the second.

    Returns:
        The p-value; 1 when they never differ.

    Example:
        >>> right = np.array([True] * 10)
        >>> round(mcnemar(right, ~right), 5)
        0.00195

    Source: McNemar 1947, Psychometrika 12(2), in its exact binomial form.
    """
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if first.shape != second.shape:
        raise InputError(f"shapes {first.shape} and {second.shape} differ")
    fewer, more = sorted((int((first & ~second).sum()), int((~first & second).sum())))
    n = fewer + more
    if n == 0:
        return 1.0
    steps = np.arange(1, fewer + 1)
    logs = np.r_[0.0, np.cumsum(np.log((n - steps + 1) / steps))] - n * np.log(2.0)
    return float(min(1.0, 2 * np.exp(logs).sum()))
