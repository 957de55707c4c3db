"""Answer what the Open Inference Protocol asks about models: metadata, readiness, configuration, statistics, index.

Source: Open Inference Protocol V2, REST; model repository, model configuration and statistics extensions of the Triton
Inference Server (`extension_model_repository.md`, `extension_model_configuration.md`, `extension_statistics.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core.version import __version__
from palio.serve.protocols.wire import Reply, WireError

if TYPE_CHECKING:
    from palio.serve.served import Served

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "statistics",
)
_encode = msgspec.json.Encoder().encode
_READ, _POST = ("GET", "HEAD"), ("POST",)


def describe(method: str, parts: Sequence[str], models: Sequence[Served]) -> Reply:
    """Answer one route under `/v2` that does not infer; health routes are the server's own.

    Args:
        method: Of the request.
        parts: Of the path behind `/v2`, decoded once. They are compared, never used as paths.
        models: What is served, the champion first.

    Raises:
        WireError: 404 no such route, model or version; 405 wrong method; 403 and 501 what this port does not do.
    """
    match list(parts):
        case []:
            _allow(method, _READ)
            return _json({"name": "palio", "version": __version__, "extensions": EXTENSIONS})
        case ["models", "stats"]:
            _allow(method, _READ)
            return _json({"model_stats": [_statistics(served) for served in models]})
        case ["models", *name, "ready" | "config" | "stats" as verb] if name:
            _allow(method, _READ)
            return _describe_model(verb, find(name, models))
        case ["models", *name] if name:
            _allow(method, _READ)
            return _json(metadata(find(name, models), models))
        case ["repository", "index"]:
            _allow(method, _POST)
            return _json([_indexed(served) for served in models])
        case ["repository", "models", _, "load" | "unload"]:
            _allow(method, _POST)
            raise WireError(403, "models are loaded and unloaded on the admin port only")
        case ["systemsharedmemory" | "cudasharedmemory", *_]:
            raise WireError(501, "shared memory is not offered; send the data with the request")
        case ["trace" | "logging", *_]:
            raise WireError(501, "this extension of the protocol is not offered")
    raise WireError(404, "there is no such route")


def find(name: Sequence[str], models: Sequence[Served]) -> Served:
    """Return the model that a path names, `model` or `model/versions/version`; a name may hold slashes.

    Raises:
        WireError: 404, it is not served.
    """
    asked = "/".join(name)
    is_known = False
    for served in models:
        model = served.deployment.model
        if asked in (model, f"{model}/versions/{served.version}"):
            return served
        is_known = is_known or asked.startswith(f"{model}/versions/")
    what = "version" if is_known else "name"
    raise WireError(404, f"Request for unknown model: this {what} is not served")


def _describe_model(verb: str, served: Served) -> Reply:
    match verb:
        case "ready":
            return _json({"name": served.deployment.model, "ready": True})
        case "config":
            return _json(config(served))
    return _json({"model_stats": [_statistics(served)]})


def metadata(served: Served, models: Sequence[Served] = ()) -> dict[str, Any]:
    """Describe a model in the words of the protocol; -1 is a free size, the number of rows first."""
    name = served.deployment.model
    versions = [one.version for one in models if one.deployment.model == name] or [served.version]
    return {
        "name": name,
        "versions": sorted(set(versions), key=int),
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": s.name, "datatype": s.datatype, "shape": s.shape} for s in served.inputs],
        "outputs": [{"name": s.name, "datatype": s.datatype, "shape": s.shape} for s in served.outputs.values()],
    }


def config(served: Served) -> dict[str, Any]:
    """Describe a model as a `ModelConfig` of the Triton Inference Server; sizes include the rows."""
    return {
        "name": served.deployment.model,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [int(served.version)]}},
        "max_batch_size": 0,
        "input": [{"name": s.name, "data_type": _kind(s.datatype), "dims": s.shape} for s in served.inputs],
        "output": [{"name": s.name, "data_type": _kind(s.datatype), "dims": s.shape} for s in served.outputs.values()],
    }


def _kind(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


def _statistics(served: Served) -> dict[str, Any]:
    return served.tally.as_json(served.deployment.model, served.version)


def _indexed(served: Served) -> dict[str, str]:
    return {"name": served.deployment.model, "version": served.version, "state": "READY", "reason": ""}


def _json(value: Any) -> Reply:
    return Reply(200, _encode(value))


def _allow(method: str, allowed: Sequence[str]) -> None:
    if method not in allowed:
        names = ", ".join(allowed)
        raise WireError(405, f"only {names} is allowed here", headers=((b"allow", names.encode()),))
