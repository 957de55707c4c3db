"""Weigh the words of texts and add them up, beside the features of the other columns: what a text alone often needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Feeds, Shape
from palio.train.family import (
    FixedSettings,
    Params,
    calm_threads,
    check_time,
    class_outputs,
    need_two_classes,
    value_outputs,
)

MAX_STEPS = 200


@dataclass(frozen=True)
class _Block:
    """The texts of one column, and what their entries add to each score."""

    weighing: model.Weighing
    sums: Array
    """Shape (n_entries, n_scores), float32."""

    def add(self, texts: Array) -> Array:
        """Return the sums of texts, shape (n_rows, n_scores)."""
        counts = model.count_entries(self.weighing.reading, texts.ravel().tolist())
        return np.asarray(self.weighing.weigh(counts) @ self.sums.astype(np.float64))


@dataclass(frozen=True)
class WordsFitted:
    """Sums over the entries of texts, and over the features of the other columns."""

    blocks: tuple[_Block, ...]
    preprocessing: model.Preprocessing | None
    """Of the columns that are no texts; None if there are none."""
    coefficients: Array
    """Shape (n_scores, n_features)."""
    intercepts: Array
    """Shape (n_scores,)."""
    task: Task
    curve: Array | None = None

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return sum(block.sums.size for block in self.blocks) + self.coefficients.size + self.intercepts.size

    def at(self, rounds: int) -> WordsFitted:
        """Return the model itself: it does not learn in rounds."""
        return self

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return the answers of sparse matrices, which the graph is held against."""
        feeds = rows.feeds() if isinstance(rows, Examples) else rows
        scores = self.intercepts + sum(block.add(feeds[block.weighing.reading.input]) for block in self.blocks)
        if self.preprocessing is not None:
            features = (
                rows.features(self.preprocessing) if isinstance(rows, Examples) else self.preprocessing.transform(feeds)
            )
            scores = scores + features @ self.coefficients.T
        if self.task.kind == "regression":
            return value_outputs(scores[:, 0])
        return class_outputs(_probabilities(scores), self.task)

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add all nodes from raw columns on; return probabilities (n, n_classes) or values (n, 1)."""
        n_scores = len(self.intercepts)
        found = [block.weighing.emit(builder, block.sums) for block in self.blocks]
        weights = [np.eye(n_scores)] * len(found)
        if self.preprocessing is not None:
            found.append(self.preprocessing.emit(builder))
            weights.append(self.coefficients)
        return model.emit_linear(builder, builder.concat(found), np.hstack(weights), self.intercepts, self.task)


class Words(FixedSettings):
    """Penalised linear models on words, words in a row, and pieces of words.

    Source: Joachims 1998, ECML (linear models of weighed words); Wang and Manning 2012, ACL (`bayes`: entries are
    weighed by how much oftener they stand in one class); Cavnar and Trenkle 1994, SDAIR (pieces).
    """

    name = "words"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    needs: tuple[str, ...] = ("text",)
    """Types of which a column must be there."""
    n_settings = 2

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: texts are cut once, then some thirty passes over a hundred entries of each row."""
        cutting = 3e-4 if params.get("pieces", True) else 8e-5
        passes = 6e-5 * max(1, shape.n_classes if shape.n_classes > 2 else 1)
        return 0.05 + shape.n_rows * (cutting + passes)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return a light penalty, a firm and a lighter one; with pieces of words."""
        return [{"penalty": penalty, "pieces": True} for penalty in (0.1, 1.0, 0.03)]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the weight of the squared penalty, and whether pieces of words count."""
        return {
            "penalty": trial.suggest_float("penalty", 1e-3, 100.0, log=True),
            "pieces": trial.suggest_categorical("pieces", [True, False]),
        }

    def hurry(self, params: Params, share: float) -> Params:
        """Leave out pieces of words: most of what there is to count."""
        return {**params, "pieces": False} if share < 0.6 else params

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> WordsFitted:
        """Fit the weights by L-BFGS or conjugate gradients, so `seed` is not used.

        Raises:
            OutOfTime: the deadline has come.
            InputError: no column is a text, no word stands in two rows, or fewer than two classes have examples.
        """
        calm_threads()
        import threadpoolctl
        from scipy import sparse

        check_time(deadline)
        need_two_classes(examples, "words")
        weighings, parts = _weighed(examples, pieces=bool(params["pieces"]), deadline=deadline)
        preprocessing = _others(examples)
        if preprocessing is not None:
            parts.append(sparse.csr_matrix(examples.matrix(preprocessing)))
        check_time(deadline)
        with threadpoolctl.threadpool_limits(1, user_api="blas"):  # sums must not depend on the machine's load
            learn = _ridge if examples.task.kind == "regression" else _logistic
            weights, intercepts = learn(sparse.hstack(parts, format="csr"), examples, float(params["penalty"]))
        check_time(deadline)
        ends = np.cumsum([part.shape[1] for part in parts])
        split = np.split(weights, ends[:-1], axis=1)
        blocks = tuple(
            _Block(weighing, np.ascontiguousarray(sums.T.astype(np.float32)))
            for weighing, sums in zip(weighings, split, strict=False)
        )
        coefficients = split[-1] if preprocessing is not None else np.zeros((len(intercepts), 0))
        return WordsFitted(blocks, preprocessing, coefficients, intercepts, examples.task)


