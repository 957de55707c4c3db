"""Collect the trees of a model, and emit them as one `TreeEnsemble` in float64.

Source: ai.onnx.ml 5 `TreeEnsemble`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from palio.model.graph.builder import ML, GraphBuilder

LESS_OR_EQUAL, MEMBER = 0, 6
SUM = 1
NUMBERS_A_ROW = 2_000
"""Numbers that are gathered for one row together: bounds the memory of many trees with many classes."""
NO_TRANSFORM = 0


@dataclass(frozen=True)
class Nodes:
    """Inner nodes of many trees, one entry each."""

    features: npt.NDArray[np.int64]
    splits: npt.NDArray[np.float64]
    modes: npt.NDArray[np.int64]
    missing_true: npt.NDArray[np.bool_]
    children: npt.NDArray[np.int64]
    """Shape (n_nodes, 2): true child, false child; a leaf k is written as -1 - k."""
    members: Sequence[npt.NDArray[np.float64]]
    """The values that each node of mode `MEMBER` asks for."""
    roots: npt.NDArray[np.int64]
    """Of each tree; a leaf of a tree that is one leaf alone."""


class Ensemble:
    """The flat lists of a `TreeEnsemble`: inner nodes and leaves of all trees."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.splits: list[float] = []
        self.modes: list[int] = []
        self.missing_true: list[int] = []
        self.children: list[list[int]] = []
        """Per node: true child, false child; a leaf k is written as -1 - k."""
        self.members: list[float] = []
        self.leaf_targets: list[int] = []
        self.leaf_weights: list[float] = []

    def leaf(self, target: int, weight: float) -> int:
        """Add a leaf that adds `weight` to `target`; return how a child names it."""
        self.leaf_targets.append(target)
        self.leaf_weights.append(weight)
        return -len(self.leaf_weights)

    def split(self, feature: int, threshold: float, *, missing_true: bool) -> int:
        """Add a node whose true child takes values up to `threshold`; return its number."""
        self.features.append(feature)
        self.splits.append(threshold)
        self.modes.append(LESS_OR_EQUAL)
        self.missing_true.append(int(missing_true))
        self.children.append([0, 0])
        return len(self.features) - 1

    def member(self, feature: int, values: list[float], *, missing_true: bool = False) -> int:
        """Add a node whose true child takes what is one of `values`; return its number."""
        node = self.split(feature, 0.0, missing_true=missing_true)
        self.modes[node] = MEMBER
        self.members.extend([*values, float("nan")])
        return node

    def root(self, node: int) -> None:
        """Close a tree; one that is a single leaf gets a split whose sides are the same leaf."""
        if node < 0:
            leaf, node = node, self.split(0, 0.0, missing_true=False)
            self.children[node] = [leaf, leaf]
        self.roots.append(node)

    def extend(self, nodes: Nodes, leaf_targets: npt.NDArray[np.int64], leaf_weights: npt.NDArray[np.float64]) -> None:
        """Add many trees at once; numbers of nodes and leaves count from those that are added."""
        n_nodes, n_leaves = len(self.features), len(self.leaf_targets)
        children = np.where(nodes.children < 0, nodes.children - n_leaves, nodes.children + n_nodes)
        roots = np.where(nodes.roots < 0, nodes.roots - n_leaves, nodes.roots + n_nodes)
        self.features.extend(nodes.features.tolist())
        self.splits.extend(nodes.splits.tolist())
        self.modes.extend(nodes.modes.tolist())
        self.missing_true.extend(nodes.missing_true.astype(int).tolist())
        self.children.extend(children.tolist())
        for values in nodes.members:
            self.members.extend([*values.tolist(), float("nan")])
        self.leaf_targets.extend(leaf_targets.tolist())
        self.leaf_weights.extend(leaf_weights.tolist())
        for root in roots.tolist():
            self.root(root)

    def emit(self, builder: GraphBuilder, features: str, n_targets: int) -> str:
        """Add the ensemble; return the sums of the leaves, float64 (n, n_targets)."""
        children = np.array(self.children, dtype=np.int64)
        is_leaf = children < 0
        ids = np.where(is_leaf, -1 - children, children)
        members = {"membership_values": np.array(self.members, dtype=np.float64)} if self.members else {}
        return builder.node(
            "TreeEnsemble",
            features,
            domain=ML,
            n_targets=n_targets,
            tree_roots=self.roots,
            nodes_featureids=self.features,
            nodes_splits=np.array(self.splits, dtype=np.float64),
            nodes_modes=np.array(self.modes, dtype=np.uint8),
            nodes_missing_value_tracks_true=self.missing_true,
            nodes_truenodeids=ids[:, 0].tolist(),
            nodes_falsenodeids=ids[:, 1].tolist(),
            nodes_trueleafs=is_leaf[:, 0].astype(int).tolist(),
            nodes_falseleafs=is_leaf[:, 1].astype(int).tolist(),
            leaf_targetids=self.leaf_targets,
            leaf_weights=np.array(self.leaf_weights, dtype=np.float64),
            aggregate_function=SUM,
            post_transform=NO_TRANSFORM,
            **members,
        )


AddTree = Callable[[Ensemble, npt.NDArray[np.float64], int], None]
"""Add a tree to an ensemble: one number per leaf (or node), and the target that they add to."""


def emit_row_sums(
    builder: GraphBuilder,
    features: str,
    trees: Sequence[AddTree],
    tables: Sequence[npt.NDArray[np.float64]],
    totals: Sequence[npt.NDArray[np.float64]] | None = None,
) -> str:
    """Sum a row of numbers per tree; return them, float64 (n, n_numbers).

    A leaf holds one number, so each tree (a target of its own) tells which row of a table is meant: the trees are
    walked once, however many classes there are. Equal rows are stored once.

    Args:
        tables: For each tree the rows of its leaves (or nodes), shape (n_leaves, n_numbers).
        totals: For each tree what its rows are divided by, shape (n_leaves,); the rows are whole numbers then, and
            stored as such, in an eighth of the bytes.
    """
    step = max(1, NUMBERS_A_ROW // tables[0].shape[1])
    total = ""
    for start in range(0, len(trees), step):
        some = tables[start : start + step]
        joined = np.concatenate(some)
        if totals is not None:
            joined = np.column_stack([joined, np.concatenate(totals[start : start + step])])
        table, places = np.unique(joined, axis=0, return_inverse=True)
        ends = np.cumsum([len(one) for one in some])[:-1]
        ensemble = Ensemble()
        for target, place in enumerate(np.split(places.reshape(-1), ends)):
            trees[start + target](ensemble, place.astype(np.float64), target)
        rows = builder.cast(ensemble.emit(builder, features, len(some)), "int64")
        summed = builder.node(
            "ReduceSum",
            _picked(builder, rows, table, is_whole=totals is not None),
            builder.constant([1], "int64"),
            keepdims=0,
        )
        total = builder.node("Add", total, summed) if total else summed
    return total


def _picked(builder: GraphBuilder, rows: str, table: npt.NDArray[np.float64], *, is_whole: bool) -> str:
    """Gather rows of `table`, shape (n, n_trees, n_numbers); whole numbers are divided by the last of their row."""
    if not is_whole:
        return builder.node("Gather", builder.constant(table), rows)
    counts = table[:, :-1]
    whole = builder.constant(counts, str(np.min_scalar_type(int(counts.max(initial=0.0)))))
    totals = builder.node("Gather", builder.constant(table[:, -1:]), rows)
    return builder.node("Div", builder.cast(builder.node("Gather", whole, rows), "double"), totals)
