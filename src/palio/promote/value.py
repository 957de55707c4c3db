"""Say what an improvement is worth in money."""

from __future__ import annotations

from palio.core.records import Comparison, Evaluation, Metric, Value
from palio.measure import higher_is_better, questions


def appraise(
    evaluation: Evaluation,
    comparison: Comparison | None,
    *,
    error_cost: float,
    requests_per_day: float,
    currency: str = "EUR",
) -> Value | None:
    """Turn fewer errors into money per day: cost of an error × requests a day × errors avoided per request.

    An error is a wrong class, or (regression) one unit of mean absolute error. The gain is taken over the champion, or
    over the simplest guess when there is none, paired on the same rows; its 95 % interval becomes the interval of the
    worth.

    Args:
        evaluation: Of the challenger.
        comparison: With the champion, if there is one.
        error_cost: What one error costs, in `currency`.
        requests_per_day: How many answers a day.
        currency: Written after the amounts.

    Returns:
        None if cost or requests are not set, or the error rate was not measured.

    Example:
        >>> from palio.core.records import Task
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> found = Metric(value=0.90, low=0.89, high=0.91, n_rows=1000)
        >>> dummy = Metric(value=0.88, low=0.87, high=0.89, n_rows=1000)
        >>> scored = Evaluation(id="", bundle="", snapshot="", parts="", part="test", task=task, primary="accuracy",
        ...     n_rows=1000, metrics={"accuracy": found}, baseline={"accuracy": dummy})
        >>> round(appraise(scored, None, error_cost=5, requests_per_day=10_000).per_day.value)
        1000
    """
    if not (error_cost > 0 and requests_per_day > 0):
        return None
    question = questions.of(evaluation.task)
    gain = _gain(evaluation, comparison, question.error_metric)
    if gain is None:
        return None
    scale = error_cost * requests_per_day
    per_day = Metric(value=gain.value * scale, low=gain.low * scale, high=gain.high * scale, n_rows=gain.n_rows)
    step, unit = question.error_step
    per_point = scale * step
    rival = "the champion" if comparison is not None else "the simplest guess"
    text = f"{_worth(per_day, rival, currency)} One more {unit} is worth {per_point:,.0f} {currency} a day."
    return Value(currency=currency, per_day=per_day, per_point=per_point, text=text)


def _gain(evaluation: Evaluation, comparison: Comparison | None, name: str) -> Metric | None:
    if comparison is not None:
        return comparison.difference if comparison.metric == name else comparison.differences.get(name)
    if name in evaluation.gains:
        return evaluation.gains[name]
    found, dummy = evaluation.metrics.get(name), evaluation.baseline.get(name)  # of an earlier version: not paired
    if found is None or dummy is None:
        return None
    ends = (found.low - dummy.value, found.high - dummy.value)
    if not higher_is_better(name):
        return Metric(value=dummy.value - found.value, low=-ends[1], high=-ends[0], n_rows=found.n_rows)
    return Metric(value=found.value - dummy.value, low=ends[0], high=ends[1], n_rows=found.n_rows)


def _worth(per_day: Metric, rival: str, currency: str) -> str:
    amount = f"{abs(per_day.value):,.0f} {currency} a day"
    span = f"95 % interval {per_day.low:,.0f} to {per_day.high:,.0f}"
    if per_day.low > 0:
        return f"Saves about {amount} against {rival} ({span})."
    if per_day.high < 0:
        return f"Costs about {amount} more than {rival} ({span})."
    return f"The difference to {rival} may be worth {per_day.value:,.0f} {currency} a day, or nothing ({span})."
