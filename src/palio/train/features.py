"""Propose numbers that are worth making of two columns: ratios, differences and products that a quick model misses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from palio import model
from palio.core.cells import carries_text
from palio.core.errors import InputError
from palio.core.seeds import derive
from palio.train.examples import Array, Examples
from palio.train.family import OutOfTime, Params, calm_threads, check_time, n_threads

if TYPE_CHECKING:
    from palio.model import Derived, Preprocessing, PreprocessingOptions, Style

MAX_ROWS = 10_000
"""Rows that are looked at: what they do not show is no great gain."""
MIN_ROWS = 500
N_NUMBERS = 8
"""Numbers that are combined, those that a quick model uses most."""
N_PROPOSED = 6
N_BINS = 16
CLEAR = 35.0
"""Chi-squared of residuals over bins above which they are no chance: with 15 degrees of freedom, p = .002."""
SURE = 2.0
"""Standard errors by which held-out rows must gain."""
ROUNDS = 80


def preprocessing_for(examples: Examples, style: Style, params: Params) -> Preprocessing:
    """Return the preprocessing that settings ask for: plain, or with numbers made of two columns (`made`).

    Raises:
        InputError: they are asked for, and none surely helps on these rows.
    """
    if not params.get("made"):
        return examples.preprocessing(style)
    if style not in examples.made:
        examples.made[style] = propose_features(examples, seed=0, style=style)
    options = examples.made[style]
    if options is None:
        raise InputError(
            "no number made of two columns surely helps", hint="leave `made` out of the settings of the family"
        )
    return examples.preprocessing(style, options)


def propose_features(
    examples: Examples,
    *,
    seed: int,
    style: Style = "tree",
    options: PreprocessingOptions | None = None,
    deadline: float | None = None,
) -> PreprocessingOptions | None:
    """Look for numbers made of two columns that help on rows that were held out; None if none surely does.

    Three fifths of the rows choose: of the pairs of the numbers that a quick model uses most, those whose ratio,
    difference or product tells best what it misses on rows it has not seen. The other rows judge: the same quick model
    must lose less with them, by two standard errors. Costs five quick fits of at most 10,000 rows.

    Args:
        examples: Rows to learn from, e.g. those of a fold.
        seed: Fixes which rows are looked at.
        style: The quick model: boosted trees (`tree`, `forest`), or a linear one.
        options: What is asked of the features beside; the answer asks it, too.
        deadline: Moment on `time.monotonic`: nothing is proposed if it comes before the end.
    """
    calm_threads()
    options = options or model.PreprocessingOptions()
    if len(examples.target) < MIN_ROWS:
        return None
    rng = np.random.default_rng(derive(seed, "features"))
    rows = rng.permutation(len(examples.target))[:MAX_ROWS]
    cut = 3 * len(rows) // 5
    choosing, judging = examples.take(rows[:cut]), examples.take(rows[cut:])
    try:
        found = _chosen(choosing, style, options, deadline)
        if not found:
            return None
        before = _losses(choosing, judging, style, options, deadline)
        for derived in (found, found[:1]) if len(found) > 1 else (found,):
            asked = msgspec.structs.replace(options, derived=(*options.derived, *derived))
            gain = before - _losses(choosing, judging, style, asked, deadline)
            if gain.mean() > SURE * gain.std(ddof=1) / len(gain) ** 0.5:
                return asked
    except OutOfTime:
        return None
    return None


def _chosen(
    examples: Examples, style: Style, options: PreprocessingOptions, deadline: float | None
) -> tuple[Derived, ...]:
    """Return the numbers of two columns that tell best what a quick model misses, at most one of a pair of columns."""
    half = len(examples.target) // 2
    order = np.arange(len(examples.target))
    missed = np.empty((len(order), _n_scores(examples)))
    used: dict[str, float] = {}
    for learned, asked in ((order[:half], order[half:]), (order[half:], order[:half])):
        quick = _fit(examples.take(learned), style, options, deadline)
        rows = examples.take(asked)
        missed[asked] = _truth(rows) - quick.answer(rows)
        for name, use in quick.used.items():
            used[name] = used.get(name, 0.0) + use
    strongest = sorted(used, key=lambda name: (-used[name], name))[:N_NUMBERS]
    feeds = examples.feeds()
    cells = {name: feeds[model.input_name(name)][:, 0] for name in strongest}
    for values in (*cells.values(), *cells.values()):  # what one number tells by itself needs no other
        missed = _without(values, missed)
    best: list[tuple[float, Derived]] = []
    for one, other in combinations(strongest, 2):
        check_time(deadline)
        made = _made_of(one, other, cells)
        told = [(_tells(values, missed), derived) for derived, values in made]
        most, derived = max(told, key=lambda pair: pair[0])
        if most > CLEAR:
            best.append((most, derived))
    best.sort(key=lambda pair: (-pair[0], pair[1].columns))
    return tuple(derived for _, derived in best[:N_PROPOSED])


def _made_of(one: str, other: str, cells: dict[str, Array]) -> list[tuple[Derived, Array]]:
    """Return a ratio, a difference and a product; the divisor is the number that is zero less often."""
    first, second = (one, other) if (cells[other] == 0).sum() <= (cells[one] == 0).sum() else (other, one)
    with np.errstate(all="ignore"):
        x, y = cells[first], cells[second]
        ratio = np.where(y == 0, np.nan, x / np.where(y == 0, 1.0, y))
        return [
            (model.Derived(operation="ratio", columns=(first, second)), ratio),
            (model.Derived(operation="difference", columns=(first, second)), x - y),
            (model.Derived(operation="product", columns=(first, second)), x * y),
        ]


def _bins(values: Array) -> Array:
    """Return the bin of each row, shape (n_rows,): as many rows in each, and a bin for what is not known."""
    known = values[np.isfinite(values)]
    if known.size < N_BINS:
        return np.zeros(len(values), np.int64)
    edges = np.unique(np.quantile(known, np.arange(1, N_BINS) / N_BINS))
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, np.nan_to_num(values), side="right"))


def _without(values: Array, missed: Array) -> Array:
    """Take the mean of each bin of `values` out of what was missed."""
    at = _bins(values)
    n_rows = np.maximum(np.bincount(at), 1)
    return np.column_stack([column - (np.bincount(at, column) / n_rows)[at] for column in missed.T])


def _tells(values: Array, missed: Array) -> float:
    """Return chi-squared of what was missed over bins of `values`: large where their means differ."""
    at = _bins(values)
    n_rows = np.maximum(np.bincount(at), 1)
    told = 0.0
    for column in missed.T:
        spread = float(column.var())
        sums = np.bincount(at, column - column.mean())
        told = max(told, float((sums**2 / n_rows).sum()) / spread if spread > 0 else 0.0)
    return told


def _losses(
    learned: Examples, asked: Examples, style: Style, options: PreprocessingOptions, deadline: float | None
) -> Array:
    """Return the loss of each row that is asked: squared error, or minus the logarithm of its class's share."""
    answer, truth = _fit(learned, style, options, deadline).answer(asked), _truth(asked)
    if asked.task.kind == "regression":
        return np.asarray(((truth - answer) ** 2).sum(axis=1))
    if truth.shape[1] == 1:
        truth, answer = np.hstack([1 - truth, truth]), np.hstack([1 - answer, answer])
    return np.asarray(-np.log(np.clip((truth * answer).sum(axis=1), 1e-4, 1.0)))


