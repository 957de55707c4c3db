"""Describe the HTTP interface of what is served as one OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from palio.core.records import Deployment, Manifest, TensorSpec
from palio.core.version import __version__
from palio.serve.protocols.operations import paths
from palio.serve.protocols.schemas import schemas

if TYPE_CHECKING:
    from palio.serve.protocols.wire import Caps
    from palio.serve.served import Served

_TAGS = {
    "inference": "Rows in, answers out",
    "protocol": "What the Open Inference Protocol tells of server and models",
    "state": "Whether and how the server works; open to everyone",
    "pages": "What the page for people is made of",
}


def openapi(
    manifest: Manifest | None,
    deployment: Deployment,
    *,
    inputs: Sequence[TensorSpec] = (),
    outputs: Sequence[TensorSpec] = (),
    needs_key: bool = False,
    required: Sequence[str] = (),
) -> dict[str, Any]:
    """Describe the HTTP interface of one model as OpenAPI 3.1.

    Categories become `enum` where the schema rejects unknown ones and examples elsewhere; ranges become `minimum` and
    `maximum` where the schema rejects what is outside. Everything else that the schema knows stands in descriptions.

    Args:
        manifest: What the bundle says of itself; None for a graph from elsewhere.
        deployment: Name and version.
        inputs: Of the graph, without a manifest.
        outputs: Of the graph, without a manifest.
        needs_key: Whether who shows no API key is refused.
        required: Columns that a record must have, even if they are null there.

    Source: OpenAPI Specification 3.1.1; JSON Schema 2020-12.
    """
    if manifest is not None:
        inputs, outputs = manifest.inputs, manifest.outputs
    pictures = [] if manifest is None else [c.name for c in manifest.schema.features if c.type == "image"]
    what = (
        "Answers as its ONNX graph declares."
        if manifest is None
        else f"Predicts `{manifest.task.target}` ({manifest.task.kind})."
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{deployment.model} (version {deployment.version})",
            "version": str(deployment.version),
            "description": f"{what} Served by Palio {__version__}. Other paths answer 404, other methods 405, "
            "both with `Error`; where GET is allowed, so is HEAD.",
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{"ApiKey": []}, {"Bearer": []}, *([] if needs_key else [{}])],
        "paths": paths(
            deployment,
            explains=manifest is not None and not pictures,
            pictures=pictures,
            finds_boxes=manifest is not None and manifest.task.kind == "detection",
        ),
        "components": {
            "schemas": schemas(manifest, inputs, outputs, required=required),
            "securitySchemes": {
                "ApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "Bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def document(served: Served, *, needs_key: bool, caps: Caps) -> dict[str, Any]:
    """Describe what is served now; see `openapi`."""
    expected = served.expected if caps.absent_columns == "refuse" else None
    return openapi(
        served.manifest,
        served.deployment,
        inputs=served.inputs,
        outputs=tuple(served.outputs.values()),
        needs_key=needs_key,
        required=() if expected is None else expected.always,
    )
