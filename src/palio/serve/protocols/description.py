"""Describe a served model from its schema: an OpenAPI 3.1 document, protocol metadata, and a page for people."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import palio
from palio.core.records import Column, Deployment, Manifest, Task, TensorSpec
from palio.serve.protocols.guards import NUMERIC

if TYPE_CHECKING:
    from palio.serve.registry import State


def openapi(
    manifest: Manifest | None,
    deployment: Deployment,
    *,
    inputs: Sequence[TensorSpec] = (),
    outputs: Sequence[TensorSpec] = (),
) -> dict[str, Any]:
    """Describe the HTTP interface of one model as OpenAPI 3.1.

    Categories become `enum` where the schema rejects unknown ones and examples elsewhere; ranges become `minimum` and
    `maximum` where the schema rejects what is outside. Everything else that the schema knows stands in descriptions.

    Source: OpenAPI Specification 3.1.1; JSON Schema 2020-12.
    """
    name = deployment.model
    if manifest is not None:
        inputs, outputs = manifest.inputs, manifest.outputs
    what = (
        "Answers as its ONNX graph declares."
        if manifest is None
        else f"Predicts `{manifest.task.target}` ({manifest.task.kind})."
    )
    model = f"/v2/models/{quote(name, safe='')}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{name} (version {deployment.version})",
            "version": str(deployment.version),
            "description": f"{what} Served by Palio {palio.__version__}.",
        },
        "paths": {
            "/predict": {"post": _predict_operation()},
            "/invocations": {"post": _invocations_operation()},
            f"{model}/infer": {"post": _infer_operation()},
            "/v2": {"get": _read("describeServer", "Name, version and extensions of the server", "object")},
            model: {"get": _read("describeModel", "Inputs and outputs of the model", "object")},
            f"{model}/config": {"get": _read("modelConfig", "The model's configuration", "object", may_wait=True)},
            f"{model}/stats": {"get": _read("modelStats", "How often the model answered", "object", may_wait=True)},
            f"{model}/ready": {"get": _read("modelReady", "Whether the model answers", "object", may_wait=True)},
            "/v2/models/stats": {"get": _read("stats", "How often each model answered", "object")},
            "/v2/repository/index": {"post": _read("index", "What is served: name, version, state", "array")},
            "/v2/health/live": {"get": _read("live", "Whether the process answers", "object")},
            "/v2/health/ready": {"get": _read("ready", "Whether a champion is served", "object", may_wait=True)},
            "/health": {"get": _read("health", "Whether a champion is served, and which", "object", may_wait=True)},
        },
        "components": {"schemas": _schemas(manifest, inputs, outputs)},
    }


def _schemas(manifest: Manifest | None, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> dict[str, Any]:
    return {
        "Record": _graph_record(inputs) if manifest is None else _record(manifest),
        "Records": {
            "type": "object",
            "properties": {"records": {"type": "array", "minItems": 1, "items": _ref("Record")}},
            "required": ["records"],
            "additionalProperties": False,
        },
        "Prediction": _graph_prediction() if manifest is None else _prediction_schema(manifest.task),
        "Predictions": {
            "type": "object",
            "properties": {
                "model": {"type": "string"},
                "version": {"type": "integer"},
                "predictions": {"type": "array", "items": _ref("Prediction")},
            },
            "required": ["model", "version", "predictions"],
        },
        "Error": {
            "type": "object",
            "properties": {
                "error": {"type": "string"},
                "hint": {"type": "string"},
                "fields": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["error"],
        },
        "InferRequest": _infer_schema(inputs, outputs),
        "InferAnswer": {
            "type": "object",
            "properties": {
                "model_name": {"type": "string"},
                "model_version": {"type": "string"},
                "id": {"type": "string"},
                "parameters": {"type": "object"},
                "outputs": {"type": "array", "items": _tensor_schema([spec.name for spec in outputs])},
            },
            "required": ["model_name", "outputs"],
        },
    }


def _record(manifest: Manifest) -> dict[str, Any]:
    features = manifest.schema.features
    required = [column.name for column in features if not column.missing_allowed]
    record: dict[str, Any] = {
        "type": "object",
        "properties": {column.name: property_of(column) for column in features},
        "additionalProperties": False,
    }
    if required:
        record["required"] = required
    if features:
        record["examples"] = [{column.name: example_of(column) for column in features}]
    return record


def _graph_record(inputs: Sequence[TensorSpec]) -> dict[str, Any]:
    """Describe what a graph from elsewhere takes: one value per input, and for a single input the value itself."""
    properties = {spec.name: {"description": f"{spec.datatype}, shape {list(spec.shape[1:])}"} for spec in inputs}
    named = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return (
        named if len(inputs) > 1 else {"anyOf": [named, {"type": "object", "required": ["record"]}, {"type": "array"}]}
    )


def _graph_prediction() -> dict[str, Any]:
    properties: dict[str, Any] = {
        "id": {"type": "string", "description": "Names this answer when its true value arrives later"},
        "prediction": {"description": "The row of the first output"},
        "probabilities": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
        "outputs": {"type": "object", "description": "The rows of further outputs"},
        "version": {"type": "integer"},
        "flags": {"type": "array", "items": {"type": "string"}},
    }
    return {"type": "object", "properties": properties, "required": ["id", "prediction", "version", "flags"]}


def property_of(column: Column) -> dict[str, Any]:
    """Describe what one column takes, as JSON Schema.

    Example:
        >>> property_of(Column(name="age", type="integer", low=18, high=90, missing_allowed=False))
        {'type': 'integer', 'description': 'seen from 18 to 90'}
    """
    kind = {"number": "number", "integer": "integer", "boolean": "boolean"}.get(column.type, "string")
    types = [kind]
    if column.type == "boolean":
        types.append("string")
    elif column.type == "datetime":
        types.append("number")
    if column.missing_allowed:
        types.append("null")
    described: dict[str, Any] = {"type": types if len(types) > 1 else kind}
    notes = [column.note] if column.note else []
    if column.type == "datetime":
        notes.append("ISO 8601, or seconds since 1970 (UTC)")
    if column.type in ("number", "integer") and column.low is not None and column.high is not None:
        if column.on_out_of_range == "reject":
            described |= {"minimum": column.low, "maximum": column.high}
        else:
            notes.append(f"seen from {column.low:g} to {column.high:g}")
    if column.type == "category" and column.categories:
        if column.on_unknown == "reject":
            described["enum"] = [*column.categories, *([None] if column.missing_allowed else [])]
        else:
            described["examples"] = list(column.categories)
            notes.append(f"one of {len(column.categories)} known values; others are allowed")
    if notes:
        described["description"] = "; ".join(notes)
    return described


def example_of(column: Column) -> Any:
    """Return a value that `column` takes: its most frequent category, or the middle of its range."""
    if column.type == "boolean":
        return (column.categories or ("true",))[0].lower() == "true"
    if column.type in NUMERIC:
        low, high = column.low or 0.0, column.high if column.high is not None else 1.0
        middle = (low + high) / 2
        return middle if column.type == "number" else int(middle)
    return (column.categories or ("text",))[0]


def _prediction_schema(task: Task) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "id": {"type": "string", "description": "Names this answer when its true value arrives later"},
        "prediction": {"enum": list(task.classes)} if task.classes else {"type": ["number", "null"]},
        "version": {"type": "integer"},
        "flags": {"type": "array", "items": {"type": "string"}},
    }
    if task.classes:
        properties["probabilities"] = {
            "type": "object",
            "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in task.classes},
            "required": list(task.classes),
        }
    return {"type": "object", "properties": properties, "required": [*properties]}


def _infer_schema(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> dict[str, Any]:
    names = [spec.name for spec in inputs]
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "minItems": max(1, len(names)), "items": _tensor_schema(names)},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"enum": [spec.name for spec in outputs]}, "parameters": {"type": "object"}},
                    "required": ["name"],
                },
            },
        },
        "required": ["inputs"],
    }


def _tensor_schema(names: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": {"enum": names} if names else {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "parameters": {"type": "object"},
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype"],
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answers(good: dict[str, Any], *bad: int) -> dict[str, Any]:
    texts = {
        400: "The request is malformed",
        401: "The key is unknown or has expired",
        403: "The policy does not allow this",
        404: "No such model or version",
        408: "The body did not arrive in time",
        413: "Too large, or too many rows",
        415: "Unknown content encoding",
        422: "A record breaks the schema; the error names the field",
        429: "Too many requests, or the quota is used up; `retry-after` says when to ask again",
        501: "The request needs what is not offered, such as shared memory",
        503: "No champion is served, or the server is busy",
    }
    refused = {str(code): {"description": texts[code], "content": _json(_ref("Error"))} for code in bad}
    return {"200": {"description": "The answer", "content": _json(good)}} | refused


def _predict_operation() -> dict[str, Any]:
    forms = {"anyOf": [_ref("Records"), {"type": "array", "minItems": 1, "items": _ref("Record")}, _ref("Record")]}
    return {
        "operationId": "predict",
        "summary": "Predict records",
        "requestBody": {"required": True, "content": _json(forms)},
        "responses": _answers(_ref("Predictions"), 400, 401, 403, 408, 413, 415, 422, 429, 503),
    }


def _invocations_operation() -> dict[str, Any]:
    frame = {"type": "object", "properties": {"columns": {"type": "array"}, "data": {"type": "array"}}}
    records = {"type": "array", "minItems": 1, "items": _ref("Record")}
    forms = {"dataframe_split": frame, "dataframe_records": records, "instances": records, "inputs": {}}
    one_of = [{"type": "object", "properties": {name: form}, "required": [name]} for name, form in forms.items()]
    answers = _answers({"type": "object", "properties": {"predictions": {}}}, 400, 408, 413, 503)
    refusal = {"type": "object", "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}}}
    for status, answer in answers.items():
        if status != "200":
            answer["content"] = _json(refusal)
    text = {"text/plain": {"schema": {"type": "string"}}}
    answers["415"] = {"description": "Another content type or encoding", "content": text}
    files = {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/vnd.apache.parquet")}
    return {
        "operationId": "invocations",
        "summary": "Predict rows in the forms of MLflow",
        "requestBody": {"required": True, "content": _json({"oneOf": one_of}) | files},
        "responses": answers,
    }


def _infer_operation() -> dict[str, Any]:
    return {
        "operationId": "infer",
        "summary": "Predict tensors (Open Inference Protocol V2)",
        "requestBody": {"required": True, "content": _json(_ref("InferRequest"))},
        "responses": _answers(_ref("InferAnswer"), 400, 401, 403, 404, 408, 413, 415, 429, 501, 503),
    }


def _read(operation: str, summary: str, kind: str, *, may_wait: bool = False) -> dict[str, Any]:
    responses = _answers({"type": kind}, *([503] if may_wait else []))
    if may_wait:
        responses["503"]["content"] = _json({"type": kind})
    return {"operationId": operation, "summary": summary, "responses": responses}


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color:#1b1f24}}
h1{{font-size:1.5rem;margin-bottom:0}}p.sub{{color:#57606a;margin-top:.2rem}}p.bad{{color:#a40e26}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dee4;
vertical-align:top}}code{{background:#f3f4f6;padding:.1rem .3rem;border-radius:4px}}
pre{{background:#f3f4f6;padding:.8rem;overflow:auto;border-radius:6px}}</style></head>
<body><h1>{title}</h1><p class="sub">{subtitle}</p>{trouble}
<p><a href="/openapi.json">OpenAPI</a> · <a href="/metrics">metrics</a> · <a href="/health">health</a></p>
{body}</body></html>"""


