"""Gather what a report tells, and write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from palio import data, model, report, split
from palio.core.clock import utc_now
from palio.core.errors import NotFoundError
from palio.core.ids import short
from palio.core.records import Decision, Evaluation, Manifest, Parts, Search, Snapshot

if TYPE_CHECKING:
    from palio.flow.opened import Opened

REPORTS = "reports"
N_CHANGED = 12
"""Pictures among which some are shown as a network sees them while it learns."""


def write(
    project: Opened, *, decision: Decision | None = None, search: Search | None = None, output: Path | None = None
) -> Path:
    """Write the report on a decision (default: the newest of the project's model) and return its path.

    The search is the one that the decision came out of; None: the newest that found the same candidate.

    Raises:
        NotFoundError: nothing has been decided about this model yet.
    """
    if decision is None:
        decision = _newest(project)
    path = output or project.folder / REPORTS / f"{project.name}-{short(decision.id)}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    return report.write(path, facts=gather(project, decision, search))


def _newest(project: Opened) -> Decision:
    """Return the newest decision about the model as it is named now; a store may hold those of other names."""
    store, by_model = project.store, dict[str, set[str]]()
    for event in store.ledger.events(kind="promote.decide"):
        by_model.setdefault(str(event.payload.get("model")), set()).add(event.subject)
    ours = by_model.pop(project.name, set())
    ours |= {line.decision for line in store.promotions.history(project.name) if line.decision is not None}
    found = next((one for one in store.records.all(Decision, newest_first=True) if one.id in ours), None)
    if found is not None:
        return found
    others = sorted({*by_model, *store.promotions.models()} - {project.name})
    if not others:
        raise NotFoundError("nothing has been decided yet, so there is nothing to report", hint="run palio run")
    raise NotFoundError(
        f"model `{project.name}`: nothing has been decided under this name yet, so there is nothing to report",
        hint=f"run palio run, or set [project] name in palio.toml to {' or '.join(f'`{name}`' for name in others)}",
    )


def sources_of(project: Opened, snapshot: Snapshot) -> tuple[tuple[str, int], ...]:
    """Follow a snapshot back to its first version: each source with the rows that it brought, oldest first."""
    found: list[tuple[str, int]] = []
    while snapshot.parent is not None:
        parent = project.store.records.require(Snapshot, snapshot.parent)
        found.append((snapshot.source, snapshot.n_rows - parent.n_rows))
        snapshot = parent
    return ((snapshot.source, snapshot.n_rows), *reversed(found))


def gather(project: Opened, decision: Decision, search: Search | None = None) -> report.ReportFacts:
    """Collect the records that a report on `decision` is made of."""
    records = project.store.records
    evaluation = records.require(Evaluation, decision.evaluation)
    parts = records.require(Parts, evaluation.parts)
    snapshot = records.require(Snapshot, evaluation.snapshot)
    found = (one for one in records.all(Search, newest_first=True) if one.bundle == decision.challenger)
    search = search or next(found, None)
    history = project.store.promotions.history(project.name)
    manifest = model.load(project.store, decision.challenger).manifest
    return report.ReportFacts(
        project=project.name,
        generated_at=utc_now(),
        snapshot=snapshot,
        sources=sources_of(project, snapshot),
        parts=parts,
        task=evaluation.task,
        evaluation=evaluation,
        description=data.description(project.store, snapshot),
        search=search,
        manifest=manifest,
        champion_evaluation=_champion_evaluation(project, decision, evaluation),
        comparison=decision.comparison,
        decision=decision,
        pictures=report.thumbnails(project.store.blobs, evaluation, decision.comparison),
        augmentation=_augmentation(project, snapshot, parts, manifest),
        promotion=next((line for line in history if line.decision == decision.id), None),
        cases=project.config.report.cases or ("cases" if evaluation.sight is None else "pictures"),
        unit=project.config.report.unit,
        looks_used=split.looks(project.store, parts),
    )


def _augmentation(project: Opened, snapshot: Snapshot, parts: Parts, manifest: Manifest) -> bytes:
    """Show how some pictures that were learned from are changed; of other models nothing is read."""
    column = next((one.name for one in manifest.schema.features if one.type == "image"), "")
    if not column or not {"strength", "mosaic"} & set(manifest.params):
        return b""
    are_boxes = manifest.task.kind == "detection"
    frame = split.read(project.store, snapshot, parts, "train")
    frame = frame.select(column, *([manifest.task.target] if are_boxes else [])).drop_nulls()
    frame = frame.gather_every(max(1, frame.height // N_CHANGED))
    cells, *boxes = ([str(cell) for cell in one.to_list()] for one in frame.get_columns())
    return report.augmentation(project.store.blobs, cells, manifest, boxes=boxes[0] if boxes else ())


def _champion_evaluation(project: Opened, decision: Decision, evaluation: Evaluation) -> Evaluation | None:
    if decision.champion is None:
        return None
    found = (
        known
        for known in project.store.records.all(Evaluation, newest_first=True)
        if known.bundle == decision.champion and known.parts == evaluation.parts and known.part == evaluation.part
    )
    return next(found, None)
