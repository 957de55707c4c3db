"""Emit small neural networks, several at once, whose answers are averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.tabular.scores import BentInputs, Head, emit_bent, emit_head

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Perceptrons:
    """Networks of the same sizes, as arrays whose first dimension is the network.

    A layer is `weight0`, `bias0`, …, (n_networks, before, after) and (n_networks, 1, after), with SiLU between them.
    """

    inputs: BentInputs
    n_numbers: int
    """The first inputs are numbers."""
    layers: Mapping[str, Numbers]
    """Weights by name; `frequency`, `phase`, `embed` and `embed_bias` if waves are made of the numbers."""
    head: Head


def emit_perceptrons(builder: GraphBuilder, features: str, networks: Perceptrons, task: Task) -> str:
    """Add the networks, reading features of shape (n, n_features); return their mean probabilities or values.

    Raises:
        InputError: a weight is not finite.
    """
    if not all(np.isfinite(weight).all() for weight in networks.layers.values()):
        raise InputError("network: a weight is not finite", hint="fit again with a smaller learning rate")
    rows = builder.node("Unsqueeze", emit_bent(builder, features, networks.inputs), builder.constant([0], "int64"))
    return emit_head(builder, _scores(builder, rows, networks), networks.head, task, is_mean=True)


def _scores(builder: GraphBuilder, rows: str, networks: Perceptrons) -> str:
    """Return scores (n_networks, n, n_scores)."""
    layers = networks.layers
    n_layers = sum(name.startswith("weight") for name in layers)
    first = layers["weight0"] * layers["scale"].transpose(0, 2, 1)
    n_inputs = len(networks.inputs.order)
    before = builder.node("MatMul", rows, builder.constant(np.ascontiguousarray(first[:, :n_inputs])))
    if "frequency" in layers:
        summed = _embedded(builder, rows, networks)
        product = builder.node("MatMul", summed, builder.constant(np.ascontiguousarray(first[:, n_inputs:])))
        before = builder.node("Add", before, product)
    before = builder.node("Add", before, builder.constant(layers["bias0"]))
    for layer in range(1, n_layers):
        values = builder.node("Mul", before, builder.node("Sigmoid", before))
        before = builder.node("MatMul", values, builder.constant(layers[f"weight{layer}"]))
        before = builder.node("Add", before, builder.constant(layers[f"bias{layer}"]))
    return before


def _embedded(builder: GraphBuilder, rows: str, networks: Perceptrons) -> str:
    """Return what the waves of the numbers are summed up to, (n_networks, n, n_numbers · n_embedded)."""
    layers = networks.layers
    embed = layers["embed"]
    numbers = rows
    if networks.n_numbers < len(networks.inputs.order):
        numbers = builder.node("Gather", rows, builder.constant(list(range(networks.n_numbers)), "int64"), axis=2)
    turned = builder.node("Transpose", numbers, perm=[0, 2, 1])
    column = builder.node("Unsqueeze", turned, builder.constant([3], "int64"))  # (1, n_numbers, n, 1)
    angles = builder.node("Mul", column, builder.constant(layers["frequency"]))
    waves = builder.node("Cos", builder.node("Add", angles, builder.constant(layers["phase"])))
    summed = builder.node("MatMul", waves, builder.constant(embed))
    summed = builder.node("Add", summed, builder.constant(layers["embed_bias"]))
    back = builder.node("Transpose", summed, perm=[0, 2, 1, 3])
    shape = [embed.shape[0], -1, embed.shape[1] * embed.shape[3]]
    return builder.node("Reshape", back, builder.constant(shape, "int64"))
