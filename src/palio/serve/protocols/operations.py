"""Describe each route as an OpenAPI operation: what it takes, what it answers, and every status that can occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from palio.core.records import Deployment
from palio.serve.protocols.rows import MAX_EXPLAINED, NO, YES
from palio.serve.protocols.schemas import closed, part, ref

Operation = dict[str, Any]

STATUSES = {
    400: "The request is malformed",
    401: "An API key is needed, or the one that was shown does not count",
    403: "The policy does not allow this",
    404: "No such model or version",
    408: "The body did not arrive in time",
    413: "Too large, or too many rows",
    415: "Unknown content encoding",
    422: "A row breaks the schema; the error names the field",
    429: "The quota is used up; `retry-after` says when to ask again",
    431: "The headers are too large",
    501: "The request needs what is not offered, such as shared memory",
    503: "No champion is served, or the server is busy; `retry-after` says when to ask again",
    504: "The model did not answer in time",
}
"""Status: when it occurs."""
_OFTEN = (431, 503)
"""Any connection may be told these."""
_POLICY = (401, 403, 429)
_BODY = (400, 408, 413, 415)


def paths(
    deployment: Deployment, *, explains: bool = True, pictures: Sequence[str] = (), finds_boxes: bool = False
) -> dict[str, Any]:
    """Describe every route that offers something, for the model that is served.

    Args:
        deployment: Name and version.
        explains: Whether it can tell how an answer came about.
        pictures: Its columns of pictures, which `/predict` takes as files, too.
        finds_boxes: Whether it says what is where in them.
    """
    name = quote(deployment.model, safe="")
    models = (f"/v2/models/{name}", f"/v2/models/{name}/versions/{deployment.version}")
    found: dict[str, Any] = {
        "/predict": {"post": _predict(explains, pictures, finds_boxes)},
        "/invocations": {"post": _invocations()},
        "/feedback": {"post": _feedback()},
    }
    for model, suffix in zip(models, ("", "OfVersion"), strict=True):
        found |= _of_model(model, suffix)
    return found | {
        "/v2": {"get": _read("describeServer", "Name, version and extensions of the server")},
        "/v2/models/stats": {"get": _read("stats", "How often each model answered", policy=True)},
        "/v2/repository/index": {
            "post": _read("index", "What is served: name, version, state", _list(), policy=True, tag="protocol")
        },
        "/v2/health/live": {"get": _open("live", "Whether the process answers")},
        "/v2/health/ready": {"get": _health("ready", "Whether a champion is served")},
        "/health": {"get": _health("health", "Whether a champion is served, and which")},
        "/ping": {"get": _ping()},
        "/version": {"get": _open("version", "The version of Palio", _text("text/plain"))},
        "/metrics": {"get": _open("metrics", "Counts and times, for Prometheus", _text("text/plain"))},
        "/openapi.json": {"get": _read("openapi", "This document", policy=True, tag="pages")},
        "/playground.json": {"get": _read("form", "What the page for people asks and shows", policy=True, tag="pages")},
        "/": {"get": _open("page", "A page for people: ask the model, see why it answers so", _text("text/html"))},
    }


def _of_model(path: str, suffix: str) -> dict[str, Any]:
    about = {
        "": ("describeModel", "Inputs and outputs of the model", ref("Metadata")),
        "/ready": ("modelReady", "Whether the model answers", None),
        "/config": ("modelConfig", "The model in the form of Triton's `ModelConfig`", None),
        "/stats": ("modelStats", "How often the model answered", None),
    }
    found: dict[str, Any] = {
        path + end: {"get": _read(name + suffix, summary, schema and _json(schema), 404, policy=True)}
        for end, (name, summary, schema) in about.items()
    }
    found[f"{path}/infer"] = {"post": _infer(f"infer{suffix}")}
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _list() -> dict[str, Any]:
    return _json({"type": "array", "items": {"type": "object"}})


def _text(kind: str) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}}}


def _answers(good: dict[str, Any], *bad: int, error: str = "Error") -> dict[str, Any]:
    refused = {str(code): {"description": STATUSES[code], "content": _json(ref(error))} for code in sorted(bad)}
    return {"200": {"description": "The answer", "content": good}} | refused


def _read(
    operation: str,
    summary: str,
    good: dict[str, Any] | None = None,
    *bad: int,
    policy: bool = False,
    tag: str = "protocol",
) -> Operation:
    """Describe a route that only tells. Where the policy holds, no champion means no answer either."""
    answers = _answers(good or _json({"type": "object"}), *bad, *_OFTEN, *(_POLICY if policy else ()))
    described: Operation = {"operationId": operation, "tags": [tag], "summary": summary, "responses": answers}
    return described if policy else described | {"security": []}


def _open(operation: str, summary: str, good: dict[str, Any] | None = None) -> Operation:
    return _read(operation, summary, good, tag="state")


def _health(operation: str, summary: str) -> Operation:
    described = _open(operation, summary, _json(ref("Health")))
    described["responses"]["503"]["content"] = _json({"anyOf": [ref("Health"), ref("Error")]})
    return described


def _ping() -> Operation:
    described = _open("ping", "Whether a champion is served, as MLflow tells it")
    for status in ("200", "503"):
        described["responses"][status].pop("content")
    return described


def _post(operation: str, summary: str, body: dict[str, Any], answers: dict[str, Any]) -> Operation:
    return {
        "operationId": operation,
        "tags": ["inference"],
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": answers,
    }


def _rows(record: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": record}


def _predict(explains: bool, pictures: Sequence[str], finds_boxes: bool) -> Operation:
    forms = {"anyOf": [ref("Records"), ref("RecordList"), ref("Record")]}
    answers = _answers(_json(ref("Predictions")), *_BODY, *_POLICY, *_OFTEN, 422, 504)
    files: dict[str, Any] = {kind: {} for kind in ("image/*", "application/octet-stream") if len(pictures) == 1}
    if pictures:
        parts = {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}}
        files["multipart/form-data"] = {"schema": part(dict.fromkeys(pictures, parts), *pictures)}
    described = _post("predict", "Predict records", _json(forms) | files, answers)
    asked = [_EXPLAIN] * explains + [_THRESHOLD] * finds_boxes
    return described | ({"parameters": asked} if asked else {})


_EXPLAIN = {
    "name": "explain",
    "in": "query",
    "required": False,
    "description": f"1 adds to each answer what each column contributed; for at most {MAX_EXPLAINED} rows",
    "schema": {"type": "string", "enum": [*YES, *NO]},
    "example": "1",
}


_THRESHOLD = {
    "name": "threshold",
    "in": "query",
    "required": False,
    "description": "How sure a box must be at least to be told; else as the model was tuned",
    "schema": {"type": "number", "minimum": 0, "maximum": 1},
}


def _invocations() -> Operation:
    data = {"type": "array", "minItems": 1}
    frame = part({"columns": {"type": "array", "items": {"type": "string"}}, "data": data}, "data")
    forms = {
        "dataframe_split": frame,
        "dataframe_records": ref("RecordList"),
        "instances": ref("RecordList"),
        "inputs": {},
    }
    one_of = [closed({name: form}, name) for name, form in forms.items()]
    good = _json(part({"predictions": {}}, "predictions"))
    answers = _answers(good, *_BODY, *_POLICY, *_OFTEN, 504, error="Refusal")
    answers["200"]["headers"] = {"x-palio-prediction-id": {"schema": {"type": "string"}}}
    answers["415"] = {"description": "Another content type or encoding", "content": _text("text/plain")}
    for code in ("431", "503"):
        answers[code]["content"] = _json({"anyOf": [ref("Refusal"), ref("Error")]})
    files = {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/vnd.apache.parquet")}
    return _post("invocations", "Predict rows in the forms of MLflow", _json({"oneOf": one_of}) | files, answers)


def _infer(operation: str) -> Operation:
    answers = _answers(_json(ref("InferAnswer")), *_BODY, *_POLICY, *_OFTEN, 404, 501, 504)
    summary = "Predict tensors (Open Inference Protocol V2)"
    return _post(operation, summary, _json(ref("InferRequest")), answers)


_COUNTS = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}


def _feedback() -> Operation:
    truths = _rows(ref("Truth"))
    forms = {"anyOf": [closed({"feedback": truths}, "feedback"), truths, ref("Truth")]}
    good = _json(part({"received": {"type": "integer", "minimum": 1}, "unknown_labels": _COUNTS}, "received"))
    answers = _answers(good, *_BODY, *_POLICY, *_OFTEN, 404, 422)
    answers["404"]["description"] = "This server keeps no prediction log, so it takes no feedback"
    body = _json(forms) | {"text/csv": {"schema": {"type": "string"}}}
    return _post("feedback", "Tell what turned out to be true", body, answers)
