"""The corridor: the only place that knows the order of the rooms.

Names are imported on first use: who serves must not pay for what trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.flow.beginning import Started as Started
    from palio.flow.beginning import init as init
    from palio.flow.feedback import Received as Received
    from palio.flow.project import Project as Project
    from palio.flow.project import upgrade_store as upgrade_store
    from palio.flow.scoring import Unusual as Unusual
    from palio.flow.serving import serve_bundle as serve_bundle
    from palio.flow.serving import serve_onnx as serve_onnx
    from palio.flow.serving import serve_project as serve_project
    from palio.flow.summary import CandidateSummary as CandidateSummary
    from palio.flow.summary import RunSummary as RunSummary
    from palio.flow.summary import leaderboard as leaderboard
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "beginning": "Started init",
            "feedback": "Received",
            "project": "Project upgrade_store",
            "scoring": "Unusual",
            "serving": "serve_bundle serve_onnx serve_project",
            "summary": "CandidateSummary RunSummary leaderboard",
        },
    )
