"""Where the path of an inference request leads: the form it has, the model and version that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from palio.serve.protocols import invocations, rows, tensors
from palio.serve.protocols.wire import Asked, Caps, Reply, Request, WireError, refuse

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
    is_slow: bool = False
    """Never compute this on the event loop."""


_PREDICT = Way(route="predict", read=rows.read, misfit=422)
_YES = frozenset((b"explain=1", b"explain=true"))
_EXPLAIN = Way(route="predict", read=rows.explain, misfit=422, is_slow=True)
_INVOCATIONS = Way(route="invocations", read=invocations.read, refused=invocations.refuse)


def way_of(path: str, query: bytes = b"", scheme: str = "http") -> Way | None:
    """Find where a path leads; None if that is no inference.

    Example:
        >>> way = way_of("/v2/models/bank/versions/3/infer")
        >>> way.model, way.version, way_of("/v2/models/bank")
        ('bank', '3', None)
    """
    if path == "/predict":
        return _EXPLAIN if query and not _YES.isdisjoint(query.split(b"&")) else _PREDICT
    if path == "/invocations":
        return _INVOCATIONS
    if not path.startswith("/v2/"):
        return None
    parts = path.rstrip("/").split("/")[2:]
    if not parts or parts[0] != "models" or parts[-1] != "infer":
        return None
    name, version = parts[1:-1], ""
    if not name:
        return None
    if len(name) > 2 and name[-2] == "versions":
        name, version = name[:-2], name[-1]
    route = "grpc" if scheme == "grpc" else "infer"
    return Way(route=route, read=tensors.read, model="/".join(name), version=version)
