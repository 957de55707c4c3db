"""Find out whether probabilities should be corrected, and how: by log loss on folds that a correction had not seen.

Source: Platt 1999 (sigmoid); Zadrozny and Elkan 2002 (isotonic); Guo, Pleiss, Sun and Weinberger 2017 (temperature).
"""

from __future__ import annotations

import numpy as np

from palio import model
from palio.core.records import Calibration
from palio.train.ensemble import Unseen
from palio.train.family import Array

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
    plain = _losses(answers, unseen.truth)
    best, found = NONE, answers
    for kind in _kinds(answers, keeps_order=keeps_order):
        tried = np.empty_like(answers)
        for here, others in cuts:
            tried[here] = model.calibrated(answers[here], _fitted(kind, answers[others], unseen.truth[others]))
        gains = _losses(found, unseen.truth) - _losses(tried, unseen.truth)
        over_none = plain - _losses(tried, unseen.truth)
        if gains.mean() > 0 and over_none.mean() > SURE * over_none.std(ddof=1) / np.sqrt(len(over_none)):
            best, found = _fitted(kind, answers, unseen.truth), tried
    return best, found


def _kinds(answers: Array, *, keeps_order: bool) -> list[str]:
    if answers.shape[1] > 2:
        return ["temperature"]
    return ["platt"] if keeps_order or len(answers) < ISOTONIC_ROWS else ["platt", "isotonic"]


def _losses(answers: Array, truth: Array) -> Array:
    losses: Array = -np.log(np.maximum(answers[np.arange(len(truth)), truth], TINY))
    return losses


def _fitted(kind: str, answers: Array, truth: Array) -> Calibration:
    step = max(1, len(truth) // MAX_ROWS)
    answers, truth = answers[::step], truth[::step]
    if kind == "temperature":
        return Calibration(kind="temperature", numbers=(_temperature(answers, truth),))
    if kind == "platt":
        return Calibration(kind="platt", numbers=_sigmoid(answers, truth))
    return Calibration(kind="isotonic", numbers=_steps(answers[:, 1], truth == 1))


def _temperature(answers: Array, truth: Array) -> float:
    """Return the factor on log probabilities with the least log loss."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: _losses(
            model.calibrated(answers, Calibration(kind="temperature", numbers=(float(np.exp(log)),))), truth
        ).mean(),
        bounds=(np.log(0.1), np.log(10.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _sigmoid(answers: Array, truth: Array) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(numbers: Array) -> float:
        how = Calibration(kind="platt", numbers=(float(numbers[0]), float(numbers[1])))
        return float(_losses(model.calibrated(answers, how), truth).mean())

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-9})
    slope, offset = (float(number) for number in found.x)
    return (slope, offset) if slope > 0 else (1.0, 0.0)


def _steps(answers: Array, is_second: Array) -> tuple[float, ...]:
    """Return knots (place, value, place, value, …) of a curve that never falls."""
    from sklearn.isotonic import IsotonicRegression

    risen = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(answers, is_second.astype(float))
    at = np.unique(np.quantile(answers, np.linspace(0, 1, MAX_KNOTS)))
    at = np.unique(np.r_[0.0, at, 1.0])
    share = 1.0 / (len(answers) + 2.0)  # no row is certain
    value = np.clip(np.maximum.accumulate(risen.predict(at)), share, 1.0 - share)
    return tuple(float(number) for pair in zip(at, value, strict=True) for number in pair)
