"""Where the path of an inference request leads: the form it has, the model and version that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from palio.serve.parameters import parameters
from palio.serve.protocols import invocations, rows, tensors
from palio.serve.protocols.wire import Asked, Caps, Reply, Request, WireError, refuse
from palio.serve.saying import threshold_in

if TYPE_CHECKING:
    from palio.serve.served import Served

Handler = Callable[["Served", Request, Caps], Asked]
"""Reads a request of one form and holds it to the signature of a model."""
Refuse = Callable[[WireError], Reply]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One form of inference, and whom it is asked of."""

    route: str
    """What the log and the meters call this form."""
    read: Handler
    refused: Refuse = refuse
    """Writes a refusal in the words of the form."""
    model: str = ""
    """As the path names it; compared, never used as a path. Empty: the one that is served."""
    version: str = ""
    misfit: int = 400
    """Status of a row that breaks the contract of the model."""
    threshold: float | None = None
    """How sure what is told must be at least, as the query says; None: as the model says."""
    is_slow: bool = False
    """Never compute this on the event loop."""


_PREDICT = Way(route="predict", read=rows.read, misfit=422)
_EXPLAIN = Way(route="predict", read=rows.explain, misfit=422, is_slow=True)
_INVOCATIONS = Way(route="invocations", read=invocations.read, refused=invocations.refuse)
_PARAMETERS = ("explain", "threshold")


def way_of(path: str, query: bytes = b"", scheme: str = "http") -> Way | None:
    """Find where a path leads; None if that is no inference. A slash at its end means nothing.

    Example:
        >>> way = way_of("/v2/models/bank/versions/3/infer")
        >>> way.model, way.version, way_of("/v2/models/bank")
        ('bank', '3', None)
        >>> way_of("/predict/", b"explain=Yes").is_slow, way_of("/predict").is_slow
        (True, False)
    """
    way = _way_of(path.rstrip("/"), scheme)
    if way is None or not query:
        return way
    try:
        given = parameters(query, _PARAMETERS)
        wants_reasons, threshold = _wants_reasons(given), _threshold(given)
    except WireError as refusal:
        return replace(way, read=_refusing(refusal))
    if threshold is not None:
        way = replace(way, threshold=threshold)
    if wants_reasons and way.route != "predict":
        return replace(way, read=_refusing(WireError(400, "only /predict explains its answers")))
    return replace(_EXPLAIN, threshold=threshold) if wants_reasons else way


def _wants_reasons(given: Iterable[tuple[str, str]]) -> bool:
    """Read the parameter `explain`. Raises WireError 400: it is neither true nor false, or both."""
    said = [value.lower() for name, value in given if name == "explain"]
    meant = {value in rows.YES for value in said}
    if not all(value in rows.YES or value in rows.NO for value in said) or len(meant) > 1:
        raise WireError(400, "the parameter explain must be 1 or 0, true or false, yes or no, on or off")
    return meant == {True}


def _threshold(given: Iterable[tuple[str, str]]) -> float | None:
    """Read the parameter `threshold`. Raises WireError 400: it is none, or given twice."""
    said = [value for name, value in given if name == "threshold"]
    if len(said) > 1:
        raise WireError(400, "the parameter threshold is given twice")
    return threshold_in(said[0]) if said else None


def _refusing(refusal: WireError) -> Handler:
    def read(served: Served, request: Request, caps: Caps) -> Asked:  # noqa: ARG001 - whatever is asked
        raise refusal

    return read


def _way_of(path: str, scheme: str) -> Way | None:
    if path == "/predict":
        return _PREDICT
    if path == "/invocations":
        return _INVOCATIONS
    if not path.startswith("/v2/"):
        return None
    parts = path.split("/")[2:]
    if not parts or parts[0] != "models" or parts[-1] != "infer":
        return None
    name, version = parts[1:-1], ""
    if not name:
        return None
    if len(name) > 2 and name[-2] == "versions":
        name, version = name[:-2], name[-1]
    route = "grpc" if scheme == "grpc" else "infer"
    return Way(route=route, read=tensors.read, model="/".join(name), version=version)
