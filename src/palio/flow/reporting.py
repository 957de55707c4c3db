"""Gather what a report tells, and write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from palio import model, report, split
from palio.core.clock import utc_now
from palio.core.errors import NotFoundError
from palio.core.ids import short
from palio.core.records import Decision, Evaluation, Parts, Profile, Search, Snapshot

if TYPE_CHECKING:
    from palio.flow.project import Project

REPORTS = "reports"


def write(project: Project, *, decision: Decision | None = None, output: Path | None = None) -> Path:
    """Write the report on a decision (default: the newest) and return its path.

    Raises:
        NotFoundError: nothing has been decided yet.
    """
    if decision is None:
        decisions = project.store.records.all(Decision, newest_first=True)
        if not decisions:
            raise NotFoundError("nothing has been decided yet, so there is nothing to report", hint="run palio run")
        decision = decisions[0]
    path = output or project.folder / REPORTS / f"{project.name}-{short(decision.id)}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    return report.write(path, facts=gather(project, decision))


def gather(project: Project, decision: Decision) -> report.ReportFacts:
    """Collect the records that a report on `decision` is made of."""
    records = project.store.records
    evaluation = records.require(Evaluation, decision.evaluation)
    parts = records.require(Parts, evaluation.parts)
    snapshot = records.require(Snapshot, evaluation.snapshot)
    searches = [search for search in records.all(Search, newest_first=True) if search.bundle == decision.challenger]
    history = project.store.promotions.history(project.name)
    return report.ReportFacts(
        project=project.name,
        generated_at=utc_now(),
        snapshot=snapshot,
        parts=parts,
        task=evaluation.task,
        evaluation=evaluation,
        profile=msgspec.json.decode(project.store.blobs.get(snapshot.profile), type=Profile),
        search=searches[0] if searches else None,
        manifest=model.load(project.store, decision.challenger).manifest,
        champion_evaluation=_champion_evaluation(project, decision, evaluation),
        comparison=decision.comparison,
        decision=decision,
        promotion=next((line for line in history if line.decision == decision.id), None),
        looks_used=split.looks(project.store, parts),
    )


def _champion_evaluation(project: Project, decision: Decision, evaluation: Evaluation) -> Evaluation | None:
    if decision.champion is None:
        return None
    found = (
        known
        for known in project.store.records.all(Evaluation, newest_first=True)
        if known.bundle == decision.champion and known.parts == evaluation.parts and known.part == evaluation.part
    )
    return next(found, None)
