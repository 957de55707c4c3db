"""Golden rows: a few telling rows and their answers, kept in the bundle, so that anybody can check it anywhere."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.errors import IntegrityError
from palio.core.ids import canonical_json
from palio.core.records import Schema
from palio.measure import as_texts
from palio.model.cells.feeds import KeptPicture, feeds_from_frame
from palio.model.cells.names import input_name
from palio.model.graph.session import Graph, Outputs

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Blobs

MAX_ROWS = 64
MAX_PICTURES = 12
"""Rows with pictures, whose files the bundle then holds."""
MAX_PICTURE_BYTES = 2_000_000
"""Larger files are left out, where there are others."""
UNSEEN = "never seen"
_BOXES = "boxes"
"""What answers are called that are cells of boxes."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows as feeds of the graph, and what the graph answered when the bundle was made."""

    feeds: dict[str, npt.NDArray[Any]]
    outputs: Outputs


class _Tensor(msgspec.Struct, frozen=True):
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]
    """Flat; a missing number is null."""


class _File(msgspec.Struct, frozen=True):
    inputs: dict[str, _Tensor]
    outputs: dict[str, _Tensor]


def make_golden(
    graph: Graph, frame: pl.DataFrame, schema: Schema, *, n_rows: int = MAX_ROWS, blobs: Blobs | None = None
) -> Golden:
    """Choose at most `n_rows` rows of `frame` and let `graph` answer them; of pictures a few, as bytes of their files.

    First the rows with the smallest and largest number of each column, one with a missing value of each, one with the
    rarest category of each; then rows evenly through the frame. Where the schema lets them pass, the last rows hold a
    missing value or an unknown category in every column that may have one.
    """
    pictures = [column.name for column in schema.features if column.type == "image"]
    if pictures:
        frame = frame[_small(frame, pictures, blobs)]
        held = feeds_from_frame(frame, schema, blobs)
        rows = {name: _files(values) for name, values in held.items()}
        return Golden(feeds=rows, outputs=graph.predict(rows))
    feeds = feeds_from_frame(frame, schema)
    made = _made_up(schema, feeds)
    chosen = _telling(feeds, n_rows - len(made))
    rows = {name: values[chosen] for name, values in feeds.items()}
    for extra in made:
        rows = {name: np.concatenate([rows[name], extra[name]]) for name in rows}
    return Golden(feeds=rows, outputs=graph.predict(rows))


def _small(frame: pl.DataFrame, pictures: list[str], blobs: Blobs | None) -> list[int]:
    """Return rows evenly through the frame, those whose files are small first."""
    some = np.linspace(0, frame.height - 1, min(4 * MAX_PICTURES, frame.height)).astype(int).tolist()
    sizes = [
        max((blobs.size(cell) if blobs is not None and isinstance(cell, str) and cell else 0) for cell in cells)
        for cells in frame.select(pictures)[some].iter_rows()
    ]
    fit = [row for row, size in zip(some, sizes, strict=True) if size <= MAX_PICTURE_BYTES]
    kept = fit or [some[int(np.argmin(sizes))]]
    return sorted({kept[place] for place in np.linspace(0, len(kept) - 1, MAX_PICTURES).astype(int)})


def _files(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Replace kept pictures by the bytes of their files, in base64, as they travel in JSON."""
    if values.dtype != object:
        return values
    found = [
        base64.b64encode(cell if isinstance(cell, bytes) else cell.read()).decode()
        if isinstance(cell, bytes | KeptPicture)
        else cell
        for cell in values.ravel()
    ]
    return np.array(found, object).reshape(values.shape)


def _telling(feeds: dict[str, npt.NDArray[Any]], n_rows: int) -> list[int]:
    height = len(next(iter(feeds.values())))
    telling: dict[int, None] = {}
    for values in (value[:, 0] for value in feeds.values()):
        if values.dtype == object:
            found, first, counts = np.unique(as_texts(values), return_index=True, return_counts=True)
            telling[int(first[counts.argmin()])] = None
            if found.size and found[0] == "":
                telling[int(first[0])] = None
            continue
        if np.isnan(values).any():
            telling[int(np.isnan(values).argmax())] = None
        if not np.isnan(values).all():
            telling[int(np.nanargmin(values))] = None
            telling[int(np.nanargmax(values))] = None
    kept = list(telling)[: max(n_rows * 3 // 4, 1)]
    for row in np.linspace(0, height - 1, min(n_rows, height)).astype(int).tolist():
        if len(kept) < min(n_rows, height) and row not in kept:
            kept.append(row)
    return sorted(kept)


def _made_up(schema: Schema, feeds: dict[str, npt.NDArray[Any]]) -> list[dict[str, npt.NDArray[Any]]]:
    empty = {name: values[:1].copy() for name, values in feeds.items()}
    unseen = {name: values[:1].copy() for name, values in feeds.items()}
    for column in schema.features:
        name = input_name(column.name)
        if column.missing_allowed:
            empty[name][0, 0] = "" if carries_text(column) else np.nan
        if column.type == "category" and column.on_unknown != "reject":
            unseen[name][0, 0] = UNSEEN
    return [empty, unseen]


def encode_golden(golden: Golden) -> bytes:
    """Write golden rows as canonical JSON."""
    outputs = {_BOXES if golden.outputs.are_boxes else "prediction": golden.outputs.prediction}
    if golden.outputs.probabilities is not None:
        outputs["probabilities"] = golden.outputs.probabilities
    return canonical_json(
        _File(
            inputs={name: _tensor(value) for name, value in golden.feeds.items()},
            outputs={name: _tensor(value) for name, value in outputs.items()},
        )
    )


def decode_golden(data: bytes) -> Golden:
    """Read golden rows.

    Raises:
        IntegrityError: not golden rows.
    """
    try:
        file = msgspec.json.decode(data, type=_File)
        outputs = {name: _array(tensor) for name, tensor in file.outputs.items()}
        are_boxes = _BOXES in outputs
        said = outputs[_BOXES if are_boxes else "prediction"]
        return Golden(
            feeds={name: _array(tensor) for name, tensor in file.inputs.items()},
            outputs=Outputs(said, outputs.get("probabilities"), are_boxes=are_boxes),
        )
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, RecursionError):
        raise IntegrityError(
            "golden.json: these are not golden rows", hint="restore the bundle from the store"
        ) from None


def _tensor(array: npt.NDArray[Any]) -> _Tensor:
    if array.dtype.kind == "f":
        data = [None if value != value else value for value in array.ravel().tolist()]
        return _Tensor("FP64", array.shape, data)
    return _Tensor("BYTES", array.shape, [str(value) for value in array.ravel().tolist()])


def _array(tensor: _Tensor) -> npt.NDArray[Any]:
    if tensor.datatype == "FP64":
        numbers = [np.nan if value is None else value for value in tensor.data]
        return np.array(numbers, dtype=np.float64).reshape(tensor.shape)
    if not all(isinstance(value, str) for value in tensor.data):
        raise TypeError(tensor.datatype)
    return np.array(tensor.data, dtype=object).reshape(tensor.shape)