def page(state: State) -> str:
    """Draw the start page: which model answers, what it takes, where to look next."""
    trouble = f'<p class="bad">{html.escape(state.trouble)}</p>' if state.trouble else ""
    served = state.served
    if served is None:
        return _PAGE.format(title="Palio", subtitle="No model is served.", trouble=trouble, body="")
    manifest, name = served.manifest, html.escape(served.deployment.model)
    head = ("column", "values") if manifest else ("input", "shape")
    cells = (
        [(spec.name, spec.datatype, str(list(spec.shape))) for spec in served.inputs]
        if manifest is None
        else [(column.name, column.type, _values(column)) for column in manifest.schema.features]
    )
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{kind}</td><td>{values}</td></tr>"
        for name, kind, values in cells
    )
    body = (
        f"<p>Send records to <code>POST /predict</code>, or tensors to <code>POST /v2/models/{name}/infer</code>.</p>"
        f"<table><tr><th>{head[0]}</th><th>type</th><th>{head[1]}</th></tr>{rows}</table>"
    )
    what = (
        f"predicts {html.escape(manifest.task.target)} · {html.escape(manifest.family)}" if manifest else "ONNX graph"
    )
    subtitle = f"version {served.version} · {what}"
    return _PAGE.format(title=name, subtitle=subtitle, trouble=trouble, body=body)


def _values(column: Column) -> str:
    if column.categories:
        shown = ", ".join(html.escape(value) for value in column.categories[:12])
        return shown + (" …" if len(column.categories) > 12 else "")
    if column.type in ("number", "integer") and column.low is not None and column.high is not None:
        return f"{column.low:g} to {column.high:g}"
    return ""
