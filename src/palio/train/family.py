"""Say what a family of models must be able to do.

A family is one file. It passes `palio.testing.FamilyContract`, and is named in `palio.train.FAMILIES`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Modality, Schema, Task, TaskKind
from palio.train.examples import Array, Examples, Feeds, Shape

if TYPE_CHECKING:
    from palio.model import GraphBuilder, Outputs, Preprocessing, PreprocessingOptions

Params = dict[str, Any]


class OutOfTime(Exception):  # noqa: N818  # not a fault: the budget is spent
    """The deadline has come; what was being fitted is dropped, what is finished is kept."""


def check_time(deadline: float | None) -> None:
    """Raise `OutOfTime` if `deadline` (on `time.monotonic`, seconds; None: never) has passed."""
    if deadline is not None and time.monotonic() >= deadline:
        raise OutOfTime


def calm_threads() -> None:
    """Let the threads of OpenMP sleep while they wait for each other, as long as nobody has said otherwise.

    By default they spin, and on a busy machine one fit of 2 s then takes up to 38 s (LOG.md: threads that wait). It
    must be said before a library that uses OpenMP is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def n_threads() -> int:
    """Count the threads a fit may use: what `OMP_NUM_THREADS` says, else the cores of this process, at most eight."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        return max(1, min(8, len(os.sched_getaffinity(0))))
    except AttributeError:  # not on this platform
        return max(1, min(8, os.cpu_count() or 1))


def options_of(params: Params) -> PreprocessingOptions | None:
    """Return what settings ask of the features, under `features`; None: what is made of columns without being asked.

    Example:
        >>> options_of({"penalty": 1.0}), options_of({"features": {"encode": "both"}}).encode
        (None, 'both')
    """
    asked = params.get("features")
    return msgspec.convert(asked, model.PreprocessingOptions) if asked else None


def features_of(options: PreprocessingOptions) -> dict[str, Any]:
    """Write options as settings hold them under `features`: only what differs from the defaults.

    Example:
        >>> features_of(model.PreprocessingOptions(encode="both"))
        {'encode': 'both'}
    """
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(options))
    return written


class Fitted(Protocol):
    """A model that has learned."""

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned: the measure of simplicity among candidates."""

    @property
    def curve(self) -> Array | None:
        """Loss on the watched rows after each round, shape (n_rounds,); None if it does not learn in rounds."""

    def at(self, rounds: int) -> Fitted:
        """Return the model as it was after so many rounds; itself if it does not learn in rounds or has no more."""

    def reference(self, rows: Examples | Feeds) -> Outputs:
        """Return the library's own answer, which the graph is held against."""

    def emit(self, builder: GraphBuilder) -> str:
        """Add all nodes from raw columns on; return probabilities (n, n_classes) or values (n, 1)."""


def graph_of(fitted: Fitted, schema: Schema, task: Task) -> bytes:
    """Export what was learned, from raw columns to answers, as one ONNX graph."""
    builder = model.GraphBuilder(schema)
    model.emit_answers(builder, fitted.emit(builder), task)
    return builder.build()


class FixedSettings:
    """Base of a family that does not learn in rounds."""

    rounds = ""
    needs: tuple[str, ...] = ()

    def grow(self, params: Params, growth: float) -> Params:
        """Return the settings as they are: they suit other numbers of rows, too."""
        return params

    def hurry(self, params: Params, share: float) -> Params:
        """Return the settings as they are: a fit cannot be cut short."""
        return params


def need_two_classes(examples: Examples, family: str) -> None:
    """Raise `InputError` if a classifier would see one class only."""
    if examples.task.kind == "classification" and len(np.unique(examples.target)) < 2:
        raise InputError(f"{family}: only one class has examples", hint="bring rows of at least two classes")


