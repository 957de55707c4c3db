"""Describe records, tensors and answers as JSON Schema 2020-12, from what a model says of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from palio.core.cells import carries_text, marks_of
from palio.core.records import Column, Manifest, Task, TensorSpec
from palio.model import range_of
from palio.serve.protocols.datatypes import DTYPES

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_ANSWER_ID: Final[Schema] = {"type": "string", "description": "Names this answer when its true value arrives later"}
_FLAGS: Final[Schema] = {
    "type": "array",
    "items": _TEXT,
    "description": "Cells that are outside what the model has seen, and were let through",
}


_PIXEL = "R0lGODdhAQABAIAAAH9/fwAAACwAAAAAAQABAAACAkQBADs="
"""A picture of one grey pixel, as GIF."""


def schemas(
    manifest: Manifest | None,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    *,
    required: Sequence[str] = (),
) -> Schema:
    """Describe all that goes in and comes out; without a manifest, as the graph's tensors say."""
    names = [spec.name for spec in inputs]
    return {
        "Record": _graph_record(inputs) if manifest is None else _record(manifest, required),
        "RecordList": _record_list(inputs),
        "Records": closed({"records": ref("RecordList")}, "records"),
        "Prediction": _graph_prediction() if manifest is None else _prediction(manifest.task),
        "Predictions": part(
            {"model": _TEXT, "version": _COUNT, "predictions": {"type": "array", "items": ref("Prediction")}},
            "model", "version", "predictions",
        ),
        "Explanation": part(
            {
                "of": _TEXT | {"description": "The class whose probability is explained, or the target"},
                "base": {"type": ["number", "null"], "description": "Mean answer over typical rows"},
                "values": {
                    "type": "object",
                    "additionalProperties": {"type": ["number", "null"]},
                    "description": "Column: how much its value moved the answer; the largest movement first",
                },
            },
            "of", "base", "values",
        ),
        "Error": part({"error": _TEXT, "hint": _TEXT, "fields": {"type": "array", "items": _TEXT}}, "error"),
        "Refusal": part({"error_code": _TEXT, "message": _TEXT}, "error_code", "message"),
        "InferRequest": _infer_request(names, [spec.name for spec in outputs]),
        "InferAnswer": part(
            {
                "model_name": _TEXT,
                "model_version": _TEXT,
                "id": _TEXT,
                "parameters": {"type": "object"},
                "outputs": {"type": "array", "items": _tensor([spec.name for spec in outputs])},
            },
            "model_name", "outputs",
        ),
        "Truth": _truth(None if manifest is None else manifest.task),
        "Health": part(
            {"ready": {"type": "boolean"}, "model": _TEXT, "version": _TEXT, "detail": _TEXT}, "ready"
        ),
        "Metadata": part(
            {
                "name": _TEXT,
                "versions": {"type": "array", "items": _TEXT},
                "platform": _TEXT,
                "inputs": {"type": "array", "items": _spec()},
                "outputs": {"type": "array", "items": _spec()},
            },
            "name", "platform", "inputs", "outputs",
        ),
    }  # fmt: skip


