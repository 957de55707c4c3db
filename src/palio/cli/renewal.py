"""The verbs that close the loop: watch, retrain."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from palio.cli.faces import listening, print_json, verb
from palio.cli.serve_access import opened
from palio.core.errors import InputError, RefusedError
from palio.core.ids import short

if TYPE_CHECKING:
    from palio.core.records import Decision
    from palio.flow import Project
    from palio.renew import RenewalStanding


@click.command()
@click.option("--once", is_flag=True, help="Look once, wait for a training that is due, and end.")
@click.option(
    "--interval", default=10.0, type=click.FloatRange(min=0.1), show_default=True, help="Seconds between looks."
)
@click.option("--no-train", is_flag=True, help="Train nothing on this machine; plan, and look after rollouts.")
@verb
def watch(folder: Path, as_json: bool, once: bool, interval: float, no_train: bool) -> None:
    """Look after what is live: take rollouts further, review what was served, plan renewals and carry them out.

    Safe to run twice at once, and to be killed at any moment.
    """
    from palio import flow

    with opened(folder) as (store, config):
        wait = threading.Event()
        with flow.Project(folder, config, store).supervise(may_train=not no_train) as supervisor:
            while True:
                looked = supervisor.look(whole=once)
                if once and looked.is_training:
                    supervisor.wait_for_training()
                    after = supervisor.look()
                    looked = msgspec.structs.replace(after, said=(*looked.said, *after.said))
                if as_json:
                    click.echo(msgspec.json.encode(looked).decode())  # one line a look: who reads along needs no end
                for sentence in () if as_json else (*([looked.news] if looked.news else []), *looked.said):
                    click.echo(sentence)
                if once:
                    if not as_json and not looked.said:
                        click.echo(f"nothing to do{f': {looked.plan}' if looked.plan else ''}")
                    return
                wait.wait(interval)


@click.command()
@click.option("--why", help="Why, for the ledger.")
@click.option("--plan-only", is_flag=True, help="Say whether a renewal would be planned now, and why; do nothing.")
@click.option("--withdraw", is_flag=True, help="End the renewal that is under way.")
@click.option("--request", default="", metavar="ID", help="Carry out this renewal, as palio watch does.")
@verb
def retrain(folder: Path, as_json: bool, why: str | None, plan_only: bool, withdraw: bool, request: str) -> None:
    """Renew the champion: add the labelled rows that were served to the data, train, judge, release.

    Goes on with the renewal that is under way, if there is one; else a person's word is reason enough for one, but the
    gate decides. Exit code 4 if the challenger is refused.
    """
    from palio import flow

    if plan_only + withdraw + bool(request) > 1:
        raise InputError("--plan-only, --withdraw and --request exclude each other", hint="name one of them")
    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        if plan_only:
            _plan_only(project, why, as_json=as_json)
            return
        if withdraw:
            found = project.withdraw_renewal(reason=why or "")
        else:
            found = project.retrain(why=why or "", request=request)
        decision = _decision(project, found)
    if as_json:
        print_json({"request": found.request, "renewal": found.renewal, "decision": decision})
    else:
        _show(found, decision, folder)
    if found.renewal.status in ("refused", "failed") and not withdraw:
        sys.exit(RefusedError.exit_code)


def _plan_only(project: Project, why: str | None, *, as_json: bool) -> None:
    planned = project.plan_renewal(why=why)
    if as_json:
        print_json({"request": planned.request, "reason": planned.reason})
    elif planned.request is None:
        click.echo(f"no renewal: {planned.reason}")
    else:
        click.echo(f"a renewal would be planned, from {planned.request.n_labels:,} new labelled rows:")
        for reason in planned.request.reasons:
            click.echo(f"  {reason}")


def _decision(project: Project, found: RenewalStanding) -> Decision | None:
    from palio.core.records import Decision

    return project.store.records.get(Decision, found.renewal.decision) if found.renewal.decision else None


def _show(found: RenewalStanding, decision: Decision | None, folder: Path) -> None:
    request, renewal, _ = found
    why = f": {renewal.reason}" if renewal.reason else ""
    click.echo(f"renewal {request.id} is {renewal.status}{why}")
    for reason in () if decision is None else decision.reasons:
        click.echo(f"  {reason}")
    where = "" if folder == Path() else f" --dir {folder}"
    if renewal.status == "releasing":
        click.echo(f"next: palio watch{where} takes the steps of rollout {renewal.rollout}")
    elif renewal.status == "judged" and decision is not None and decision.verdict == "needs_approval":
        click.echo(f"next: palio promote --approve {short(decision.id)}{where}")