def _weighed(examples: Examples, *, pieces: bool, deadline: float | None) -> tuple[list[model.Weighing], list[Any]]:
    """Weigh the entries of each text column; columns without any are left out."""
    columns = [column.name for column in examples.schema.features if column.type == "text"]
    if not columns:
        raise InputError("words: no column is a text", hint="leave `words` out of [train] families")
    feeds, weighings, parts = examples.feeds(), [], []
    for name in map(model.input_name, columns):
        check_time(deadline)
        texts = feeds[name].ravel().tolist()
        sizes = (2, 5) if pieces else (0, 0)
        reading, counts = model.learn_reading(name, texts, pieces=sizes)
        if not reading.n_entries:  # nothing is common in a small table: keep what there is
            reading, counts = model.learn_reading(name, texts, pieces=sizes, min_count=1)
        if reading.n_entries:
            weighings.append(model.fit_weighing(reading, counts))
            parts.append(weighings[-1].weigh(counts))
    if not weighings:
        raise InputError("words: the text columns hold no words", hint="leave `words` out of [train] families")
    return weighings, parts


def _others(examples: Examples) -> model.Preprocessing | None:
    """Return the features of the columns that are no texts; None if they say nothing."""
    if all(column.type == "text" for column in examples.schema.features):
        return None
    try:
        return examples.preprocessing("linear", model.PreprocessingOptions(texts=False))
    except InputError:  # none of them differs between rows
        return None


def _ridge(X: Any, examples: Examples, penalty: float) -> tuple[Array, Array]:
    """Return weights (1, n_columns) and intercept (1,), fitted on the standardised target."""
    from sklearn.linear_model import Ridge

    target = examples.target
    middle, spread = float(target.mean()), float(target.std()) or 1.0
    ridge = Ridge(alpha=penalty, solver="sparse_cg", tol=1e-6)
    ridge.fit(X, (target - middle) / spread, sample_weight=examples.weights)
    return ridge.coef_.reshape(1, -1) * spread, np.array([float(ridge.intercept_) * spread + middle])


def _logistic(X: Any, examples: Examples, penalty: float) -> tuple[Array, Array]:
    """Return weights and intercepts: one row of them for two classes, else one for each class."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    target, n_classes = examples.target, len(examples.task.classes)
    present = np.unique(target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are enough to rank and to calibrate
        fitted = LogisticRegression(C=1.0 / penalty, max_iter=MAX_STEPS)
        fitted.fit(X, target, sample_weight=examples.weights)
    if n_classes == 2:
        return np.asarray(fitted.coef_, np.float64), np.asarray(fitted.intercept_, np.float64)
    weights, intercepts = np.zeros((n_classes, X.shape[1])), np.full(n_classes, -np.inf)  # no examples: never said
    if len(present) == 2:  # scikit-learn then fits a single row of scores, for the second class
        weights[present[1]], intercepts[present] = fitted.coef_[0], (0.0, float(fitted.intercept_[0]))
    else:
        weights[present], intercepts[present] = fitted.coef_, fitted.intercept_
    return weights, intercepts


def _probabilities(scores: Array) -> Array:
    """Turn scores into probabilities: logistic for one column of them, softmax for more."""
    both = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
    raised = np.exp(both - both.max(axis=1, keepdims=True))
    total: Array = raised / raised.sum(axis=1, keepdims=True)
    return total


FAMILY = Words()
