"""Say how the search went: when it stopped gaining, what more time may bring, and whether the winner fits well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from palio import measure
from palio.core.records import Criteria, Gain, LearningCurve, Run

HARDLY = 0.02
"""A gain of a smaller share than this of all that was gained over the constant answer is hardly one."""
BY_HEART = 0.3
"""Where so much of what is known of rows that were learned from is not known of others, much was learned by heart."""
LITTLE = 0.1
"""Where no more than this share is, little was learned by heart."""
ALIKE = 0.03
"""Where no more than this share is, seen and unseen rows are known alike."""


@dataclass(frozen=True)
class Course:
    """How good the best candidate was when."""

    gains: tuple[Gain, ...]
    seconds: float
    """That the search took."""
    sign: float

    def best_by(self, seconds: float) -> float | None:
        """Return the score of the best candidate so far; None if there was none that learned."""
        known = [gain.score for gain in self.gains if gain.seconds <= seconds]
        return known[-1] if known else None

    def last_gains(self) -> tuple[float, float] | None:
        """Return what the last doubling of the time brought, and the one before; None where they are not known."""
        last, half, quarter = (self.best_by(self.seconds / part) for part in (1, 2, 4))
        if last is None or half is None or quarter is None:
            return None
        return self.sign * (last - half), self.sign * (half - quarter)


def next_gain(gain: float, before: float) -> tuple[float, float] | None:
    """Return what twice the time may bring: least and most, from what the last two doublings brought.

    None where gains grow: they say nothing of where they end.
    """
    if gain <= 0.0:
        return 0.0, max(0.0, before) / 2
    return (gain * (gain / before) / 2, gain) if gain <= before else None


def course_told(course: Course, metric: str, *, simplest: float | None) -> list[str]:
    """Say when it stopped gaining, and what more time would probably bring."""
    if len(course.gains) < 2:
        return []
    last = course.gains[-1]
    lead = abs(last.score - (simplest if simplest is not None else course.gains[0].score))
    told = f"The best single candidate stood after {last.seconds:.3g} of {course.seconds:.3g} s"
    gains = course.last_gains()
    if gains is None:
        return [f"{told}."]
    following = next_gain(*gains)
    low, high = following or (0.0, gains[0])
    if high <= HARDLY * lead:
        return [f"{told}; a longer budget would hardly bring more of {metric}."]
    if following is None:
        return [f"{told}, and gains were growing: more time is likely to bring more of {metric}."]
    return [f"{told}; twice the time may bring {measure.figure(low)} to {measure.figure(high)} of {metric}."]


def fit_told(run: Run, *, simplest: float | None, curve: LearningCurve | None, sign: float) -> list[str]:
    """Say whether the winner learned too little, or too much by heart, and what to do about it."""
    seen = run.train.get(run.metric)
    if seen is None or run.cv_score is None or simplest is None or run.family == "dummy":
        return []
    known, lost = sign * (seen - simplest), sign * (seen - run.cv_score)
    if known <= 0:
        return []
    scores = f"{measure.figure(seen)} on rows it learned from, {measure.figure(run.cv_score)} on others"
    rises = curve is not None and curve.verdict == "rises"
    if lost > BY_HEART * known:
        remedy = "more rows would help" if rises else "more rows, or fewer and better columns, may help"
        return [f"Much of what {run.family} knows it knows by heart ({scores}): {remedy}."]
    lacks = (1.0 if sign > 0 else 0.0) * sign - sign * run.cv_score  # to a perfect score
    if lost < ALIKE * known and lost < BY_HEART * lacks and not rises:
        lacking = "what it lacks is in no column it was given"
        if run.course is not None:
            lacking = "it has not learned all that they hold; longer training or a larger network may help"
        return [f"{run.family} knows seen and unseen rows alike ({scores}): {lacking}."]
    told = f"{run.family} keeps {_percent(1.0 - lost / known)} of its lead over the constant answer on rows it did not "
    told += f"learn from ({scores})"
    if lost < LITTLE * known:
        return [f"{told}: it learned the pattern, and little by heart."]
    return [f"{told}: most of it is pattern, some was learned by heart{'; more rows would help' if rises else ''}."]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def criteria_of(run: Run, n_rows: int) -> Criteria | None:
    """Return AIC and BIC of a run that has a likelihood; None for others.

    Both count the parameters of the model as free ones, which a penalty makes too many: a bound from above.

    Source: Akaike 1974, IEEE Transactions on Automatic Control 19(6); Schwarz 1978, Annals of Statistics 6(2).
    """
    if run.family not in WITH_LIKELIHOOD or not run.n_parameters or n_rows < 1:
        return None
    if "log_loss" in run.train:
        deviance, n_free = 2.0 * n_rows * run.train["log_loss"], run.n_parameters
    elif run.train.get("rmse", 0.0) > 0:
        spread = run.train["rmse"] ** 2
        deviance, n_free = n_rows * (math.log(2 * math.pi * spread) + 1.0), run.n_parameters + 1
    else:
        return None
    return Criteria(aic=deviance + 2.0 * n_free, bic=deviance + n_free * math.log(n_rows), n_rows=n_rows)


WITH_LIKELIHOOD: Sequence[str] = ("linear", "words", "bayes")
"""Families whose parameters are those of a likelihood."""
