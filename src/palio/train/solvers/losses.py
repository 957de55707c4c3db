"""What a fit makes small: how a score becomes an answer, and where the loss falls most steeply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.train.examples import Array, Examples, Objective, level_of, objective_of

FOCUS = 2.0
"""Exponent of the focal loss (Lin et al. 2017)."""
_CORNERS: dict[str, float] = {"huber": 0.5, "absolute": 0.05, "quantile": 0.05}
"""Error, in parts of the spread, from which on these losses rise in a straight line."""
_FEW = 7
"""Classes that are summed one after the other, as NumPy does it."""
_LARGEST_LOG = 30.0
"""Scores of counts are cut to this; see also `palio.model.tabular.scores`."""


@dataclass(frozen=True)
class Loss:
    """One objective on scores of about unit size.

    Scores and targets have shape (…, n_rows, n_scores): one-hot rows for classes, scaled values for numbers.
    """

    objective: Objective
    present: Array
    """Indices of the classes that have examples; empty for values."""
    n_classes: int
    center: float = 0.0
    spread: float = 1.0
    level: float = 0.5
    """The quantile that `quantile` aims at: what is too low costs so much of an error, what is too high the rest."""

    @property
    def n_scores(self) -> int:
        """How many scores a row has."""
        return len(self.present) or 1

    @property
    def head(self) -> model.Head:
        """How the graph ends."""
        present = tuple(int(c) for c in self.present)
        return model.Head(
            present=present, is_exponential=self.objective == "poisson", center=self.center, spread=self.spread
        )

    def targets(self, target: Array) -> Array:
        """Return what the scores of rows should say, shape (n_rows, n_scores)."""
        if self.n_classes:
            return np.asarray(target[:, None] == self.present[None, :], dtype=np.float64)
        return ((np.asarray(target, np.float64) - self.center) / self.spread)[:, None]

    def start(self, targets: Array, weights: Array | None = None) -> Array:
        """Return the scores that are best for all rows alike, shape (n_scores,)."""
        mean = np.average(targets, axis=0, weights=weights)
        if self.n_classes or self.objective == "poisson":
            return np.asarray(np.log(np.maximum(mean, 1e-6)))
        if self.objective in ("absolute", "quantile", "huber"):
            return np.asarray(np.quantile(targets, self.level, axis=0))
        return np.asarray(mean)

    def found(self, scores: Array) -> Array:
        """Turn scores into probabilities of the classes that are present, or into values on the scale of targets."""
        if self.n_classes:
            return softmax(scores)
        if self.objective == "poisson":
            return np.asarray(np.exp(np.minimum(scores, _LARGEST_LOG)))
        return scores

    def gradient(self, scores: Array, targets: Array, found: Array | None = None) -> Array:
        """Return by what each score makes the loss of its row larger; `found` of the scores where it is known."""
        found = self.found(scores) if found is None else found
        gap: Array = found - targets
        if self.objective == "focal":
            right = np.clip(_of_truth(found, targets)[..., None], 1e-7, 1.0)
            gap = gap * ((1 - right) ** FOCUS - FOCUS * right * (1 - right) ** (FOCUS - 1) * np.log(right))
        elif self.objective in _CORNERS:
            corner = _CORNERS[self.objective]
            gap = np.clip(gap, -corner, corner) / corner * self._tilt(gap)
        return np.asarray(gap)

    def value(self, scores: Array, targets: Array, found: Array | None = None) -> Array:
        """Return the loss of each row, shape (…, n_rows), whose slope is `gradient`; `found` as there."""
        if self.n_classes or self.objective == "poisson":
            found = self.found(scores) if found is None else found
            if not self.n_classes:
                return np.asarray((found - targets * scores)[..., 0])
            right = np.clip(_of_truth(found, targets), 1e-15, 1.0)
            return np.asarray(-np.log(right) * ((1 - right) ** FOCUS if self.objective == "focal" else 1.0))
        gap = (scores - targets)[..., 0]
        if self.objective in _CORNERS:
            corner, size = _CORNERS[self.objective], np.abs(gap)
            risen = np.where(size <= corner, gap * gap / (2 * corner), size - corner / 2)
            return np.asarray(self._tilt(gap) * risen)
        return np.asarray(gap * gap / 2)

    def _tilt(self, gap: Array) -> Array:
        """Return what an error counts, by its sign: 1 for the median."""
        return np.asarray(2 * np.where(gap > 0, 1 - self.level, self.level))

    def spread_out(self, found: Array) -> Array:
        """Return probabilities of all classes, (n_rows, n_classes), or values in the target's units, (n_rows,)."""
        if not self.n_classes:
            return np.asarray(found[:, 0] * self.spread + self.center)
        out = np.zeros((len(found), self.n_classes))
        out[:, self.present] = found
        return out

    def score(self, answers: Array, target: Array, weights: Array | None = None) -> float:
        """Return the mean loss of answers in the target's units: log loss, or what the objective says of values."""
        return float(np.average(self._losses(answers, target), weights=weights))

    def _losses(self, answers: Array, target: Array) -> Array:
        if self.n_classes:
            return np.asarray(-np.log(np.clip(answers[np.arange(len(target)), target], 1e-15, 1.0)))
        gap = answers - target
        if self.objective in ("absolute", "quantile"):
            return np.asarray(self._tilt(gap) * np.abs(gap))
        if self.objective == "huber":
            bend, size = _CORNERS["huber"] * self.spread, np.abs(gap)
            return np.asarray(np.where(size <= bend, gap * gap / 2, bend * (size - bend / 2)))
        if self.objective == "poisson":
            return np.asarray(answers - target * np.log(np.maximum(answers, 1e-300)))
        return np.asarray(gap * gap)


