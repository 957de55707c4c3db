"""Learn with small neural networks: a few at once, whose answers are averaged, in plain numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Shape
from palio.train.family import OutOfTime, Params, TabularFitted, calm_threads, check_time, class_outputs, value_outputs
from palio.train.solvers.inputs import Inputs, inputs_of, some
from palio.train.solvers.losses import Loss, loss_of
from palio.train.solvers.perceptron import Descent, Drop, Layout, backward, forward

MAX_SAMPLE = 500_000
"""Rows that are learned from; of more, a random part is."""
EPOCH_ROWS = 65_536
"""Rows of one epoch: of more rows, each epoch takes others."""
MAX_WATCHED = 20_000
MAX_WEIGHTS = 500_000
"""Weights of all networks together, so that a graph stays below 5 MB; wide tables get narrow layers."""
MAX_KEPT_BYTES = 96 << 20
"""Memory for the weights of past epochs; beyond it the oldest are forgotten."""
PATIENCE = 10
"""Epochs without a gain on the watched rows after which a fit ends."""
WAVES, EMBEDDED = 8, 2
_BLOCK = 2048


class Mlp:
    """Multilayer perceptrons on bent numbers, their waves, and one-hot categories.

    Example:
        >>> Mlp().defaults(Shape(1_000, 10, 2), Task(kind="classification", target="y"))[0]["members"]
        6

    Source: see `palio.train.solvers.perceptron`. The defaults were chosen on made tables and on wine, breast cancer
        and diabetes of scikit-learn (LOG.md: networks).
    """

    name = "mlp"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    needs: tuple[str, ...] = ()
    n_settings = 6
    rounds = "epochs"

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: the products of its layers, the waves, and what numpy does for each step."""
        rows = min(shape.n_rows, MAX_SAMPLE, EPOCH_ROWS)
        n_inputs = 1.5 * shape.n_features * (1 + EMBEDDED * params["waves"])
        members = int(params["members"])
        width = min(float(params["width"]), _widest(n_inputs, members))
        layers = int(params["layers"])
        products = n_inputs * width + (layers - 1) * width * width + width * max(1, shape.n_classes)
        elements = 12 * layers * width + 4 * WAVES * shape.n_features * params["waves"]
        epoch = members * rows * (1.5e-10 * products + 1e-9 * elements) + rows / _batch(rows) * 1e-3
        return float(
            0.05
            + 1e-3 * shape.n_features
            + 1e-7 * shape.n_rows * shape.n_features
            + _epochs(shape, params) * (epoch + 1e-3)
        )

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return networks of two layers with waves, then of three that forget more."""
        members = 6 if shape.n_rows <= 5_000 else 4 if shape.n_rows <= 15_000 else 2
        first: Params = {"layers": 2, "width": 128, "members": members, "waves": shape.n_features <= 40}
        first |= {"learning_rate": 1e-2, "dropout": 0.15, "decay": 0.02}
        return [first, first | {"layers": 3, "learning_rate": 6e-3, "dropout": 0.25, "waves": not first["waves"]}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the size of the networks, their inputs, and how they learn."""
        return {
            "layers": trial.suggest_int("layers", 1, 3),
            "width": trial.suggest_int("width", 32, 256, log=True),
            "members": trial.suggest_int("members", 1, 8),
            "waves": trial.suggest_categorical("waves", [False, True]),
            "learning_rate": trial.suggest_float("learning_rate", 5e-4, 5e-2, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "decay": trial.suggest_float("decay", 1e-3, 1.0, log=True),
        }

    def grow(self, params: Params, growth: float) -> Params:
        """Return the settings as they are: an epoch of more rows has more steps."""
        return params

    def hurry(self, params: Params, share: float) -> Params:
        """Take fewer networks, fewer epochs, and longer steps."""
        if share >= 1.0:
            return params
        members = max(1, round(int(params["members"]) * share**0.5))
        left = min(1.0, share * int(params["members"]) / members)
        epochs = max(1, int(int(params.get("epochs", 40)) * left))
        rate = max(float(params["learning_rate"]), min(2e-2, float(params["learning_rate"]) * left**-0.5))
        return params | {"members": members, "epochs": epochs, "learning_rate": rate}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Learn for `epochs`, or until the watched rows gain no more; one thread, so that sums are always the same.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: fewer than two classes have examples, or values that do not suit the objective.
        """
        calm_threads()
        import threadpoolctl

        check_time(deadline)
        loss = loss_of(examples, self.name)
        if examples.task.kind == "regression" and np.ptp(examples.target) == 0.0:
            raise InputError("mlp: every value is the same", hint="bring rows of different values")
        preprocessing = examples.preprocessing("linear")
        rng = np.random.default_rng(seed)
        chosen = some(len(examples.target), MAX_SAMPLE, rng)
        features = examples.matrix(preprocessing)[chosen]
        inputs = inputs_of(features)
        layout = _layout(params, inputs, loss)
        check_time(deadline)
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            course = _Course(layout, loss, inputs, deadline)
            course.watch(watch, preprocessing)
            weights = None if examples.weights is None else examples.weights[chosen]
            course.run(inputs(features), examples.target[chosen], weights, params, rng, _epochs(examples.shape, params))
        return course.fitted(preprocessing, examples.task, course.n_rounds)


def _layout(params: Params, inputs: Inputs, loss: Loss) -> Layout:
    members, has_waves = int(params["members"]), bool(params["waves"]) and inputs.n_numbers > 0
    n_inputs = len(inputs.order) + inputs.n_numbers * EMBEDDED * has_waves
    width = max(8, int(min(params["width"], _widest(n_inputs + loss.n_scores, members))))
    widths = (width,) * int(params["layers"])
    waves = WAVES if has_waves else 0
    return Layout(members, len(inputs.order), inputs.n_numbers, waves, EMBEDDED, widths, loss.n_scores)


def _widest(n_inputs: float, members: int) -> float:
    """Return the width at which the first of two layers and the second have `MAX_WEIGHTS`."""
    return float((n_inputs**2 / 4 + MAX_WEIGHTS / members) ** 0.5 - n_inputs / 2)


def _epochs(shape: Shape, params: Params) -> int:
    """Say how many epochs a fit may take: what is set, else fewer the more rows there are."""
    return int(params.get("epochs", np.clip(round(80 * (2000 / max(1, shape.n_rows)) ** 0.4), 20, 80)))


def _batch(n_rows: int) -> int:
    if n_rows > 20_000:
        return 256 if n_rows < 100_000 else 512
    return max(8, min(128, n_rows // 10))


class _Course:
    """One fit: the weights after each epoch, and the loss on the watched rows."""

    def __init__(self, layout: Layout, loss: Loss, inputs: Inputs, deadline: float | None) -> None:
        self._layout, self._loss, self._inputs, self._deadline = layout, loss, inputs, deadline
        self._watched: tuple[Array, Array, Array | None] | None = None
        self._kept: dict[int, Array] = {}
        self._losses: list[float] = []
        self.n_rounds = 0

    def watch(self, watch: Examples | None, preprocessing: model.Preprocessing) -> None:
        """Judge each epoch on these rows, on every so many of them if they are many."""
        if watch is not None and len(watch.target):
            rows = np.arange(0, len(watch.target), -(-len(watch.target) // MAX_WATCHED))
            features = watch.matrix(preprocessing)[rows]
            weights = None if watch.weights is None else watch.weights[rows]
            self._watched = (self._inputs(features).astype(np.float32), watch.target[rows], weights)

    def run(
        self, rows: Array, target: Array, weights: Array | None, params: Params, rng: np.random.Generator, epochs: int
    ) -> None:
        """Go through the rows until nothing is gained, or there is no time."""
        targets = self._loss.targets(target)
        start = self._layout.start(rng, self._loss.start(targets, weights))
        size = _batch(len(rows))
        n_steps = max(1, min(len(rows), EPOCH_ROWS) // size)
        descent = Descent(
            self._layout,
            start,
            rate=float(params["learning_rate"]),
            decay=float(params["decay"]),
            warm_up=max(5, min(2 * n_steps, 100)),
        )
        batches = _Batches(rows.astype(np.float32), targets.astype(np.float32), weights, self._layout.members, size)
        drop = Drop(float(params["dropout"]), rng)
        for epoch in range(epochs):
            ended = self._epoch(batches.of_epoch(rng, n_steps), descent, drop)
            if not ended and epoch:
                return
            self._keep(descent.mean)
            if not ended or self._is_stuck():
                return

    def _epoch(self, batches: Any, descent: Descent, drop: Drop) -> bool:
        """Take the steps of one epoch; return whether there was time for all of them."""
        gradient = np.empty_like(descent.point)
        into, point = self._layout.views(gradient), self._layout.views(descent.point)
        for rows, targets, weights in batches:
            try:
                check_time(self._deadline)
            except OutOfTime:
                return False
            scores, kept = forward(self._layout, point, rows, drop)
            gap = self._loss.gradient(scores, targets) * np.float32(1 / rows.shape[1])
            backward(self._layout, point, gap if weights is None else gap * weights, kept, into)
            descent.step(gradient)
        return True

    def _keep(self, weights: Array) -> None:
        self.n_rounds += 1
        self._kept[self.n_rounds] = weights.copy()
        if len(self._kept) * weights.nbytes > MAX_KEPT_BYTES:
            del self._kept[min(self._kept)]
        if self._watched is not None:
            rows, target, counts = self._watched
            found = _found(self._layout, self._loss, weights, rows)
            self._losses.append(self._loss.score(found, target, counts))

    def _is_stuck(self) -> bool:
        return bool(self._losses) and len(self._losses) - 1 - int(np.argmin(self._losses)) >= PATIENCE

    def fitted(self, preprocessing: model.Preprocessing, task: Task, rounds: int) -> TabularFitted:
        """Return the model as it was after so many epochs, or the oldest that is kept."""
        rounds = min(max(rounds, min(self._kept)), self.n_rounds)
        weights = self._kept[rounds].astype(np.float64)
        networks = _Networks(self._layout, self._loss, self._inputs, weights, task)
        return TabularFitted(
            preprocessing=preprocessing,
            answer=networks.answer,
            add=networks.add,
            n_parameters=self._layout.n_weights,
            curve=np.array(self._losses) if self._losses else None,
            back_to=partial(self.fitted, preprocessing, task),
        )


@dataclass(frozen=True)
class _Batches:
    """Rows in random order, another for each network."""

    rows: Array
    targets: Array
    weights: Array | None
    members: int
    size: int

    def of_epoch(self, rng: np.random.Generator, n_steps: int) -> Any:
        """Yield rows, targets and weights, each of shape (members, size, …)."""
        order = np.stack([rng.permutation(len(self.rows)) for _ in range(self.members)])
        weights = None if self.weights is None else self.weights.astype(np.float32)[:, None]
        for step in range(n_steps):
            taken = order[:, step * self.size : (step + 1) * self.size]
            yield self.rows[taken], self.targets[taken], None if weights is None else weights[taken]


@dataclass(frozen=True)
class _Networks:
    """Networks that have learned."""

    layout: Layout
    loss: Loss
    inputs: Inputs
    weights: Array
    """Shape (n_weights,), float64."""
    task: Task

    def answer(self, features: Array) -> model.Outputs:
        """Answer rows of features in float64."""
        import threadpoolctl

        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            found = _found(self.layout, self.loss, self.weights, self.inputs(features))
        return value_outputs(found) if self.task.kind == "regression" else class_outputs(found, self.task)

    def add(self, builder: model.GraphBuilder, features: str) -> str:
        """Add the nodes of the networks."""
        networks = model.Perceptrons(
            inputs=self.inputs.spec,
            n_numbers=self.inputs.n_numbers,
            layers=self.layout.views(self.weights),
            head=self.loss.head,
        )
        return model.emit_perceptrons(builder, features, networks, self.task)


def _found(layout: Layout, loss: Loss, weights: Array, rows: Array) -> Array:
    """Return the mean answers of the networks, a block of rows at a time."""
    views = layout.views(weights)
    blocks = []
    for start in range(0, max(1, len(rows)), _BLOCK):
        scores, _ = forward(layout, views, rows[None, start : start + _BLOCK])
        blocks.append(loss.spread_out(loss.found(scores).mean(axis=0)))
    return np.concatenate(blocks)


FAMILY = Mlp()
