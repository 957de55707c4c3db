"""Measure how far two ways of predicting the same rows are apart."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Parity, Precision
from palio.measure import as_texts
from palio.model.bundle.found import boxes_apart, wrongly_chosen
from palio.model.graph.session import Feeds, Graph, Outputs

TOLERANCE = 1e-9
"""Largest difference that passes: float64 sums in another order differ by 1e-12 at most (see tests/model)."""
TOLERANCES: dict[Precision, float] = {"float64": TOLERANCE, "float32": 1e-4, "float16": 5e-3, "int8": 5e-2}
"""Precision of a graph → largest difference that passes: sums of a network in another order differ by 1e-5, and rounded
numbers by a step of their scale where two machines round in another place."""


def check_parity(
    graph: Graph,
    feeds: Feeds,
    reference: Outputs,
    *,
    path: str = "library and graph",
    tolerance: float | None = None,
    threshold: float | None = None,
) -> Parity:
    """Compare the answers of `graph` to `feeds` with `reference`: see `compare_outputs`.

    Without a `tolerance` it is that of what the graph computes in.
    """
    tolerance = TOLERANCES[graph.precision] if tolerance is None else tolerance
    return compare_outputs(graph.predict(feeds), reference, path=path, tolerance=tolerance, threshold=threshold)


def compare_outputs(
    outputs: Outputs,
    reference: Outputs,
    *,
    path: str = "library and graph",
    tolerance: float = TOLERANCE,
    threshold: float | None = None,
) -> Parity:
    """Compare answers row by row.

    Probabilities differ by |a - b|; values by |a - b| / max(1, |b|). A label counts as different unless the reference
    gives the two labels' best probabilities within `tolerance` of each other, or that of the second of two classes
    within it of the `threshold` from which it is said: the last bit of a sum breaks such ties. An answer that is not a
    number never passes. Of boxes, those that only one of the two has count as labels, or, where it is known what the
    reference chose from, those that were not to be chosen, or to be dropped; corners differ in parts of the longer
    side of their box.

    Raises:
        InputError: the two do not answer the same number of rows, or only one has probabilities.
    """
    if len(outputs.prediction) != len(reference.prediction):
        raise InputError(
            f"parity: {len(outputs.prediction)} answers and {len(reference.prediction)}",
            hint="compare answers to the same rows",
        )
    n_rows = len(outputs.prediction)
    n_label_diffs = 0
    if outputs.are_boxes != reference.are_boxes:
        raise InputError("parity: only one of the two finds boxes", hint="compare answers to the same task")
    if (outputs.probabilities is None) != (reference.probabilities is None):
        raise InputError("parity: only one of the two has probabilities", hint="compare answers to the same task")
    if reference.candidates:
        largest, n_label_diffs = wrongly_chosen(outputs.prediction, reference.candidates, tolerance=tolerance)
    elif reference.are_boxes:
        largest, n_label_diffs = boxes_apart(outputs.prediction, reference.prediction, tolerance=tolerance)
    elif outputs.probabilities is not None and reference.probabilities is not None:
        largest = _largest(outputs.probabilities - reference.probabilities)
        differs = as_texts(outputs.prediction) != as_texts(reference.prediction)
        best = np.sort(reference.probabilities, axis=1)[:, -2:]
        apart = best[:, 1] - best[:, 0] if threshold is None else np.abs(reference.probabilities[:, 1] - threshold)
        n_label_diffs = int((differs & ~(apart <= tolerance)).sum())
    else:
        expected = np.asarray(reference.prediction, dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            gap = (np.asarray(outputs.prediction, dtype=np.float64) - expected) / np.maximum(1.0, np.abs(expected))
        largest = _largest(gap)
    return Parity(
        path=path,
        rows=n_rows,
        max_abs_diff=largest,
        n_label_diffs=n_label_diffs,
        tolerance=tolerance,
        passed=largest <= tolerance and n_label_diffs == 0,
    )


def _largest(gap: npt.NDArray[Any]) -> float:
    """Return the largest absolute number; the largest there is, if one is none (records hold finite numbers)."""
    sizes = np.abs(gap)
    return float(np.where(np.isfinite(sizes), sizes, sys.float_info.max).max(initial=0.0))