# ── The quick models ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Quick:
    """A quick model: what it used, and how it answers."""

    preprocessing: Preprocessing
    predict: Callable[[Array], Array]
    used: dict[str, float]

    def answer(self, rows: Examples) -> Array:
        """Return values, shares of the second class, or shares of all classes: shape (n_rows, n_scores)."""
        return np.asarray(self.predict(rows.features(self.preprocessing)), np.float64).reshape(len(rows.target), -1)


def _n_scores(examples: Examples) -> int:
    return max(1, len(examples.task.classes)) if len(examples.task.classes) != 2 else 1


def _truth(examples: Examples) -> Array:
    if examples.task.kind == "regression":
        return np.clip(np.asarray(examples.target, np.float64), -1e150, 1e150).reshape(-1, 1)
    shares = np.eye(len(examples.task.classes))[np.asarray(examples.target, np.int64)]
    return np.asarray(shares[:, 1:] if shares.shape[1] == 2 else shares)


def _fit(examples: Examples, style: Style, options: PreprocessingOptions, deadline: float | None) -> _Quick:
    check_time(deadline)
    known: Style = "linear" if style == "linear" else "tree"
    preprocessing = examples.preprocessing(known, options)
    features = examples.matrix(preprocessing)
    if known == "linear":
        predict, use = _fit_linear(examples, features)
    else:
        predict, use = _fit_trees(examples, features, list(preprocessing.categorical))
    plain = {c.name for c in examples.schema.features if not carries_text(c) and c.type != "datetime"}
    used = {
        spec.column: float(use[place])
        for place, spec in enumerate(preprocessing.numbers)
        if spec.column in plain and use[place] > 0
    }
    return _Quick(preprocessing, predict, used)


