"""Say what quality costs: which runs nothing beats on quality, latency and size, and the price of the next step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from palio import measure
from palio.core.records import Run
from palio.train.choice import paired_error

FEW = 10
"""Of more steps at once the price of one says nothing: the first ones are cheap."""


def front_of(runs: Sequence[Run], *, sign: float) -> list[Run]:
    """Return the runs with a measured cost that no other beats on quality, latency and size, the best first.

    The constant answer is left out: whatever it costs, it is not what one would have instead.
    """
    rivals = [run for run in runs if run.cost is not None and run.compared is not None and run.family != "dummy"]
    return [rivals[place] for place in measure.front([_offer(run, sign) for run in rivals])]


def front_told(
    front: Sequence[Run], *, chosen: str, sign: float, n_folds: int | None = None, holdout: bool = False
) -> list[str]:
    """Say what the chosen run wins over the next cheaper one and for how much, and what the next better one would cost.

    Args:
        front: As `front_of` returns it.
        chosen: Identity of the chosen run.
        sign: 1 if more of the metric is better, else -1.
        n_folds: Folds of one cross-validation, where it was repeated.
        holdout: Scores are of blocks of one holdout.
    """
    place = next((place for place, run in enumerate(front) if run.id == chosen), None)
    if place is None:
        return []
    run = front[place]
    if len(front) == 1:
        return [f"No other candidate is better, faster or smaller than {run.family}."]

    def gain(better: Run, other: Run) -> tuple[float, float]:
        error = paired_error(better.fold_scores, other.fold_scores, n_folds=n_folds, holdout=holdout)
        return _offer(better, sign).quality - _offer(other, sign).quality, error

    told = []
    if place + 1 < len(front):
        cheaper = front[place + 1]
        won, error = gain(run, cheaper)
        told.append(
            f"{run.family} wins {_amount(won, error)} of {run.metric} over {cheaper.family} for {_price(run, cheaper)}"
            f"{_rate(run, cheaper, won, error)}."
        )
    if place:
        better = front[place - 1]
        won, error = gain(better, run)
        told.append(
            f"The next {_amount(won, error)} of {run.metric} would cost {_price(better, run)} ({better.family})."
        )
    return told


def _offer(run: Run, sign: float) -> measure.Offer:
    if run.cost is None or run.compared is None:
        return measure.Offer(-math.inf, math.inf, math.inf)
    return measure.Offer(sign * run.compared, run.cost.latency_ms_p50, run.cost.size_mb)


def _amount(won: float, error: float) -> str:
    return measure.with_error(won, error)


def _price(dearer: Run, cheaper: Run) -> str:
    """Write what one costs beyond the other."""
    one, other = _offer(dearer, 1.0), _offer(cheaper, 1.0)
    differences = [(one.latency_ms - other.latency_ms, "ms"), (one.size_mb - other.size_mb, "MB")]
    words = [f"{measure.number(abs(much), digits=2)} {unit}" for much, unit in differences]
    if all(much >= 0 for much, _ in differences):
        return f"{words[0]} and {words[1]} more"
    return " and ".join(
        f"{word} {'more' if much >= 0 else 'less'}" for word, (much, _) in zip(words, differences, strict=True)
    )


def _rate(dearer: Run, cheaper: Run, won: float, error: float) -> str:
    """Write what the step costs that counts in the metric; that it may be chance, where it may."""
    if math.isfinite(error) and won <= error:
        return ", which is within chance"
    one, other = _offer(dearer, 1.0), _offer(cheaper, 1.0)
    latency, size = one.latency_ms - other.latency_ms, one.size_mb - other.size_mb
    step = measure.step_of(dearer.metric, dearer.compared or 0.0)
    if not 0 < won <= FEW * step or min(latency, size) < 0:
        return ""
    each = step / won
    prices = f"{measure.number(latency * each, digits=2)} ms and {measure.number(size * each, digits=2)} MB"
    return f", {prices} for each {measure.number(step)}"
