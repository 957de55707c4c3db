"""How sure a number is: 95 % intervals by bootstrap, and Wilson's for plain proportions.

Rows are resampled by weights, so that each metric is computed for many resamples at once and rows are sorted once.
Work is bounded: above `MAX_ROWS` rows the spread is measured on a random subset and shrunk by the root of the ratio
(Politis & Romano 1994, Annals of Statistics 22(4)), which holds for metrics whose error falls with the root of n.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from palio.core.errors import InputError
from palio.core.records import Metric, Task
from palio.core.seeds import derive
from palio.measure import questions
from palio.measure.questions import Answers
from palio.measure.sample import Array, Sample, View
from palio.measure.scores import specs_for, values_of
from palio.measure.specs import MetricSpec
from palio.measure.telling import Z95 as Z95
from palio.measure.telling import left_out, widening

MAX_ROWS = 50_000
"""Rows that the spread is measured on; 200 resamples of them for every metric take about a second."""
MAX_CELLS = 20_000_000
"""Weights drawn at most (rows × resamples), but never fewer than `MIN_RESAMPLES` resamples."""
MIN_RESAMPLES = 200
NONE_SEEN = 3.689
"""What was not seen in n rows happens less often than this by n, with 97.5 % confidence (Poisson)."""
_BINNED = 1.2
"""Widening for bins, or ranks, that follow the sample, which resamples do not repeat: coverage of the calibration error
.86 without, .93 with (tests/measure/test_intervals.py, 400 rows); of average precision of 40 pictures .86 and .91."""
FEW = 30
"""What fewer things say is bounded as a share of them at least; see `MetricSpec.behind`."""
_MIN_ROWS = 5_000
_BLOCK_CELLS = 500_000
"""Weights held at once: 4 MB, and a handful of arrays of that size."""


def wilson(hits: float, n_rows: float) -> tuple[float, float]:
    """Bound a proportion with 95 % confidence; sensible for no or all hits and for few rows.

    Example:
        >>> tuple(round(x, 3) for x in wilson(10, 10))
        (0.722, 1.0)

    Raises:
        InputError: `hits` is not between 0 and `n_rows`.

    Source: Wilson 1927, JASA 22(158).
    """
    if not 0 <= hits <= n_rows:
        raise InputError(f"{hits} hits in {n_rows} rows is no proportion")
    if n_rows == 0:
        return 0.0, 1.0
    p, z2 = hits / n_rows, Z95**2
    centre = p + z2 / (2 * n_rows)
    half = Z95 * math.sqrt(p * (1 - p) / n_rows + z2 / (4 * n_rows**2))
    low, high = (centre - half) / (1 + z2 / n_rows), (centre + half) / (1 + z2 / n_rows)
    return (0.0 if hits == 0 else max(low, 0.0)), (1.0 if hits == n_rows else min(high, 1.0))


def score_with_intervals(
    task: Task,
    truth: Array,
    answers: Answers,
    *,
    seed: int = 0,
    n_resamples: int = 1000,
    names: Iterable[str] | None = None,
    max_rows: int = MAX_ROWS,
) -> dict[str, Metric]:
    """Score answers against the truth, each metric with its 95 % interval.

    Takes the arguments of `score`; equal arguments give equal intervals. Memory does not grow with `n_resamples`.
    Above `max_rows` rows the spread, but not the value, is measured on a random subset.

    Raises:
        InputError: see `Question.sample`; or a name is unknown.

    Example:
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> truth = np.array([0, 1] * 50)
        >>> metric = score_with_intervals(task, truth, Answers(truth))["accuracy"]
        >>> metric.value, round(metric.low, 3), metric.high
        (1.0, 0.963, 1.0)
    """
    sample = questions.of(task).sample(truth, answers)
    specs = specs_for(sample, names)
    values = values_of(sample, specs)
    specs = tuple(s for s in specs if s.name in values)
    exact = {s.name: bounds for s in specs if (bounds := _proportion(sample, s)) is not None}
    drawn, shrink = replicates(
        sample,
        [s for s in specs if s.name not in exact],
        seed=seed,
        n_resamples=n_resamples,
        max_rows=max_rows,
    )
    out = {}
    for spec in specs:
        value = values[spec.name]
        low, high = exact[spec.name] if spec.name in exact else _bounds(sample, spec, value, drawn[spec.name], shrink)
        out[spec.name] = Metric(value=value, low=min(low, value), high=max(high, value), n_rows=sample.n_rows)
    return out


def replicates(
    sample: Sample,
    specs: Iterable[MetricSpec],
    *,
    seed: int,
    n_resamples: int = 1000,
    max_rows: int = MAX_ROWS,
) -> tuple[dict[str, Array], float]:
    """Compute the metrics on resampled rows.

    Returns:
        Metric → deviations from the value on the resampled rows, shape (n_resamples,), NaN where not defined, those of
        metrics that stand on few things already widened; and the factor by which they are to be shrunk (1 unless rows
        were too many).
    """
    specs = tuple(specs)
    if not specs:
        return {}, 1.0
    cost = sample.cost
    base, shrink = subset(sample.n_rows, seed, cost=cost, max_rows=max_rows)
    part = (sample if base is None else sample.take(base)).coarsened()
    centre = {s.name: s.function(View(part, np.ones((1, part.n_rows))))[0] for s in specs}
    blocks: dict[str, list[Array]] = {s.name: [] for s in specs}
    for weights in resampled_weights(part.n_rows, seed, n_resamples, cost=cost):
        view = View(part, weights)
        for spec in specs:
            blocks[spec.name].append(spec.function(view) - centre[spec.name])
    found = {name: np.concatenate(parts) for name, parts in blocks.items()}
    if few := [spec for spec in specs if spec.needs == "boxes"] if part.n_rows <= n_resamples else []:
        view = View(part, left_out(part.n_rows))
        found |= {spec.name: found[spec.name] * widening(spec.function(view)) for spec in few}
    return found, shrink


def subset(n_rows: int, seed: int, *, cost: int = 1, max_rows: int = MAX_ROWS) -> tuple[Array | None, float]:
    """Choose the rows that the spread is measured on (None: all) and the factor that corrects for it."""
    limit = max(max_rows // cost, min(max_rows, _MIN_ROWS))
    if n_rows <= limit:
        return None, 1.0
    rows = np.random.default_rng(derive(seed, "subset")).choice(n_rows, limit, replace=False)
    return np.sort(rows), math.sqrt(limit / n_rows)


def resampled_weights(n_rows: int, seed: int, n_resamples: int, *, cost: int = 1) -> Iterator[Array]:
    """Draw multinomial bootstrap weights in blocks, each (n_in_block, n_rows); the same for the same seed.

    Source: Efron 1979, Annals of Statistics 7(1).
    """
    n_resamples = min(n_resamples, max(MIN_RESAMPLES, MAX_CELLS // (n_rows * cost)))
    stream, size = derive(seed, "bootstrap"), max(1, _BLOCK_CELLS // n_rows)
    if n_resamples <= size:  # slices and columns ask for the same block hundreds of times
        yield _only_block(n_rows, stream, n_resamples)
        return
    rng = np.random.default_rng(stream)
    for start in range(0, n_resamples, size):
        yield _block(rng, n_rows, min(size, n_resamples - start))


@lru_cache(maxsize=4)
def _only_block(n_rows: int, stream: int, n_resamples: int) -> Array:
    block = _block(np.random.default_rng(stream), n_rows, n_resamples)
    block.flags.writeable = False
    return block


def _block(rng: np.random.Generator, n_rows: int, n_resamples: int) -> Array:
    block = np.empty((n_resamples, n_rows))
    for row in block:
        row[:] = np.bincount(rng.integers(0, n_rows, n_rows, dtype=np.int32), minlength=n_rows)
    return block


def _proportion(sample: Sample, spec: MetricSpec) -> tuple[float, float] | None:
    """Bound the metrics that are a plain share of rows by Wilson's interval."""
    if spec.name == "accuracy":
        return wilson(int((sample.truth == sample.prediction).sum()), sample.n_rows)
    if spec.name in ("precision", "recall") and sample.is_binary():
        among = (sample.prediction if spec.name == "precision" else sample.truth) == sample.positive
        hit = sample.truth[among] == sample.prediction[among]
        return wilson(int(hit.sum()), int(among.sum()))
    return None