def ref(name: str) -> Schema:
    """Point to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def part(properties: Schema, *required: str) -> Schema:
    """Describe an object that may hold more."""
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def closed(properties: Schema, *required: str) -> Schema:
    """Describe an object that holds nothing else."""
    return part(properties, *required) | {"additionalProperties": False}


def property_of(column: Column) -> Schema:
    """Describe what one column takes, as JSON Schema.

    Example:
        >>> property_of(Column(name="age", type="integer", low=18, high=90, missing_allowed=False))
        {'type': 'integer', 'description': 'seen between 18 and 90'}
    """
    kind = {"number": "number", "integer": "integer", "boolean": "boolean"}.get(column.type, "string")
    types = [kind]
    if column.type == "boolean":
        types.append("string")
    elif column.type == "datetime":
        types.append("number")
    if column.missing_allowed:
        types.append("null")
    if column.type == "image":
        about = "the file of a picture (JPEG, PNG, WebP, BMP, GIF, TIFF) in base64, also as a data: URL"
        return {"type": "string", "contentEncoding": "base64", "description": about}
    described: Schema = {"type": types if len(types) > 1 else kind}
    notes = [column.note] if column.note else []
    if column.type == "datetime":
        notes.append("ISO 8601, or seconds since 1970 (UTC)")
    if column.type in ("number", "integer"):
        _limit(column, described, notes)
    if column.type == "boolean":
        _choose([True, False, *sorted({"true", "false", *(column.categories or ())})], column, described)
    if column.type == "category" and column.categories:
        if column.on_unknown == "reject":
            _choose(list(column.categories), column, described)
        else:
            described["examples"] = list(column.categories)
            notes.append(f"one of {len(column.categories)} known values; others are allowed")
    if not column.missing_allowed and "string" in types and "enum" not in described:
        described |= {"pattern": r"\S", "not": {"enum": sorted(marks_of(column))}}
    if notes:
        described["description"] = "; ".join(notes)
    return described


def _limit(column: Column, described: Schema, notes: list[str]) -> None:
    """Say which numbers a column takes: a law where it rejects others, else a note."""
    ends = {"minimum": column.low, "maximum": column.high}
    known = {word: end for word, end in ends.items() if end is not None}
    if column.on_out_of_range == "reject":
        described |= known
    elif known:
        notes.append(f"seen {range_of(column)}")


def _choose(values: list[Any], column: Column, described: Schema) -> None:
    described["enum"] = [*values, *(["", None] if column.missing_allowed else [])]


def example_of(column: Column) -> Any:
    """Return a value that `column` takes: its most frequent category, or the middle of its range."""
    if column.type == "image":
        return _PIXEL
    if column.type == "boolean":
        known = column.categories or ("true",)
        return known[0] == "true" if known[0] in ("true", "false") else known[0]
    if not carries_text(column):
        low = column.low if column.low is not None else min(0.0, column.high or 0.0)
        high = column.high if column.high is not None else max(1.0, low + 1.0)
        middle = low + (high - low) / 2
        return middle if column.type == "number" else math.floor(middle) if middle >= low + 0.5 else math.ceil(low)
    return (column.categories or ("text",))[0]


def _record_list(inputs: Sequence[TensorSpec]) -> Schema:
    """Describe how many records a request may hold: a graph from elsewhere may take a fixed number."""
    fixed = [spec.shape[0] if spec.shape else 1 for spec in inputs if not spec.shape or spec.shape[0] >= 0]
    ends = {"minItems": fixed[0], "maxItems": fixed[0]} if fixed else {"minItems": 1}
    return {"type": "array", "items": ref("Record"), **ends}


def _record(manifest: Manifest, required: Sequence[str]) -> Schema:
    features = manifest.schema.features
    record = closed(
        {column.name: property_of(column) for column in features},
        *(c.name for c in features if not c.missing_allowed or c.type == "image" or c.name in required),
    )
    if features:
        record["examples"] = [{column.name: example_of(column) for column in features}]
    return record


_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def _prediction(task: Task) -> Schema:
    properties: Schema = {
        "id": _ANSWER_ID,
        "prediction": _answer(task),
        "version": _COUNT,
        "flags": _FLAGS,
    }
    if task.kind == "classification":
        properties["probabilities"] = part(dict.fromkeys(task.classes, _SHARE), *task.classes)
    return part(properties | {"explanation": ref("Explanation")}, *properties)


def _answer(task: Task) -> Schema:
    if task.kind == "detection":
        return _boxes(task, {"score": _SHARE}) | {"description": "What is where, the surest first"}
    return {"enum": list(task.classes)} if task.classes else {"type": ["number", "null"]}


def _boxes(task: Task, more: Schema) -> Schema:
    """Describe a list of boxes."""
    corners = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    where = {"description": "Left, top, right and bottom in pixels of the picture as it is shown"}
    properties: Schema = {"label": {"enum": list(task.classes)}, "box": corners | where} | more
    return {"type": "array", "items": part(properties, *properties)}


# ── graphs from elsewhere ───────────────────────────────────────────────────────────────────────────────────────────

_LEAST = {"INT8": -(2**7), "INT16": -(2**15), "INT32": -(2**31), "INT64": -(2**63)}
_LARGEST = {"FP16": 65504.0, "FP32": 3.4028234663852886e38}


def scalar_of(datatype: str) -> Schema:
    """Describe one value of a tensor.

    Example:
        >>> scalar_of("UINT8")
        {'type': 'integer', 'minimum': 0, 'maximum': 255}
    """
    if datatype == "BYTES":
        return dict(_TEXT)
    if datatype == "BOOL":
        return {"type": "boolean"}
    if "INT" in datatype:
        least = _LEAST.get(datatype, 0)
        largest = -least - 1 if least else 2 ** int(datatype.removeprefix("UINT")) - 1
        return {"type": "integer", "minimum": least, "maximum": largest}
    limit = _LARGEST.get(datatype)
    return {"type": "number"} | ({"minimum": -limit, "maximum": limit} if limit else {})


def _block(datatype: str, sizes: Sequence[int]) -> Schema:
    """Describe the values of one record, nested as deep as there are sizes."""
    described = scalar_of(datatype)
    for size in reversed(sizes):
        exactly = {"minItems": size, "maxItems": size} if size >= 0 else {"minItems": 1}
        described = {"type": "array", "items": described, **exactly}
    return described


def _graph_record(inputs: Sequence[TensorSpec]) -> Schema:
    """Describe what a graph from elsewhere takes: one value per input, and for a single input the value itself."""
    blocks = {
        spec.name: _block(spec.datatype, spec.shape[1:])
        | {"description": f"{spec.datatype}, shape {list(spec.shape[1:])}, or the same values flat"}
        for spec in inputs
    }
    named = closed(blocks, *blocks)
    if len(inputs) != 1:
        return named
    (only,) = blocks.values()
    return {"anyOf": [named, closed({"record": only}, "record"), *([only] if only["type"] == "array" else [])]}


def _graph_prediction() -> Schema:
    properties: Schema = {
        "id": _ANSWER_ID,
        "prediction": {"description": "The row of the first output"},
        "version": _COUNT,
        "flags": _FLAGS,
    }
    more: Schema = {
        "probabilities": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
        "outputs": {"type": "object", "description": "The rows of further outputs"},
    }
    return part(properties | more, *properties)


# ── the protocol's tensors, feedback ────────────────────────────────────────────────────────────────────────────────


def _infer_request(inputs: list[str], outputs: list[str]) -> Schema:
    asked = part({"name": {"enum": outputs}, "parameters": {"type": "object"}}, "name")
    return part(
        {
            "id": _TEXT,
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "minItems": max(1, len(inputs)), "items": _tensor(inputs)},
            "outputs": {"type": "array", "items": asked},
        },
        "inputs",
    )


def _tensor(names: list[str]) -> Schema:
    return part(
        {
            "name": {"enum": names} if names else _TEXT,
            "shape": {"type": "array", "items": _COUNT},
            "datatype": {"enum": sorted(DTYPES)},
            "parameters": {"type": "object"},
            "data": {"type": "array"},
        },
        "name",
        "shape",
        "datatype",
    )


def _spec() -> Schema:
    return part(
        {"name": _TEXT, "datatype": _TEXT, "shape": {"type": "array", "items": {"type": "integer"}}}, "name", "shape"
    )


def _truth(task: Task | None) -> Schema:
    label: Schema = {"type": ["string", "number", "boolean"], "minLength": 1}
    if task is not None and task.kind == "detection":
        label = _boxes(task, {}) | {"minItems": 0}
    elif task is not None:
        label = {"enum": list(task.classes)} if task.classes else {"type": "number"}
    return closed(
        {
            "prediction_id": _TEXT
            | {"description": "`id` of an answer", "pattern": r"^[A-Za-z0-9_:-]{1,120}\.[0-9]{1,9}$"},
            "key": {"type": ["string", "integer"], "description": "Or the row's own id"},
            "label": label | {"description": "What turned out to be true"},
            "at": {"type": ["string", "null"], "format": "date-time", "description": "When it was known; else now"},
            "values": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "label",
    ) | {"anyOf": [{"required": ["prediction_id"]}, {"required": ["key"]}]}
