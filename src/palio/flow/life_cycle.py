"""The life cycle, readable in one function."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from palio import evaluate as judging
from palio import measure
from palio.core.ids import short
from palio.core.records import Evaluation
from palio.flow import bundles, reporting, steps
from palio.flow.summary import RunSummary, champion_of, summarise

if TYPE_CHECKING:
    from palio.flow.project import Project


def run(project: Project) -> RunSummary:
    """Take a project from its source to a champion and a report: every step says what it decided and why."""
    started = time.monotonic()
    say = project.progress.say

    snapshot = steps.ingest(project)
    say(f"ingest    {snapshot.n_rows:,} rows, {len(snapshot.schema.features)} features, snapshot {short(snapshot.id)}")

    parts = steps.split(project)
    counts = parts.counts
    say(
        f"split     {counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} sealed test "
        f"({parts.policy}, {parts.method})"
    )

    search = steps.train(project)
    for reason in search.reasons:
        say(f"train     {reason}")

    decision = steps.promote(project)
    evaluation = project.store.records.require(Evaluation, decision.evaluation)
    primary = evaluation.metrics[evaluation.primary]
    say(
        f"evaluate  {evaluation.primary} {measure.figure(primary.value)} on the sealed test "
        f"(95 % interval {measure.figure(primary.low)} to {measure.figure(primary.high)})"
    )
    if suspect := judging.leak_suspect(evaluation):
        say(
            f"evaluate  `{suspect[0]}` alone carries {100 * suspect[1]:.0f} % of what the model knows. If it is not "
            "known when the answer is needed, list it under [data] exclude and run again."
        )
    for reason in decision.reasons:
        say(f"decide    {reason}")

    promotion = project.store.promotions.champion(project.name)
    champion = None
    if promotion is not None:
        champion = champion_of(promotion, bundles.find(project, promotion.bundle).manifest.family)
        verb = "is" if promotion.bundle == decision.challenger else "stays"
        say(f"promote   version {promotion.version} {verb} the champion of `{project.name}`")
    report = reporting.write(project, decision=decision)
    return summarise(
        project.name,
        snapshot,
        parts=parts,
        search=search,
        evaluation=evaluation,
        decision=decision,
        champion=champion,
        report=str(report),
        skipped=tuple(project.skipped),
        seconds=time.monotonic() - started,
    )
