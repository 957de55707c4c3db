"""Make rows that break exports: on and beside the thresholds of trees, missing, unknown, extreme."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.records import Schema
from palio.model.cells.feeds import feeds_from_frame
from palio.model.cells.names import input_name

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Blobs


def _bitmap(colour: tuple[int, int, int]) -> bytes:
    """Return a file of 2 × 2 pixels of one colour, as BMP."""
    rows = (bytes(colour[::-1]) * 2 + b"\0\0") * 2
    head = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


EXTREMES = (0.0, -0.0, 1e-40, -1e-40, 1e-35, 1e-300, 3.4028235e38, 3.5e38, -3.5e38, 1e308, -1e308, 2.0**53 + 1)
UNSEEN = ("never seen", " ", "0", "nan", "Ünicode ✓", "x" * 300)
HARD_TEXTS = (
    *("İSTANBUL ﬁve straße", "東京都 ไทยแลนด์", "مرحبا שלום", "\x00 nul", "😀😀 👍🏽", "a1b2 3rd £100!!"),
    *("<b>http://x.io/?q=1</b>", "fr\u00adee \u200b", "word " * 3_000, "x" * 30_000),
)
"""For columns of free text."""
MAX_PICTURES = 32
"""Rows with pictures: each costs as much as thousands of numbers."""
HARD_PICTURES = tuple(map(_bitmap, ((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255))))
"""Files of one colour."""
_MOMENTS = (
    "1900-02-28T23:59:59",
    "1904-02-29",
    "1969-12-31T23:59:59",
    "2000-02-29",
    "2024-12-31T23:59:59",
    "2100-03-01",
)


def stress_feeds(
    frame: pl.DataFrame, schema: Schema, graph: bytes, *, seed: int = 0, n_rows: int = 4096, blobs: Blobs | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Make feeds that probe `graph` where exports go wrong; `n_rows` rows, the same for the same arguments.

    Half of the rows are rows of `frame` with one column replaced, the other half have every column replaced. A number
    is replaced by a threshold that a tree compares it with, that threshold in float32, the next float64 and float32 on
    either side, an extreme (up to ±1e308), or nothing; a category by a value of another row, an unknown one, or
    nothing. Infinities are left out: they cannot be sent.

    Args:
        graph: The ONNX file; its tree ensembles tell the thresholds (needs the package `onnx`).
        blobs: Where the bytes of pictures are.
    """
    rng = np.random.default_rng(seed)
    if schema.modality == "image":
        n_rows = min(n_rows, MAX_PICTURES)
    source = feeds_from_frame(frame, schema, blobs)
    base = rng.integers(0, frame.height, n_rows)
    feeds = {name: values[base].copy() for name, values in source.items()}
    thresholds = tree_thresholds(graph)
    only = _replaced(n_rows, len(feeds))
    for index, column in enumerate(schema.features):
        name = input_name(column.name)
        rows = np.flatnonzero((only == index) | (only >= len(feeds)))
        if column.type == "image":
            pool = np.empty(len(HARD_PICTURES) + 8, object)
            pool[:] = [*HARD_PICTURES, *rng.choice(source[name][:, 0], 8)]
        elif carries_text(column):
            seen = rng.choice(source[name][:, 0], 24).tolist()
            hard = [*HARD_TEXTS, *map(" ".join, itertools.pairwise(seen))] if column.type == "text" else []
            pool = np.array([*UNSEEN, "", "", *seen, *hard], dtype=object)
        elif column.type == "datetime":
            moments = np.array(_MOMENTS, dtype="datetime64[us]").astype(np.int64) / 1e6
            pool = np.concatenate([moments, [np.nan, 1e308, -1e308], rng.choice(source[name][:, 0], 24)])
        else:
            near = neighbours(np.array(thresholds.get(name, []), dtype=np.float64))
            pool = np.concatenate([near, EXTREMES, np.full(4, np.nan), rng.choice(source[name][:, 0], 8)])
        order = rng.permutation(np.arange(max(len(rows), len(pool))) % len(pool))
        feeds[name][rows, 0] = pool[order[: len(rows)]]
    return feeds


def _replaced(n_rows: int, n_columns: int) -> npt.NDArray[np.int64]:
    """Return for each row the column that is replaced; the number of columns or more: all are, in half of the rows."""
    rows = np.arange(n_rows)
    if 2 * n_columns <= n_rows:
        return rows % (2 * n_columns)
    return np.where(rows % 2 == 1, n_columns, rows * n_columns // max(1, n_rows))  # of many columns, some each


def neighbours(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `values`, their float32 roundings, and the next number on either side in both precisions (float64)."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
        near = [values, np.nextafter(values, -np.inf), np.nextafter(values, np.inf), single.astype(np.float64)]
        near += [np.nextafter(single, np.float32(side)).astype(np.float64) for side in (-np.inf, np.inf)]
    found = np.concatenate(near)
    return np.unique(found[np.isfinite(found)])


def tree_thresholds(graph: bytes) -> dict[str, list[float]]:
    """Find what each graph input is compared with by the trees of `graph`; inputs that trees see as they are."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_model_from_string(graph)
    producers = {output: node for node in model.graph.node for output in node.output}
    inputs = {value.name for value in model.graph.input}
    found: dict[str, list[float]] = {}
    for node in model.graph.node:
        if node.op_type != "TreeEnsemble":
            continue
        columns = _leading_inputs(node.input[0], producers, inputs)
        attributes = {a.name: a for a in node.attribute}
        splits = numpy_helper.to_array(helper.get_attribute_value(attributes["nodes_splits"]))
        features = helper.get_attribute_value(attributes["nodes_featureids"])
        modes = numpy_helper.to_array(helper.get_attribute_value(attributes["nodes_modes"]))
        for feature, split, mode in zip(features, splits.tolist(), modes.tolist(), strict=True):
            if mode == 0 and feature < len(columns):
                found.setdefault(columns[feature], []).append(split)
    return {name: sorted(set(splits)) for name, splits in found.items()}


def _leading_inputs(tensor: str, producers: dict[str, Any], inputs: set[str]) -> list[str]:
    """Name the inputs that the first columns of `tensor` hold, up to the first column that is computed."""
    if tensor in inputs:
        return [tensor]
    node = producers.get(tensor)
    if node is None:
        return []
    if node.op_type == "Where":  # a missing value is filled
        return _leading_inputs(node.input[2], producers, inputs)
    if node.op_type in ("Cast", "Clip", "Identity"):
        return _leading_inputs(node.input[0], producers, inputs)
    names: list[str] = []
    if node.op_type == "Concat":
        for part in node.input:
            found = _leading_inputs(part, producers, inputs)
            names += found
            if not found or part not in inputs:
                break
    return names
