"""The corridor: the only place that knows the order of the rooms.

Names are imported on first use: who serves must not pay for what trains.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.flow.beginning import Started, init
    from palio.flow.project import Project, upgrade_store
    from palio.flow.scoring import Scored
    from palio.flow.serving import serve_bundle, serve_onnx, serve_project
    from palio.flow.summary import CandidateSummary, RunSummary, leaderboard

_HOMES = {
    "CandidateSummary": "summary",
    "Project": "project",
    "RunSummary": "summary",
    "Scored": "scoring",
    "Started": "beginning",
    "init": "beginning",
    "leaderboard": "summary",
    "serve_bundle": "serving",
    "serve_onnx": "serving",
    "serve_project": "serving",
    "upgrade_store": "project",
}
__all__ = [
    "CandidateSummary",
    "Project",
    "RunSummary",
    "Scored",
    "Started",
    "init",
    "leaderboard",
    "serve_bundle",
    "serve_onnx",
    "serve_project",
    "upgrade_store",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
