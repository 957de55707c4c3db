"""The verbs that look things up: log, model, store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from palio.cli.faces import print_json, verb
from palio.cli.signing import is_exported, keygen, read_keys, sign, trusted
from palio.core.errors import IntegrityError, NotFoundError, did_you_mean
from palio.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palio.core.records import Check, Manifest


@click.command()
@click.option("--kind", help="Only lines of this kind, e.g. `evaluate.look` or `promote.decide`.")
@click.option("--last", type=click.IntRange(min=1), help="Only the newest lines.")
@click.option("--loop", is_flag=True, help="Only how the loop closes: what was seen, renewed, released or refused.")
@verb
def log(folder: Path, as_json: bool, kind: str | None, last: int | None, loop: bool) -> None:
    """Tell what happened, as a story: who did what, when and why."""
    from palio import flow

    with flow.Project.open(folder) as project:
        events = project.store.ledger.events(kind=kind)
        if kind and not events:
            kinds = sorted({event.kind for event in project.store.ledger.events()})
            raise NotFoundError(f"no line of kind `{kind}`", hint=did_you_mean(kind, kinds))
        if loop:
            from palio import renew

            events = renew.loop_events(events)
        events = events[-last:] if last else events
        if as_json:
            print_json({"events": events})
        else:
            click.echo(renew.loop_story(events) if loop else project.story(events))


@click.group()
def model() -> None:
    """Show, verify, sign or export a bundle. BUNDLE is an identity (6 digits are enough), a version or `champion`."""


@model.command()
@click.argument("bundle", default="champion")
@verb
def show(bundle: str, folder: Path, as_json: bool) -> None:
    """Show what a bundle is: task, inputs, metrics, identities."""
    from palio import flow

    with flow.Project.open(folder) as project:
        found = project.bundle(bundle)
        if as_json:
            print_json({"id": found.id, "manifest": found.manifest})
        else:
            _show_manifest(found.id, found.manifest)


@model.command()
@click.argument("bundle", default="champion")
@click.option("--trust", multiple=True, help="Public key that may have signed it; repeatable (default: serve.trust).")
@verb
def verify(bundle: str, folder: Path, as_json: bool, trust: tuple[str, ...]) -> None:
    """Check every byte of a bundle against its identity, its golden rows against its graph, and who signed it.

    BUNDLE may also be the folder of an exported bundle; then no project is needed.
    """
    if is_exported(bundle):
        from palio.model import verify_folder

        checks: Sequence[Check] = verify_folder(Path(bundle), trust=read_keys(trust))
    else:
        from palio import flow

        with flow.Project.open(folder) as project:
            checks = project.verify(bundle, trust=trusted(trust))
    if as_json:
        print_json({"checks": checks, "passed": all(check.passed for check in checks)})
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.reason}")
    if not all(check.passed for check in checks):
        sys.exit(IntegrityError.exit_code)


@model.command()
@click.argument("bundle", default="champion")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@verb
def export(bundle: str, output: Path, folder: Path, as_json: bool) -> None:
    """Write a bundle as a folder: model.onnx, manifest, golden rows, card, reference, signatures."""
    from palio import flow

    with flow.Project.open(folder) as project:
        path = project.export(bundle, output)
    if as_json:
        print_json({"folder": str(path)})
    else:
        click.echo(path)


model.add_command(keygen)
model.add_command(sign)


@click.group()
def store() -> None:
    """Check or upgrade the ledger."""


@store.command("verify")
@verb
def verify_store(folder: Path, as_json: bool) -> None:
    """Check the hash chain of the ledger from its first line to its last."""
    from palio import flow

    with flow.Project.open(folder) as project:
        project.store.ledger.verify()
        n_lines = len(project.store.ledger.events())
    if as_json:
        print_json({"lines": n_lines, "passed": True})
    else:
        click.echo(f"{counted(n_lines, 'line')}, every hash fits the one before it")


@store.command()
@verb
def upgrade(folder: Path, as_json: bool) -> None:
    """Bring the ledger's tables to this version of Palio; never done silently."""
    from palio import flow

    version = flow.upgrade_store(folder)
    if as_json:
        print_json({"schema_version": version})
    else:
        click.echo(f"the ledger's tables are at version {version}")


def _show_manifest(identity: str, manifest: Manifest) -> None:
    task = manifest.task
    click.echo(f"bundle    {identity}")
    click.echo(f"predicts  {task.target} ({task.kind})" + (f": {', '.join(task.classes)}" if task.classes else ""))
    click.echo(f"family    {manifest.family}, {manifest.n_parameters:,} parameters, seed {manifest.seed}")
    click.echo(f"data      snapshot {manifest.snapshot[:12]}, parts {manifest.parts[:12]}")
    for part, metrics in manifest.metrics.items():
        if not metrics:
            continue
        click.echo(f"{part:17} " + "  ".join(f"{name} {value:.4f}" for name, value in sorted(metrics.items())))
    for parity in manifest.parity:
        click.echo(
            f"parity    {parity.path}: {counted(parity.rows, 'row')}, largest difference {parity.max_abs_diff:.1e}"
        )
    for spec in manifest.inputs:
        click.echo(f"input     {spec.name}: {spec.datatype} {list(spec.shape)}")
    for spec in manifest.outputs:
        click.echo(f"output    {spec.name}: {spec.datatype} {list(spec.shape)}")
