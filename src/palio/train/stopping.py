"""Hold back some of the rows that a fit learns from, so that it can tell when to stop without a look at other rows."""

from __future__ import annotations

import msgspec
import numpy as np

from palio import split
from palio.core import seeds
from palio.core.errors import InputError
from palio.core.records import Parts
from palio.train.family import Examples

WATCHED_PARTS = 8
"""One row of so many is held back: 12.5 %."""


def hold_back(examples: Examples, parts: Parts | None) -> tuple[Examples, Examples | None]:
    """Cut examples into those to learn from and those to watch, the way the parts themselves were cut.

    By hash and stratified; groups stay whole; by time the last rows are watched. The rows that are watched are an
    eighth of those given, and none of any other part or fold.

    Args:
        examples: What a fit may know of.
        parts: Gives method and seed; None: nothing is held back.

    Returns:
        Rows to learn from and rows to watch; all rows and None where they cannot be cut, or where a class would be
        left without a row to learn from.
    """
    if parts is None:
        return examples, None
    # Forward chaining cuts off as many stretches as there are folds, after a first one that is only learned from.
    n_folds = WATCHED_PARTS - 1 if parts.method == "time" else WATCHED_PARTS
    terms = msgspec.structs.replace(parts, n_folds=n_folds, seed=seeds.derive(parts.seed, "watch"))
    try:
        learned, watched = split.folds(examples.frame, terms, examples.task, schema=examples.schema)[-1]
    except InputError:  # too few rows, groups or moments
        return examples, None
    is_class = examples.task.kind == "classification"
    if is_class and len(np.unique(examples.target[learned])) < len(np.unique(examples.target)):
        return examples, None
    return examples.take(learned), examples.take(watched)
