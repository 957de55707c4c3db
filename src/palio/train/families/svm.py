"""Compare rows with landmarks: kernel machines, with log loss or least squares in place of the hinge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Shape
from palio.train.family import (
    FixedSettings,
    Params,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    value_outputs,
)
from palio.train.solvers.inputs import Inputs, inputs_of, some
from palio.train.solvers.kernels import Landmarks, choose_landmarks, middle_distance
from palio.train.solvers.losses import Loss, loss_of
from palio.train.solvers.metric import METRIC_LANDMARKS, METRIC_ROWS, PENALTIES, on_landmarks, stretched, unrelated
from palio.train.solvers.penalised import Weighed, choose, ridge

MAX_SAMPLE = 30_000
"""Rows that are learned from; of more, a random part is."""
MAX_LANDMARKS = 1_000
MAX_NUMBERS = 350_000
"""Landmarks × (inputs + scores), so that a graph stays below some 3 MB."""
MAX_LENGTH = 1e5
"""Largest root of the sum of squared coefficients: beyond it what they cancel of each other is lost in rounding."""
_BLOCK = 2048


class Svm(FixedSettings):
    """Kernel machines on landmarks.

    Each of `iterations` measures how steep the answer is along each input, and stretches those that count.
    The loss is the log loss, so that probabilities need no second fit (LOG.md: kernels), or what the objective says.

    Source: Williams and Seeger 2000 (landmarks); Zhu and Hastie 2005 (kernel logistic regression); Radhakrishnan,
        Beaglehole, Pandit and Belkin 2024 (which inputs count).
    """

    name = "svm"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 4

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: likenesses of all rows, and passes over them for each penalty and class."""
        rows = min(shape.n_rows, MAX_SAMPLE)
        n_inputs, scores = 1.5 * shape.n_features, max(1, shape.n_classes)
        marks = min(rows, MAX_LANDMARKS)
        few, small = min(rows, METRIC_ROWS), min(rows, METRIC_LANDMARKS)
        metric = few * small * (n_inputs * (1 + min(scores, 8)) + small)
        passes = 8_000 + 1_000 * scores if shape.n_classes else 4 * marks
        work = int(params["iterations"]) * metric + rows * marks * (n_inputs + 2 * marks + passes)
        return 0.1 + 1e-3 * shape.n_features + 1e-7 * shape.n_rows * shape.n_features + 5e-11 * work

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return a smooth kernel whose inputs are stretched, then one in which far rows count."""
        first = {"kernel": "gaussian", "width": 1.0, "penalty": 1.0, "iterations": 2}
        return [first, first | {"kernel": "rational", "width": 0.5}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the kernel, its width in median distances, and the penalty in parts of the one that seems best."""
        return {
            "kernel": trial.suggest_categorical("kernel", ["gaussian", "rational", "polynomial"]),
            "width": trial.suggest_float("width", 0.05, 20.0, log=True),
            "penalty": trial.suggest_float("penalty", 0.1, 10.0, log=True),
            "iterations": trial.suggest_int("iterations", 0, 3),
        }

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Choose landmarks and a penalty, and fit; one thread, so that sums are always the same.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples, or values that do not suit the objective.
        """
        calm_threads()
        import threadpoolctl

        check_time(deadline)
        loss = loss_of(examples, self.name)
        preprocessing = examples.preprocessing("linear")
        rng = np.random.default_rng(seed)
        chosen = some(len(examples.target), MAX_SAMPLE, rng)
        features = examples.matrix(preprocessing)[chosen]
        inputs = inputs_of(features)
        weights = None if examples.weights is None else examples.weights[chosen]
        target = examples.target[chosen]
        longest = MAX_LENGTH
        if not loss.n_classes:  # graph and library have to agree on small values, too
            longest *= max(1.0, float(np.quantile(np.abs(target), 0.01))) / max(1.0, loss.spread)
        learner = _Learner(loss, params, loss.targets(target), weights, deadline, rng, longest)
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            factors, landmarks, weighed = learner.run(inputs(features))
        machine = _Machine(inputs, factors, landmarks, weighed, loss, examples.task)
        return TabularFitted(
            preprocessing=preprocessing,
            answer=machine.answer,
            add=machine.add,
            n_parameters=int(weighed.coefficients.size + weighed.intercepts.size),
        )


def _most(n_inputs: float, n_scores: int) -> int:
    return int(max(20, min(MAX_LANDMARKS, MAX_NUMBERS / (n_inputs + n_scores))))


@dataclass(frozen=True)
class _Learner:
    """One fit."""

    loss: Loss
    params: Params
    targets: Array
    weights: Array | None
    deadline: float | None
    rng: np.random.Generator
    longest: float
    """Largest length of coefficients."""

    def run(self, inputs: Array) -> tuple[Array, Landmarks, Weighed]:
        """Return how much each input counts, the landmarks, and their coefficients."""
        factors = np.ones(inputs.shape[1])
        for _ in range(int(self.params["iterations"])):
            factors = stretched(inputs, factors, self.targets, self.weights, self._landmarks, self.rng, self.deadline)
        inputs = inputs * factors
        most = _most(inputs.shape[1], self.loss.n_scores)
        landmarks, triangle = self._landmarks(inputs, min(most, len(inputs)))
        alike = unrelated(landmarks, triangle, inputs)
        weighed = self._weighed(alike, None)
        while True:
            found = on_landmarks(weighed, triangle)
            if not np.linalg.norm(found.coefficients, axis=0).max() > self.longest:
                return factors, landmarks, found
            weighed = self._weighed(alike, 3 * weighed.penalty)

    def _weighed(self, alike: Array, penalty: float | None) -> Weighed:
        """Fit with `penalty`, or with the one that seems best times what was asked for."""
        asked = float(self.params["penalty"])
        fixed = None if penalty is None else np.array([penalty])
        if self.loss.objective != "squared":
            penalties = asked * np.logspace(-3, 1, 7) if fixed is None else fixed
            return choose(alike, self.loss, self.targets, self.weights, penalties, self.rng, deadline=self.deadline)
        penalties = PENALTIES if fixed is None else fixed
        weighed = ridge(alike, self.targets, self.weights, penalties, deadline=self.deadline)
        if fixed is not None or asked == 1.0:
            return weighed
        return ridge(alike, self.targets, self.weights, np.array([weighed.penalty * asked]), deadline=self.deadline)

    def _landmarks(self, inputs: Array, n_landmarks: int) -> tuple[Landmarks, Array]:
        few = inputs[some(len(inputs), 4 * MAX_LANDMARKS, self.rng)]
        width = float(self.params["width"]) * middle_distance(few, self.rng)
        kernel = self.params["kernel"]
        return choose_landmarks(kernel, few, width, n_landmarks, self.rng, self.deadline)


@dataclass(frozen=True)
class _Machine:
    """A kernel machine that has learned."""

    inputs: Inputs
    factors: Array
    landmarks: Landmarks
    weighed: Weighed
    loss: Loss
    task: Task

    def answer(self, features: Array) -> model.Outputs:
        """Answer rows of features."""
        import threadpoolctl

        blocks = []
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            for start in range(0, max(1, len(features)), _BLOCK):
                rows = self.inputs(features[start : start + _BLOCK]) * self.factors
                blocks.append(self.loss.spread_out(self.loss.found(self.weighed.scores(self.landmarks.likeness(rows)))))
        found = np.concatenate(blocks)
        return value_outputs(found) if self.task.kind == "regression" else class_outputs(found, self.task)

    def add(self, builder: model.GraphBuilder, features: str) -> str:
        """Add the nodes of the machine."""
        machine = model.KernelSum(
            inputs=self.inputs.spec,
            factors=self.factors,
            kernel=self.landmarks.kernel,
            landmarks=self.landmarks.rows,
            width=self.landmarks.width,
            coefficients=self.weighed.coefficients,
            intercepts=self.weighed.intercepts,
            head=self.loss.head,
        )
        return model.emit_kernel(builder, features, machine, self.task)


FAMILY = Svm()
