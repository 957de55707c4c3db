"""The model of the comparison: LightGBM on scikit-learn's breast cancer table, as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

N_TREES, N_FEATURES = 100, 30


def make_model(path: Path) -> list[float]:
    """Write the file (input `x` [N, 30] float32; outputs `label`, `probabilities`), and return one row.

    It has the form that the public converters write (`TreeEnsembleClassifier`, float32), so each server can read it.
    """
    import lightgbm
    import numpy as np
    from onnx import TensorProto, helper
    from sklearn.datasets import load_breast_cancer

    from palio.model.runtime import onnx_runtime

    rows, truth = load_breast_cancer(return_X_y=True)
    rows = rows.astype(np.float32)
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1, "deterministic": True}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, truth), N_TREES)
    trees = booster.dump_model()["tree_info"]
    nodes: dict[str, list[Any]] = {
        key: []
        for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing")
    }
    leaves: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for index, tree in enumerate(trees):
        _add(nodes, leaves, index, tree["tree_structure"])
    attributes = {f"nodes_{key}": value for key, value in nodes.items() if key != "missing"}
    attributes |= {f"class_{key}": value for key, value in leaves.items()}
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        nodes_missing_value_tracks_true=nodes["missing"],
        nodes_hitrates=[1.0] * len(nodes["modes"]),
        classlabels_int64s=[0, 1],
        post_transform="LOGISTIC",
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", N_FEATURES])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    answered = onnx_runtime().InferenceSession(path).run(None, {"x": rows})[1][:, 1]
    furthest = float(np.abs(answered - booster.predict(rows)).max())
    if furthest > 1e-3:
        raise SystemExit(f"the ONNX file answers otherwise than LightGBM, by up to {furthest:.2g}")
    return [float(value) for value in rows[0]]


def _add(nodes: dict[str, list[Any]], leaves: dict[str, list[Any]], tree: int, root: dict[str, Any]) -> None:
    waiting, count = [(root, 0)], 1
    while waiting:
        node, identity = waiting.pop()
        is_leaf = "split_feature" not in node
        left, right = (0, 0) if is_leaf else (count, count + 1)
        row = {
            "treeids": tree,
            "nodeids": identity,
            "featureids": 0 if is_leaf else node["split_feature"],
            "values": 0.0 if is_leaf else float(node["threshold"]),
            "modes": "LEAF" if is_leaf else "BRANCH_LEQ",
            "truenodeids": left,
            "falsenodeids": right,
            "missing": 0 if is_leaf else int(node["default_left"]),
        }
        for key, value in row.items():
            nodes[key].append(value)
        if is_leaf:
            for key, value in {"treeids": tree, "nodeids": identity, "ids": 0, "weights": node["leaf_value"]}.items():
                leaves[key].append(value)
            continue
        count += 2
        waiting += [(node["left_child"], left), (node["right_child"], right)]
