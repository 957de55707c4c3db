"""Point values: all metrics of a task at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from palio.core.errors import InputError, did_you_mean
from palio.core.records import Task
from palio.measure import questions
from palio.measure.metrics import METRICS, MetricSpec
from palio.measure.questions import Answers
from palio.measure.sample import Array, Sample, View


def default_metric(task: Task) -> str:
    """Name the metric that selects models: the task's own, or the usual one of its kind.

    Example:
        >>> default_metric(Task(kind="regression", target="price"))
        'rmse'

    Raises:
        InputError: the task names a metric that is unknown or of another kind of task.
    """
    return questions.of(task).default_metric if task.metric == "auto" else _spec(task.metric, task).name


def higher_is_better(name: str) -> bool:
    """Tell which way the metric called `name` is better; `InputError` if there is none.

    Example:
        >>> higher_is_better("roc_auc"), higher_is_better("log_loss")
        (True, False)
    """
    return _spec(name).higher_is_better


def metric_names(task: Task, *, with_probabilities: bool = True) -> tuple[str, ...]:
    """List the metrics that fit `task`, in the order in which they are shown."""
    return tuple(
        spec.name
        for spec in METRICS.values()
        if spec.kind == task.kind
        and (spec.always or spec.name == task.metric)
        and (with_probabilities or spec.needs != "probability")
    )


def score(task: Task, truth: Array, answers: Answers, *, names: Iterable[str] | None = None) -> dict[str, float]:
    """Score answers against the truth with every metric of the task.

    Args:
        task: What was asked.
        truth: Shape (n_rows,): class index, or number.
        answers: To the same rows; without probabilities, metrics that need them are left out.
        names: Only these metrics.

    Returns:
        Metric → value. Metrics that are not defined on these rows (ROC AUC with one class) are left out.

    Raises:
        InputError: see `Question.sample`; or a name is unknown.

    Example:
        >>> task = Task(kind="regression", target="price")
        >>> score(task, np.array([1.0, 3.0]), Answers(np.array([1.0, 1.0])))["mae"]
        1.0
    """
    sample = questions.of(task).sample(truth, answers)
    return values_of(sample, specs_for(sample, names))


def is_defined(task: Task, truth: Array, *, metric: str = "auto") -> bool:
    """Tell whether a metric (the task's own if `auto`) is defined on rows with this truth, whatever is answered.

    Args:
        task: What is asked.
        truth: Shape (n_rows,): class index, or number; none missing.

    Example:
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> is_defined(task, np.array([0, 0, 1])), is_defined(task, np.array([0, 0]))
        (True, False)
    """
    name = default_metric(task) if metric == "auto" else metric
    if not len(truth):
        return False
    question = questions.of(task)
    held = question.distinct(truth)  # what there is decides, not how often
    return bool(score(task, held, question.always(question.constant(held), len(held)), names=[name]))


def specs_for(sample: Sample, names: Iterable[str] | None = None) -> tuple[MetricSpec, ...]:
    """List the metrics that can be computed on `sample`, all or those named."""
    wanted = metric_names(sample.task) if names is None else tuple(names)
    specs = [_spec(name, sample.task) for name in wanted]
    return tuple(s for s in specs if s.needs != "probability" or sample.probabilities is not None)


def values_of(sample: Sample, specs: Iterable[MetricSpec]) -> dict[str, float]:
    """Compute the defined metrics of `sample`."""
    view = View(sample, np.ones((1, sample.n_rows)))
    values = {spec.name: float(spec.function(view)[0]) for spec in specs}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _spec(name: str, task: Task | None = None) -> MetricSpec:
    allowed = [s.name for s in METRICS.values() if task is None or s.kind == task.kind]
    if name not in allowed:
        where = "" if task is None else f" of {task.kind}"
        raise InputError(f"`{name}` is no metric{where}", hint=did_you_mean(name, allowed))
    return METRICS[name]
