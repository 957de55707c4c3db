"""The verbs below `palio serve` that say who may ask: policy and key."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from palio.cli.faces import print_json, verb
from palio.core import config as settings
from palio.core.durations import read_duration
from palio.core.errors import InputError, need
from palio.core.serving import Policy, Rule
from palio.core.strict import read_file
from palio.core.words import counted

if TYPE_CHECKING:
    from palio.core.config import Config
    from palio.store import Store


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Store, Config]]:
    """Open the store of the project in `folder`, and nothing else."""
    config = settings.load(folder)
    try:
        from palio import store
    except ImportError as error:
        raise need("serve", error) from None
    with store.open_store(folder, url=config.store.url, blobs=config.store.blobs) as found:
        yield found, config


@click.group()
def policy() -> None:
    """Show, set or try the rules that say who may ask for what."""


@policy.command("show")
@verb
def show_policy(folder: Path, as_json: bool) -> None:
    """Show the rules that hold, in the order in which they are asked."""
    from palio import serve

    with opened(folder) as (store, config):
        found = serve.read_policy(store, config.project.name, Policy(rules=config.serve.rules))
    if as_json:
        source = "ledger" if found.rules_line else "palio.toml"
        print_json({"rules": found.policy.rules, "source": source, "line": found.rules_line})
        return
    click.echo(f"rules from {f'line {found.rules_line} of the ledger' if found.rules_line else 'palio.toml'}")
    for number, rule in enumerate(found.policy.rules):
        click.echo(f"{number:3}  {tell(rule)}")
    closing = "deny (there are keys)" if found.policy.keys else "allow (there are no keys)"
    click.echo(f"else {closing}")


@policy.command("set")
@click.argument("file", type=click.Path(path_type=Path))
@verb
def set_policy(file: Path, folder: Path, as_json: bool) -> None:
    """Replace all rules by those in FILE (TOML with [[rules]] tables, or JSON)."""
    from palio import serve

    rules = _rules_of(file)
    with opened(folder) as (store, config):
        event = serve.write_rules(store, config.project.name, rules)
    if as_json:
        print_json({"line": event.sequence, "rules": rules})
    else:
        click.echo(f"{event.text} Servers follow within two seconds.")


@policy.command("check")
@click.option("--caller", default="anonymous", show_default=True, help="Name of the API key.")
@click.option("--role", help="Role of the caller (default: that of its key).")
@click.option("--purpose", default="", help="What it says it asks for.")
@click.option("--version", "version", default="champion", show_default=True, help="Version number or alias.")
@click.option("--at", "moment", default="", help="When, e.g. 2026-05-04T08:00:00Z (default: now).")
@click.option("--rows", default=1, type=click.IntRange(min=1), show_default=True, help="Rows asked for at once.")
@click.option("--file", type=click.Path(path_type=Path), help="Rules to try instead of those that hold.")
@verb
def check_policy(
    folder: Path,
    as_json: bool,
    caller: str,
    role: str | None,
    purpose: str,
    version: str,
    moment: str,
    rows: int,
    file: Path | None,
) -> None:
    """Ask what would be answered, without asking the server. Quotas count as untouched."""
    from palio import serve

    with opened(folder) as (store, config):
        model = config.project.name
        held = serve.read_policy(store, model, Policy(rules=config.serve.rules)).policy
    tried = held if file is None else Policy(rules=_rules_of(file), keys=held.keys)
    now = time.time() if not moment else _moment(moment)
    verdict = serve.what_if(
        tried, model, caller=caller, role=role, purpose=purpose, version=version, now=now, n_rows=rows
    )
    rule = tried.rules[verdict.rule] if verdict.rule >= 0 else None
    if as_json:
        print_json({"allowed": verdict.allowed, "status": verdict.status, "reason": verdict.reason, "id": verdict.id})
        return
    click.echo(
        f"{'allowed' if verdict.allowed else 'denied'} ({verdict.status}){': ' * bool(verdict.reason)}{verdict.reason}"
    )
    click.echo(f"by rule {verdict.rule}: {tell(rule)}" if rule else "by default: no rule fits")


@click.group()
def key() -> None:
    """Give API keys to callers, and take them back."""


@key.command("add")
@click.argument("name")
@click.option("--role", default="caller", show_default=True, help="Role that rules may speak of.")
@click.option("--admin", is_flag=True, help="Opens the admin port, and nothing else.")
@click.option("--expires", default="", metavar="DURATION", help="For how long it holds, e.g. 90d (default: for ever).")
@verb
def add_key(name: str, folder: Path, as_json: bool, role: str, admin: bool, expires: str) -> None:
    """Give the caller NAME a key. It is printed once, and only its hash is kept. From then on callers need one."""
    from palio import serve

    ends = dt.datetime.now(dt.UTC) + read_duration(expires) if expires else None
    with opened(folder) as (store, config):
        made, secret = serve.add_key(store, config.project.name, name, role=role, admin=admin, expires_at=ends)
    if as_json:
        print_json(
            {"caller": made.caller, "role": made.role, "admin": admin, "key": secret, "expires_at": made.expires_at}
        )
        return
    click.echo(secret)
    click.echo(f"keep it now: it is not shown again. {name} sends it as x-api-key or as a bearer token.", err=True)
    if not admin:
        click.echo("what no rule allows is denied from now on: see palio serve policy show", err=True)


@key.command("revoke")
@click.argument("name")
@verb
def revoke_key(name: str, folder: Path, as_json: bool) -> None:
    """Take the key of the caller NAME back. Servers follow within two seconds."""
    from palio import serve

    with opened(folder) as (store, config):
        revoked = serve.revoke_key(store, config.project.name, name)
    if as_json:
        print_json({"caller": revoked.caller, "expires_at": revoked.expires_at})
    else:
        click.echo(f"the key of {revoked.caller} is revoked")


@key.command("list")
@verb
def list_keys(folder: Path, as_json: bool) -> None:
    """List who has a key, with role and end; never the keys themselves."""
    from palio import serve

    with opened(folder) as (store, config):
        keys = serve.read_policy(store, config.project.name).policy.keys
    shown: list[dict[str, Any]] = [
        {"caller": k.caller, "role": k.role, "admin": k.admin, "created_at": k.created_at, "expires_at": k.expires_at}
        for k in keys
    ]
    if as_json:
        print_json({"keys": shown})
        return
    for entry in shown:
        ends = "for ever" if entry["expires_at"] is None else f"until {entry['expires_at']:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{entry['caller']:20} {'admin' if entry['admin'] else entry['role']:12} {ends}")
    if not shown:
        click.echo("nobody has a key: everyone may ask")


def tell(rule: Rule) -> str:
    """Say in one line what a rule says."""
    words = ["allow" if rule.allow else "deny"]
    for name in ("caller", "role", "model", "version", "purpose", "days", "hours"):
        value = getattr(rule, name)
        if value != "*":
            words.append(f"{name} {value}")
    words += [f"{name} {value:%Y-%m-%d %H:%M}" for name in ("since", "until") if (value := getattr(rule, name))]
    if rule.quota is not None:
        words.append(f"{counted(rule.quota, 'row')} per {rule.per}")
    return ", ".join(words) + (f" ({rule.reason})" if rule.reason else "")


def _rules_of(file: Path) -> tuple[Rule, ...]:
    from palio import serve

    return serve.read_rules(read_file(file), where=str(file))


def _moment(text: str) -> float:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InputError(f"--at {text[:40]!r}: no moment with a time zone", hint="write it as 2026-05-04T08:00:00Z")
    return found.timestamp()
