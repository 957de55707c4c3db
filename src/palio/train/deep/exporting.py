"""Write a network as one self-contained ONNX graph, and hold the graph against it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError, PalioError
from palio.train.examples import Array

TORCH_OPSET = 20
"""The last that the exporter knows which needs no further package; the graph is then brought to Palio's."""
TOLERANCE = 1e-4
SCORES = "scores"


def exported(module: Any, example: Mapping[str, Array], *, tolerance: float = TOLERANCE, is_set: bool = False) -> bytes:
    """Return a network in evaluation mode as ONNX: named inputs with any number of rows, one output `scores`.

    The graph is asked with one row, two and three, and all it has, and must answer as the network does.

    Args:
        module: The network.
        example: Input → a few rows, in the order of the network's arguments. Texts, which may be longer later, are
            called `ids0` and `mask0`, `ids1` and `mask1`, and so on.
        tolerance: Greatest difference of a score.
        is_set: The second axis of the answer is in no order that matters.

    Raises:
        InputError: the exporter cannot write it, or the graph answers otherwise.
    """
    import torch

    module = module.eval()
    axes = {name: {0: "n", 1: f"t{name[-1]}"} if name[:-1] in ("ids", "mask") else {0: "n"} for name in example}
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(rows[:2])) for rows in example.values())
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter is old, and says so; what it makes is checked below
        try:
            torch.onnx.export(
                module,
                inputs,
                file,
                dynamo=False,
                opset_version=TORCH_OPSET,
                input_names=list(example),
                output_names=[SCORES],
                dynamic_axes=axes | {SCORES: {0: "n"}},
            )
        except (RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"the network cannot be written as ONNX: {str(error).strip().splitlines()[0][:200]}",
                hint="choose another backbone",
            ) from None
    graph = model.at_our_opset(file.getvalue())
    check_export(graph, module, example, tolerance=tolerance, is_set=is_set)
    return graph


def check_export(
    graph: bytes,
    module: Any,
    rows: Mapping[str, Array],
    *,
    tolerance: float = TOLERANCE,
    batch: int = 64,
    is_set: bool = False,
) -> float:
    """Hold a graph against its network: with one row, two, three, and with all of them in batches.

    Returns:
        The greatest difference of a score.

    Raises:
        InputError: it is greater than the tolerance.
    """
    import torch

    runner = model.Graph(graph)
    n_rows = len(next(iter(rows.values())))
    worst = 0.0
    sizes = [slice(0, k) for k in (1, 2, 3)] + [slice(at, at + batch) for at in range(0, n_rows, batch)]
    with torch.inference_mode():
        for part in sizes:
            taken = {name: np.ascontiguousarray(one[part]) for name, one in rows.items()}
            expected = module(*(torch.from_numpy(one) for one in taken.values())).float().numpy()
            try:
                found = runner.run(taken)[SCORES]
            except PalioError as error:
                raise InputError(
                    f"the graph does not take {len(expected)} rows: {error.message}", hint="choose another backbone"
                ) from None
            if found.shape != expected.shape:
                gap = np.array([np.inf])
            elif is_set:  # each answer has its twin: which of two that are as good comes first, is chance
                gaps = np.abs(found[:, :, None] - expected[:, None]).max(axis=3)
                gap = np.concatenate([gaps.min(axis=1), gaps.min(axis=2)])
            else:
                gap = np.abs(found - expected)
            worst = max(worst, float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0)))
    if worst > tolerance:
        raise InputError(
            f"the graph answers up to {worst:.2g} beside the network, {tolerance:g} is allowed",
            hint="choose another backbone",
        )
    return worst