def _fit_trees(examples: Examples, features: Array, categorical: list[int]) -> tuple[Callable[..., Array], Array]:
    import lightgbm

    task = examples.task
    n_classes = len(task.classes)
    settings: dict[str, object] = {
        "objective": "regression" if not n_classes else "binary" if n_classes == 2 else "multiclass",
        "learning_rate": 0.12,
        "num_leaves": 15,
        "min_data_in_leaf": max(1, min(20, len(features) // 20)),
        "lambda_l2": 1.0,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": n_threads(),
        "verbose": -1,
    }
    if n_classes > 2:
        settings["num_class"] = n_classes
    target, middle, spread = _standardised(examples)
    rows = lightgbm.Dataset(
        features, target, weight=examples.weights, categorical_feature=categorical, params={"verbose": -1}
    )
    booster = lightgbm.train(settings, rows, ROUNDS if n_classes <= 2 else max(20, 2 * ROUNDS // n_classes))
    use = booster.feature_importance("gain")
    return (lambda asked: middle + spread * booster.predict(asked, num_threads=n_threads())), np.asarray(use)


def _fit_linear(examples: Examples, features: Array) -> tuple[Callable[..., Array], Array]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    target, middle, spread = _standardised(examples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a quick model need not be the best one
        if examples.task.kind == "regression":
            ridge = Ridge(alpha=3.0, solver="cholesky").fit(features, target, sample_weight=examples.weights)
            return (lambda asked: middle + spread * ridge.predict(asked)), np.abs(ridge.coef_)
        logistic = LogisticRegression(C=0.3, max_iter=100).fit(features, target, sample_weight=examples.weights)
    shares = len(examples.task.classes)

    def answer(asked: Array) -> Array:
        found = np.zeros((len(asked), shares))
        found[:, logistic.classes_] = logistic.predict_proba(asked)
        return found[:, 1:] if shares == 2 else found

    return answer, np.abs(logistic.coef_).max(axis=0)


def _standardised(examples: Examples) -> tuple[Array, float, float]:
    """Return the target of mean 0 and deviation 1, and what brings it back; classes as they are."""
    if examples.task.kind == "classification":
        return examples.target, 0.0, 1.0
    values = _truth(examples)[:, 0]
    middle, spread = float(values.mean()), float(values.std())
    spread = spread if spread > 0 and np.isfinite(spread) else 1.0
    return (values - middle) / spread, middle, spread