class Family(Protocol):
    """A kind of model: how to set it, how to fit it, and what a fit costs."""

    @property
    def name(self) -> str:
        """Key in `palio.train.FAMILIES`."""

    @property
    def tasks(self) -> tuple[TaskKind, ...]:
        """Kinds of task it can do."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Kinds of rows it can read."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Types of column that it cannot do without, e.g. `text`."""

    @property
    def n_settings(self) -> int:
        """How many settings are worth a search; 0: one trial says it all."""

    @property
    def rounds(self) -> str:
        """Setting that says how many rounds a fit may take, e.g. `n_estimators`; empty if it does not learn in rounds.

        A fit in rounds is given rows to watch, tells its loss on them round by round, may stop when they gain no more,
        and can go back to any round: the search takes the round that is best over all folds.
        """

    def seconds(self, shape: Shape, params: Params) -> float:
        """Say what a fit costs, in seconds of some machine; the search measures how fast this one is, and multiplies.

        It must rise with rows, columns, classes and rounds as the fit does; depends on nothing but its arguments.
        """

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return well-chosen settings to try first, best guess first; each lies in the space of `suggest`."""

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw settings from an Optuna trial: numbers, strings and booleans by name, no conditional ones."""

    def grow(self, params: Params, growth: float) -> Params:
        """Adapt settings (and rounds) that were found on the rows of a fold to `growth` times as many."""

    def hurry(self, params: Params, share: float) -> Params:
        """Return settings that cost about `share` (0 to 1) of these: fewer rounds, each of which learns more."""

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> Fitted:
        """Learn from `examples`; the same arguments give the same model, whatever the number of threads.

        Args:
            examples: What to learn from.
            params: From `defaults`, `suggest`, `grow` or `hurry`; with a number of rounds or, beside `watch`, without.
            seed: Fixes every use of chance.
            deadline: Moment on `time.monotonic`: a fit in rounds ends with what it has learned by then, any other
                gives up.
            watch: Rows that a fit in rounds judges itself on, and stops when they gain no more.

        Raises:
            OutOfTime: the deadline has come, and there is nothing to show.
            InputError: the examples cannot be learned from.
        """


def reads(family: Family, schema: Schema) -> bool:
    """Tell whether a family can learn from such columns: their modality, and the types that it cannot do without.

    A family that cannot do without a type of column names it in `needs`, e.g. `("text",)`.
    """
    types = {column.type for column in schema.features}
    return schema.modality in family.modalities and types.issuperset(family.needs)


@dataclass(frozen=True)
class TabularFitted:
    """A model on a feature matrix: preprocessing, the library's answer, and its nodes of the graph."""

    preprocessing: Preprocessing
    answer: Callable[[Array], Outputs]
    """Feature matrix (n_rows, n_features) → answers."""
    add: Callable[[GraphBuilder, str], str]
    """Add the model's nodes, reading the feature tensor of the given name; return probabilities or values."""
    n_parameters: int
    curve: Array | None = None
    """Loss on the watched rows after each round."""
    back_to: Callable[[int], TabularFitted] | None = None
    """Number of rounds → the model as it was then."""

    def at(self, rounds: int) -> TabularFitted:
        """Return the model as it was after so many rounds."""
        return self if self.back_to is None else self.back_to(rounds)

    def reference(self, rows: Examples | Feeds) -> Outputs:
        """Return the library's own answer on rows, or on feeds of the graph."""
        if isinstance(rows, Examples):
            return self.answer(rows.features(self.preprocessing))
        return self.answer(self.preprocessing.transform(rows))

    def emit(self, builder: GraphBuilder) -> str:
        """Add all nodes from raw columns on; return probabilities (n, n_classes) or values (n, 1)."""
        return self.add(builder, self.preprocessing.emit(builder))


def class_outputs(probabilities: Array, task: Task, *, threshold: float | None = None) -> Outputs:
    """Turn probabilities (n_rows, n_classes) into answers: the most probable class, the first one on a tie."""
    labels = np.asarray(task.classes, dtype=object)
    said = probabilities.argmax(axis=1) if threshold is None else (probabilities[:, 1] >= threshold).astype(np.int64)
    return model.Outputs(prediction=labels[said], probabilities=probabilities)


def value_outputs(values: Array) -> Outputs:
    """Turn values (n_rows,) into answers."""
    return model.Outputs(prediction=np.asarray(values, dtype=np.float64), probabilities=None)
