"""The life cycle, readable in one function."""

from __future__ import annotations

import time

from palio import evaluate as judging
from palio import measure
from palio import train as training
from palio.core.ids import short
from palio.core.records import Evaluation
from palio.core.words import counted, listed
from palio.flow import bundles, reporting, steps
from palio.flow.opened import Opened
from palio.flow.summary import RunSummary, champion_of, summarise


def run(opened: Opened, *, started: float | None = None) -> RunSummary:
    """Take a project from its source to a champion and a report: every step says what it decided and why.

    The source is read once, and each step works on what the one before it made; so all of them, the report and the
    summary speak of the same rows, however the source moves meanwhile. The budget is that of the whole run, which
    begins at `started` (on `time.monotonic`; None: now).
    """
    started = time.monotonic() if started is None else started
    opened.begin(started)
    if opened.config.train.engine == "local":
        training.prepare()
    try:
        return _run(opened, started)
    finally:
        training.let_go()


def _run(opened: Opened, started: float) -> RunSummary:
    opened.skipped.clear()
    opened.warnings.clear()
    say = opened.progress.say

    snapshot = steps.ingest(opened)
    say(
        f"ingest    {counted(snapshot.n_rows, 'row')}, {counted(len(snapshot.schema.features), 'feature')}, "
        f"snapshot {short(snapshot.id)}"
    )

    parts = steps.split(opened, snapshot)
    counts = parts.counts
    say(
        f"split     {counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} sealed test "
        f"({parts.policy}, {parts.method})"
    )

    search = steps.train(opened, parts)
    for reason in (*search.reasons, *search.prices):
        say(f"train     {reason}")

    decision = steps.promote(opened, search)
    evaluation = opened.store.records.require(Evaluation, decision.evaluation)
    primary = evaluation.metrics[evaluation.primary]
    say(
        f"evaluate  {evaluation.primary} {measure.figure(primary.value)} on the sealed test "
        f"(95 % interval {measure.figure(primary.low)} to {measure.figure(primary.high)})"
    )
    lost = [one for one in evaluation.per_class if one.n_boxes and not one.accuracy.value]
    if lost:
        names = listed(f"`{one.label}` (of {counted(one.n_boxes or 0, 'box')})" for one in lost)
        say(f"evaluate  it never finds {names}")
    if suspect := judging.leak_suspect(evaluation):
        say(
            f"evaluate  `{suspect[0]}` alone carries {100 * suspect[1]:.0f} % of what the model knows. If it is not "
            "known when the answer is needed, list it under [data] exclude and run again."
        )
    if (columns := judging.too_good(evaluation)) is not None:
        which = listed(f"`{name}`" for name in columns) or "what is filled in late"
        say(
            f"evaluate  hardly an answer is wrong, which is rare unless columns hold what is asked for. Look at "
            f"{which} first: what is not known when the answer is needed belongs under [data] exclude."
        )
    for reason in decision.reasons:
        say(f"decide    {reason}")

    promotion = opened.champion
    champion = None
    if promotion is not None:
        champion = champion_of(promotion, bundles.find(opened, promotion.bundle).manifest.family)
        verb = "is" if promotion.bundle == decision.challenger else "stays"
        say(f"promote   version {promotion.version} {verb} the champion of `{opened.name}`")
    report = reporting.write(opened, decision=decision, search=search)
    return summarise(
        opened.name,
        snapshot,
        parts=parts,
        search=search,
        evaluation=evaluation,
        decision=decision,
        champion=champion,
        report=str(report),
        skipped=tuple(opened.skipped),
        warnings=tuple(opened.warnings),
        seconds=time.monotonic() - started,
    )