def loss_of(examples: Examples, family: str) -> Loss:
    """Return what a fit on `examples` makes small, scaled to them.

    Raises:
        InputError: one class only, or values that are no counts for the objective `poisson`.
    """
    objective = objective_of(examples)
    target = examples.target
    if examples.task.kind == "classification":
        present = np.unique(target)
        if len(present) < 2:
            raise InputError(f"{family}: only one class has examples", hint="bring rows of at least two classes")
        return Loss("focal" if objective == "focal" else "log_loss", present, len(examples.task.classes))
    none = np.zeros(0, dtype=np.int64)
    if objective == "poisson":
        low, mean = float(target.min()), float(np.average(target, weights=examples.weights))
        if low < 0 or mean <= 0:
            raise InputError(
                f"{family}: objective `poisson` got values from {low:g} to {target.max():g}, it takes counts (0 or "
                "more, not all of them 0)",
                hint="choose objective `squared`, or a target that counts",
            )
        return Loss(objective, none, 0, 0.0, mean)
    if objective in ("log_loss", "focal"):
        objective = "squared"
    if objective == "squared":
        center = float(np.average(target, weights=examples.weights))
        spread = float(np.sqrt(np.average((target - center) ** 2, weights=examples.weights)))
        return Loss(objective, none, 0, center, _positive(spread))
    q1, middle, q3 = (float(q) for q in np.quantile(target, [0.25, 0.5, 0.75]))
    spread = (q3 - q1) / 1.35 or _positive(float(target.std()))
    return Loss(objective, none, 0, middle, spread, level_of(examples) if objective == "quantile" else 0.5)


def _positive(spread: float) -> float:
    return spread if spread > 0 and np.isfinite(spread) else 1.0


def softmax(scores: Array) -> Array:
    """Turn scores (…, n_classes) into probabilities."""
    raised: Array = np.exp(scores - _across(np.maximum, scores))
    raised /= _across(np.add, raised)
    return raised


def _across(combine: np.ufunc, values: Array) -> Array:
    """Combine the classes of each row, (…, n_classes) → (…, 1); of a few at once, which is what NumPy is slow at."""
    if values.shape[-1] > _FEW:
        return np.asarray(combine.reduce(values, axis=-1, keepdims=True))
    whole = values[..., :1]
    for index in range(1, values.shape[-1]):
        whole = combine(whole, values[..., index : index + 1])
    return whole


def _of_truth(found: Array, targets: Array) -> Array:
    """Return the probability of the true class of each row, (…, n_rows)."""
    return np.asarray(np.einsum("...k,...k->...", found, targets))
