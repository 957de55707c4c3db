"""The corridor: the only place that knows the order of the rooms."""

from __future__ import annotations

from palio.flow.beginning import Started, init
from palio.flow.project import Project, upgrade_store
from palio.flow.scoring import Scored
from palio.flow.summary import CandidateSummary, RunSummary, leaderboard

__all__ = [
    "CandidateSummary",
    "Project",
    "RunSummary",
    "Scored",
    "Started",
    "init",
    "leaderboard",
    "upgrade_store",
]
