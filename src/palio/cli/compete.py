"""The verbs that make and judge candidates: train, evaluate, promote, rollback, run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from palio.cli.faces import listening, print_json, verb
from palio.core.clock import process_started
from palio.core.errors import RefusedError

if TYPE_CHECKING:
    from palio.core.records import Decision
    from palio.flow import CandidateSummary

_BUDGET = click.option("--budget", type=float, help="Seconds that it may take.")


@click.command()
@_BUDGET
@verb
def train(folder: Path, as_json: bool, budget: float | None) -> None:
    """Search for the best candidate within the budget; an interrupted search goes on where it stopped."""
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, flags={"train.budget_s": budget}, progress=progress) as project,
    ):
        search = project.train()
    if as_json:
        print_json(search)
    else:
        show_leaderboard(flow.leaderboard(search), search.metric)
        for sentence in search.prices:
            click.echo(sentence)


@click.command()
@click.option("--why", default="evaluate", help="Reason for the look at the sealed test, for the ledger.")
@verb
def evaluate(folder: Path, as_json: bool, why: str) -> None:
    """Open the sealed test part once and score candidate and champion on the same rows."""
    from palio import flow, measure

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        assessed = project.evaluate(why=why)
    if as_json:
        print_json(assessed.evaluation)
        return
    for name, metric in assessed.evaluation.metrics.items():
        value, low, high = (measure.figure(number) for number in (metric.value, metric.low, metric.high))
        click.echo(f"{name:24} {value:>10}   95 % interval {low} to {high}")


@click.command()
@click.option("--approve", default="", metavar="DECISION", help="Approve a decision that waits for a person.")
@click.option("--reason", default="", help="Why, for the ledger.")
@verb
def promote(folder: Path, as_json: bool, approve: str, reason: str) -> None:
    """Let the gate decide on the newest candidate, and put it live if it says yes."""
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        decision = project.approve(approve, reason=reason) if approve else project.promote()
    if as_json:
        print_json(decision)
    else:
        show_decision(decision, folder)
    if decision.verdict == "no":
        sys.exit(RefusedError.exit_code)


@click.command()
@click.option("--to", "to", type=int, help="Version to go back to (default: the champion before this one).")
@click.option("--reason", default="", help="Why, for the ledger.")
@verb
def rollback(folder: Path, as_json: bool, to: int | None, reason: str) -> None:
    """Put an earlier champion back. Takes effect at once; the ledger keeps both lines."""
    from palio import flow

    with flow.Project.open(folder) as project:
        promotion = project.rollback(to=to, reason=reason)
    if as_json:
        print_json(promotion)
    else:
        click.echo(f"champion of {promotion.model} is version {promotion.version} again")


@click.command()
@_BUDGET
@verb
def run(folder: Path, as_json: bool, budget: float | None) -> None:
    """Run the whole cycle: ingest, split, train, evaluate, decide, promote, report.

    Steps whose inputs have not changed are skipped. Exit code 4 if the gate refuses the challenger.
    """
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, flags={"train.budget_s": budget}, progress=progress) as project,
    ):
        summary = project.run(started=process_started())
    if as_json:
        print_json(summary)
    else:
        where = "" if folder == Path() else f" --dir {folder}"
        show_leaderboard(summary.candidates, summary.metric)
        verdict = summary.decision.verdict.replace("_", " ")
        live = f"version {summary.champion.version} is live" if summary.champion else "nothing is live"
        click.echo(f"decision {verdict}: {live}")
        click.echo(f"report   {summary.report}")
        steps = [f"palio log{where}"]
        if summary.champion:
            steps = [f"palio serve{where}", f"palio predict FILE --output OUT.csv{where}", *steps]
        if summary.decision.verdict == "needs_approval":
            steps = [f"palio promote --approve {summary.decision.id[:12]}{where}", *steps]
        click.echo(f"next     {'  ·  '.join(steps)}")
    if summary.decision.verdict == "no":
        sys.exit(RefusedError.exit_code)


def show_leaderboard(candidates: Sequence[CandidateSummary], metric: str) -> None:
    """Print the best run of each family, what it costs, which ones nothing beats, and which one was chosen."""
    from rich.console import Console
    from rich.table import Table

    table = Table("family", f"{metric} (CV)", "± error", "fit s", "p50 ms", "size MB", "unbeaten", "", box=None)
    for candidate in candidates:
        table.add_row(
            candidate.family,
            *_score(candidate.compared, candidate.cv_error),
            _number(candidate.fit_s, ".1f"),
            _number(candidate.latency_ms, ".3f"),
            _number(candidate.size_mb, ".2f"),
            "●" if candidate.unbeaten else "",
            "◀ chosen" if candidate.chosen else "",
        )
    Console(highlight=False).print(table)


def _score(score: float | None, error: float | None) -> tuple[str, str]:
    """Write a score and its error, with no more digits than that allows."""
    from palio import measure

    value, _, arm = ("–" if score is None else measure.with_error(score, error)).partition(" ± ")
    return value, arm or "–"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def show_decision(decision: Decision, folder: Path) -> None:
    """Print the verdict and its reasons."""
    click.echo(f"verdict: {decision.verdict.replace('_', ' ')}")
    for reason in decision.reasons:
        click.echo(f"  {reason}")
    if decision.verdict == "needs_approval":
        where = "" if folder == Path() else f" --dir {folder}"
        click.echo(f"next: palio promote --approve {decision.id[:12]}{where}")
