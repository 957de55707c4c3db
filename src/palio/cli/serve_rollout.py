"""The verbs that bring a challenger live step by step: `palio serve rollout …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from palio.cli.faces import listening, print_json, verb
from palio.cli.serve_access import opened
from palio.core.errors import InputError, NotFoundError
from palio.core.ids import short
from palio.core.records import Decision

if TYPE_CHECKING:
    from palio.core.config import Config
    from palio.renew import Standing
    from palio.store import Store

_REASON = click.option("--reason", default="", help="Why, for the ledger.")


@click.group()
def rollout() -> None:
    """Bring a challenger live step by step: shadow, a growing share of requests, promotion."""


@rollout.command("start")
@click.option("--bundle", default="", help="Identity of a challenger that the gate said yes to (6 digits are enough).")
@click.option(
    "--version", "version", type=int, help="Earlier version to bring back this way; the gate must have said yes."
)
@click.option(
    "--plan", type=click.Path(path_type=Path), help="File with the steps (default: 5, 25, 50 %, then promote)."
)
@click.option(
    "--approve", default="", metavar="DECISION", help="Approve a decision that waits for a person, and roll it out."
)
@_REASON
@verb
def start(
    folder: Path, as_json: bool, bundle: str, version: int | None, plan: Path | None, approve: str, reason: str
) -> None:
    """Start a rollout. Without --bundle and --version the gate is asked about the newest candidate."""
    from palio import renew

    if sum(map(bool, (bundle, version, approve))) > 1:
        raise InputError("--bundle, --version and --approve exclude each other", hint="name one of them")
    steps = None if plan is None else renew.read_rollout(plan)
    with opened(folder) as (store, config):
        model = config.project.name
        found = renew.standing(store, model)
        if found is not None and not found.is_over:
            raise InputError(
                f"model {model}: rollout {found.rollout.id} is under way", hint="palio serve rollout status shows it"
            )
        decision = _decision(
            store, config, folder, as_json, bundle=bundle, version=version, approve=approve, reason=reason
        )
        begun = renew.start(store, model, decision, steps)
    _show(begun, as_json=as_json)
    if not as_json:
        click.echo("next: palio watch takes the steps")


@rollout.command("status")
@verb
def status(folder: Path, as_json: bool) -> None:
    """Show the newest rollout: its steps and where it stands."""
    from palio import renew

    with opened(folder) as (store, config):
        found = renew.standing(store, config.project.name)
    if found is None:
        raise NotFoundError("there never was a rollout", hint="palio serve rollout start begins one")
    _show(found, as_json=as_json)


@rollout.command("pause")
@_REASON
@verb
def pause(folder: Path, as_json: bool, reason: str) -> None:
    """Halt the rollout; who is answered by the challenger still is."""
    _act("pause", folder, as_json=as_json, reason=reason)


@rollout.command("resume")
@_REASON
@verb
def resume(folder: Path, as_json: bool, reason: str) -> None:
    """Go on with the rollout, and past a pause that waits for a person."""
    _act("resume", folder, as_json=as_json, reason=reason)


@rollout.command("abort")
@_REASON
@verb
def abort(folder: Path, as_json: bool, reason: str) -> None:
    """End the rollout: the champion answers everything again."""
    _act("abort", folder, as_json=as_json, reason=reason)


@rollout.command("promote")
@_REASON
@verb
def promote(folder: Path, as_json: bool, reason: str) -> None:
    """Skip the steps that are left and put the challenger live; the gate's yes still counts."""
    _act("promote", folder, as_json=as_json, reason=reason)


def _decision(
    store: Store,
    config: Config,
    folder: Path,
    as_json: bool,
    *,
    bundle: str,
    version: int | None,
    approve: str,
    reason: str,
) -> Decision:
    """Find the gate's yes, ask a person's approval for it, or ask the gate."""
    from palio import promote as promoting
    from palio import renew

    model = config.project.name
    if approve:
        return promoting.approve(store, approve, model=model, reason=reason, release=False)
    if version is not None:
        bundles = {line.version: line.bundle for line in store.promotions.history(model)}
        if version not in bundles:
            known = ", ".join(map(str, sorted(bundles))) or "none"
            raise NotFoundError(f"model {model}: there is no version {version}", hint=f"choose one of {known}")
        bundle = bundles[version]
    if bundle:
        return renew.approved_decision(store, model, bundle)
    if store.promotions.champion(model) is None:
        raise NotFoundError(f"model {model}: there is no champion to take over from", hint="run palio run first")
    from palio import flow

    with listening(as_json=as_json) as progress, flow.Project.open(folder, progress=progress) as project:
        return project.promote(release=False)


def _act(
    action: Literal["pause", "resume", "abort", "promote"], folder: Path, *, as_json: bool, reason: str
) -> None:  # fmt: skip
    from palio import renew

    with opened(folder) as (store, config):
        found = renew.act(store, config.project.name, action, reason=reason)
    _show(found, as_json=as_json)


def _show(found: Standing, *, as_json: bool) -> None:
    plan, state, _ = found
    if as_json:
        print_json({"rollout": plan, "state": state})
        return
    why = f": {state.reason}" if state.reason else ""
    click.echo(f"rollout {plan.id} of bundle {short(plan.challenger.bundle)} is {state.status}{why}")
    for number, step in enumerate(plan.steps):
        mark = "✓" if number < state.step else "▶" if number == state.step and not found.is_over else " "
        click.echo(f"  {mark} {number + 1}. {_step(step)}")
    if state.mode != "off":
        share = "shadows the champion" if state.mode == "shadow" else f"answers {state.weight:.0%} of the requests"
        click.echo(f"the challenger {share}")


def _step(step: Any) -> str:
    match step.kind:
        case "shadow":
            return "shadow: answers are logged and compared, never returned"
        case "set_weight":
            return f"{step.weight:.0%} of the requests"
        case "pause":
            return "wait for a person" if step.duration_s is None else f"wait {step.duration_s:g} s"
        case "analysis":
            return "look, until it can be told"
    return "promote"