def _bounds(sample: Sample, spec: MetricSpec, value: float, deviations: Array, shrink: float) -> tuple[float, float]:
    """Turn resampled deviations into bounds; where they cannot vary, bound by the smallest class."""
    defined = deviations[np.isfinite(deviations)] * shrink
    if len(defined) == 0 or (spec.bounded and np.ptp(defined) == 0):
        if len(defined) and sample.says_one_thing(by_probability=spec.needs == "probability"):
            return value, value
        return _cautious(sample, value) if spec.bounded else (value, value)
    if spec.is_count and np.ptp(defined) == 0:
        return value, value + NONE_SEEN / sample.n_rows
    low, high = np.quantile(defined, [0.025, 0.975])
    if spec.interval == "basic":
        low, high = basic_bounds(value, low, high)
    else:
        low, high = value + low, value + high
    if spec.bounded and spec.behind is not None and (n := spec.behind(sample)) < FEW:
        least, most = wilson(min(max(value, 0.0), 1.0) * n, n)
        low, high = min(low, least), max(high, most)
    if spec.bounded:
        low, high = max(low, 0.0), min(high, 1.0)
    elif not spec.higher_is_better:
        low = max(low, 0.0)
    return float(low), float(high)


def basic_bounds(value: float, low: float, high: float) -> tuple[float, float]:
    """Bound a value that is biased upward in small samples, by the deviations of 95 % of the resamples."""
    centre, half = value - (low + high) / 2, _BINNED * (high - low) / 2
    return centre - half, centre + half


def _cautious(sample: Sample, value: float) -> tuple[float, float]:
    """Bound a metric that no resample changed, e.g. a perfect ROC AUC: as a share of the rarest class."""
    n = sample.n_rarest()
    return wilson(min(max(value, 0.0), 1.0) * n, n)
