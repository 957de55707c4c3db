"""The verbs before a model exists: init, ingest, split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from palio.cli.faces import listening, print_json, verb


@click.command()
@click.argument("file")
@click.option("--target", required=True, help="Column to predict: a name, or a position (1 is the first, -1 the last).")
@click.option("--name", default="", help="Name of the model (default: the file's name).")
@click.option("--query", default="", help="Query, when FILE is a database URL (sqlite:///… or postgresql://…).")
@click.option("--task", type=click.Choice(["auto", "classification", "regression"]), default="auto")
@click.option("--positive", default="", help="The class of interest, for two classes.")
@click.option("--id", "id_column", default="", help="Column that names a row for good.")
@click.option("--group", default="", help="Column whose rows must stay in one part.")
@click.option("--time", "time", multiple=True, help="Column that orders the rows in time; repeat for year, month, …")
@click.option("--exclude", multiple=True, help="Column that no model may read, e.g. one known only afterwards.")
@click.option("--header", type=click.Choice(["auto", "yes", "no"]), default="auto")
@click.option("--separator", default="auto")
@click.option("--force", is_flag=True, help="Replace an existing palio.toml.")
@verb
def init(file: str, folder: Path, as_json: bool, force: bool, **given: Any) -> None:
    """Look at FILE and write palio.toml and schema.toml, with a comment on each inferred value."""
    from palio import flow

    with listening(as_json=as_json) as progress:
        started = flow.init(file, folder=folder, force=force, progress=progress, **given)
    if as_json:
        print_json(started)
        return
    task = started.task
    what = f"{task.kind} of `{task.target}`" + (f", {len(task.classes)} classes" if task.classes else "")
    click.echo(f"{started.config}: {what}, {started.n_features} features")
    for note in started.notes:
        click.echo(f"  {note}")
    click.echo("next: palio run" + ("" if folder == Path() else f" --dir {folder}"))


@click.command()
@click.option("--append", "append", type=click.Path(path_type=Path), help="File whose rows are added as a new version.")
@click.option("--quarantine", is_flag=True, help="Set rows that break the contract aside instead of refusing.")
@verb
def ingest(folder: Path, as_json: bool, append: Path | None, quarantine: bool) -> None:
    """Read the source into an immutable, content-addressed snapshot."""
    from palio import flow

    flags = {"data.on_violation": "quarantine"} if quarantine else {}
    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, flags=flags, progress=progress) as project,
    ):
        snapshot = project.ingest(append=append)
    if as_json:
        print_json(snapshot)
    else:
        click.echo(
            f"snapshot {snapshot.id[:12]}, version {snapshot.version}: {snapshot.n_rows:,} rows, "
            f"{len(snapshot.schema.features)} features, {snapshot.n_quarantined:,} rows in quarantine"
        )


@click.command()
@click.option("--policy", type=click.Choice(["auto", "60-20-20", "80-10-10", "cv"]))
@verb
def split(folder: Path, as_json: bool, policy: str | None) -> None:
    """Cut the snapshot into train, validation and the sealed test part."""
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, flags={"split.policy": policy}, progress=progress) as project,
    ):
        parts = project.split()
    if as_json:
        print_json(parts)
    else:
        counts = parts.counts
        click.echo(
            f"{counts['train']:,} train, {counts['validation']:,} validation, {counts['test']:,} sealed test "
            f"({parts.policy}, {parts.method})"
        )
