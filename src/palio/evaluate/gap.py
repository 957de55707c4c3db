"""Train against validation against test: does it keep its promise on rows it has not seen?"""

from __future__ import annotations

import math
from typing import Literal

from palio import measure
from palio.core.records import Gap, Metric
from palio.measure import figure, with_interval

Verdict = Literal["sound", "overfitted", "underfitted", "shifted", "unknown"]
OVERFITTED_SHARE = 0.5
"""Overfitted: more than this share of what training promised over the simplest guess is lost on unseen rows."""
SHIFTED_SHARE = 0.1
"""Shifted: test loses more than this share of validation's gain, and beyond chance.

It is shifted, too, where validation loses more than half of what training promised, and test shows nothing of it.
"""
UNDERFITTED_SHARE = 0.05
"""Underfitted: even on its own rows it gains less than this share of what a perfect answer would."""


def judge_gap(
    metric: str,
    *,
    train: Metric | None,
    validation: Metric | None,
    test: Metric | None,
    baseline: float | None = None,
) -> Gap:
    """Judge the gap between parts on one metric, in plain words.

    Gains are measured over the baseline, so that the verdict does not depend on the unit of the metric; a gap counts
    only where it is larger than chance.

    Args:
        metric: Name of the metric.
        train: On rows it was fitted on.
        validation: On rows that chose it.
        test: On sealed rows.
        baseline: Value of the simplest guess.

    Example:
        >>> def about(value: float) -> Metric:
        ...     return Metric(value=value, low=value - 0.01, high=value + 0.01, n_rows=1000)
        >>> judge_gap("roc_auc", train=about(0.99), validation=about(0.7), test=about(0.7), baseline=0.5).verdict
        'overfitted'
    """
    verdict, text = _judge(metric, train, validation, test, baseline)
    return Gap(
        train=train.value if train else None,
        validation=validation.value if validation else None,
        test=test.value if test else None,
        verdict=verdict,
        text=text,
    )


def _judge(
    metric: str, train: Metric | None, validation: Metric | None, test: Metric | None, baseline: float | None
) -> tuple[Verdict, str]:
    sign = 1 if measure.higher_is_better(metric) else -1
    unseen = test or validation
    if unseen is None or (train is None and validation is None):
        return "unknown", f"There is too little to compare: {metric} is known on one part only."
    floor = baseline if baseline is not None else _floor(metric)
    if train is not None and floor is not None and _gain(train, floor, sign) < _least(metric, floor):
        return "underfitted", (
            f"Even on the rows it learned from, {metric} is {with_interval(train)}, "
            f"where the simplest guess has {figure(floor)}: the model is too simple, or the columns do not tell."
        )
    if test is not None and validation is not None:
        lost = sign * (validation.value - test.value)
        reach = max(_gain(validation, floor, sign), 0.0) if floor is not None else abs(validation.value)
        if lost > SHIFTED_SHARE * reach and lost > _chance(validation, test):
            return "shifted", (
                f"{metric} is {with_interval(validation)} on validation but {with_interval(test)} on the sealed test, "
                "more than chance explains: the test rows differ, or the choice among candidates was lucky."
            )
        if train is not None and floor is not None:
            failed = sign * (train.value - validation.value)
            if failed > OVERFITTED_SHARE * _gain(train, floor, sign) and -lost > _chance(validation, test):
                return "shifted", (
                    f"{metric} is {with_interval(train)} on the rows it learned from and {with_interval(test)} on the "
                    f"sealed test, but {with_interval(validation)} on validation, more than chance explains: the parts "
                    "differ, and rows to come may be like either."
                )
    if train is not None:
        lost = sign * (train.value - unseen.value)
        promised = _gain(train, floor, sign) if floor is not None else abs(train.value)
        where = "the sealed test" if test is not None else "validation"
        if lost > OVERFITTED_SHARE * promised and lost > _chance(train, unseen):
            text = (
                f"{metric} is {with_interval(train)} on the rows it learned from but {with_interval(unseen)} on {where}"
            )
            if promised > 0:
                text += f": it loses {lost / promised:.0%} of what it promised, so much of it was learned by heart"
            return "overfitted", text + "."
    return "sound", _sound(metric, train, validation, test)


def _sound(metric: str, train: Metric | None, validation: Metric | None, test: Metric | None) -> str:
    named = (("train", train), ("validation", validation), ("test", test))
    values = ", ".join(f"{figure(value.value)} on {name}" for name, value in named if value is not None)
    return f"{metric} is {values}: on rows it has not seen, it keeps what it promised within reason."


def _gain(metric: Metric, floor: float, sign: int) -> float:
    return sign * (metric.value - floor)


def _least(metric: str, floor: float) -> float:
    """The gain below which a model learned next to nothing: a share of the way from the baseline to perfect."""
    perfect = 1.0 if measure.higher_is_better(metric) else 0.0
    return UNDERFITTED_SHARE * abs(perfect - floor)


def _floor(metric: str) -> float | None:
    return {"roc_auc": 0.5, "r2": 0.0}.get(metric)


def _chance(a: Metric, b: Metric) -> float:
    """Half-width of the interval of a difference of two independent values."""
    return math.hypot((a.high - a.low) / 2, (b.high - b.low) / 2)
