"""Find out whether probabilities should be corrected, and how: by log loss on folds that a correction had not seen.

Source: Platt 1999 (sigmoid); Zadrozny and Elkan 2002 (isotonic); Guo, Pleiss, Sun and Weinberger 2017 (temperature).
"""

from __future__ import annotations

import numpy as np

from palio import model
from palio.core.records import Calibration
from palio.train.ensemble import Unseen
from palio.train.examples import Array
from palio.train.solvers.descent import lowest

NONE = Calibration(kind="none", numbers=())
SURE = 2.0
"""Standard errors of the difference by which a correction must be better than none."""
FEWEST_ROWS = 200
"""Fewer rows cannot tell which correction is better."""
ISOTONIC_ROWS = 2_000
"""An isotonic one follows chance on fewer."""
MAX_ROWS = 20_000
"""Rows that a correction is fitted on, at most."""
MAX_KNOTS = 33
TINY = 1e-15
MOST_STEPS = 60
"""Of a descent to the best correction."""
_FACTORS = (float(np.log(0.1)), float(np.log(10.0)))
"""Between which temperatures are sought, as logarithms."""


def correct(answers: Array, unseen: Unseen, *, keeps_order: bool) -> tuple[Calibration, Array]:
    """Choose among no correction, a temperature, Platt's sigmoid and an isotonic one.

    Args:
        answers: Probabilities on rows that fits had not seen, shape (n, n_classes).
        unseen: Those rows.
        keeps_order: Only corrections that leave the order of rows as it is (isotonic ones make ties).

    Returns:
        The correction, and the corrected answers: those of each fold by a correction that was found on the others.
    """
    cuts = list(unseen.apart())
    if len(answers) < FEWEST_ROWS or not all(others.any() for _, others in cuts):
        return NONE, answers
    plain = log_losses(answers, unseen.truth)
    best, found = NONE, answers
    for kind in _kinds(answers, keeps_order=keeps_order):
        tried = np.empty_like(answers)
        for here, others in cuts:
            tried[here] = model.calibrated(answers[here], fitted(kind, answers[others], unseen.truth[others]))
        gains = log_losses(found, unseen.truth) - log_losses(tried, unseen.truth)
        over_none = plain - log_losses(tried, unseen.truth)
        if gains.mean() > 0 and over_none.mean() > SURE * over_none.std(ddof=1) / np.sqrt(len(over_none)):
            best, found = fitted(kind, answers, unseen.truth), tried
    return best, found


def _kinds(answers: Array, *, keeps_order: bool) -> list[str]:
    if answers.shape[1] > 2:
        return ["temperature"]
    return ["platt"] if keeps_order or len(answers) < ISOTONIC_ROWS else ["platt", "isotonic"]


def log_losses(answers: Array, truth: Array) -> Array:
    """Return minus the logarithm of the share of the true class, row by row."""
    losses: Array = -np.log(np.maximum(answers[np.arange(len(truth)), truth], TINY))
    return losses


def fitted(kind: str, answers: Array, truth: Array) -> Calibration:
    """Return the correction of a kind that has the least log loss, on at most `MAX_ROWS` of the rows."""
    step = max(1, len(truth) // MAX_ROWS)
    answers, truth = answers[::step], truth[::step]
    if kind == "temperature":
        return Calibration(kind="temperature", numbers=(_temperature(answers, truth),))
    if kind == "platt":
        return Calibration(kind="platt", numbers=_sigmoid(answers, truth))
    return Calibration(kind="isotonic", numbers=_steps(answers[:, 1], truth == 1))


def _temperature(answers: Array, truth: Array) -> float:
    """Return the factor on log probabilities with the least log loss."""
    logs, here = np.log(np.maximum(answers, TINY)), np.arange(len(truth))

    def slope(number: Array) -> tuple[float, Array]:
        factor = float(np.exp(np.clip(number[0], *_FACTORS)))
        scores = factor * logs
        scores -= scores.max(axis=1, keepdims=True)
        raised = np.exp(scores)
        total = raised.sum(axis=1)
        gap = (raised * logs).sum(axis=1) / total - logs[here, truth]
        return float((np.log(total) - scores[here, truth]).mean()), np.array([factor * gap.mean()])

    return float(np.exp(np.clip(lowest(slope, np.zeros(1), steps=MOST_STEPS, least=0.0, flat=1e-7)[0], *_FACTORS)))


def _sigmoid(answers: Array, truth: Array) -> tuple[float, float]:
    """Return slope and offset of the log odds with the least log loss."""
    logs = np.log(np.maximum(answers, TINY))
    odds, is_second = logs[:, 1] - logs[:, 0], truth == 1

    def slope(numbers: Array) -> tuple[float, Array]:
        scores = odds * numbers[0] + numbers[1]
        gap = 1.0 / (1.0 + np.exp(-np.clip(scores, -500, 500))) - is_second
        value = np.logaddexp(0.0, np.where(is_second, -scores, scores)).mean()
        return float(value), np.array([(gap * odds).mean(), gap.mean()])

    factor, offset = (float(one) for one in lowest(slope, np.array([1.0, 0.0]), steps=MOST_STEPS, least=0.0, flat=1e-7))
    return (factor, offset) if factor > 0 else (1.0, 0.0)


def _steps(answers: Array, is_second: Array) -> tuple[float, ...]:
    """Return knots (place, value, place, value, …) of a curve that never falls."""
    places, risen = _risen(answers, is_second.astype(np.float64))
    at = np.unique(np.quantile(answers, np.linspace(0, 1, MAX_KNOTS)))
    at = np.unique(np.r_[0.0, at, 1.0])
    share = 1.0 / (len(answers) + 2.0)  # no row is certain
    value = np.clip(np.maximum.accumulate(np.interp(at, places, risen)), share, 1.0 - share)
    return tuple(float(number) for pair in zip(at, value, strict=True) for number in pair)


def _risen(places: Array, values: Array) -> tuple[Array, Array]:
    """Return the different places, and there the means of `values` that never fall and are nearest to them.

    Source: Ayer, Brunk, Ewing, Reid and Silverman 1955 (neighbours that fall are put together until none does).
    """
    places, which = np.unique(places, return_inverse=True)
    weights = np.bincount(which).astype(np.float64)
    means = np.bincount(which, weights=values) / weights
    blocks: list[tuple[float, float, int]] = []
    for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
        block = (mean, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            both = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / both, both, before[2] + block[2])
        blocks.append(block)
    return places, np.repeat([mean for mean, _, _ in blocks], [n for _, _, n in blocks])
