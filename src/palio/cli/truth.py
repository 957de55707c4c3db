"""The verb that takes late truths: feedback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from palio.cli.faces import listening, print_json, verb
from palio.core.words import UNMET, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palio.flow import Received


@click.command()
@click.argument("file")
@click.option("--id", "identity", default="", help="Column of prediction ids (default: prediction_id).")
@click.option("--key", default="", help="Column of row keys (default: key, or the id column of the schema).")
@click.option("--label", default="", help="Column of the truth (default: label, or the target).")
@click.option("--at", default="", help="Column that says when the truth was known (default: at, else now).")
@click.option("--value", "values", multiple=True, help="Column of a business figure, such as revenue; repeatable.")
@click.option("--query", default="", help="Query, when FILE is a database URL.")
@verb
def feedback(
    file: str,
    folder: Path,
    as_json: bool,
    identity: str,
    key: str,
    label: str,
    at: str,
    values: tuple[str, ...],
    query: str,
) -> None:
    """Take the truths in FILE about rows that were answered, by prediction id or row key."""
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        received = project.feedback(file, identity=identity, key=key, label=label, at=at, values=values, query=query)
    if as_json:
        print_json(received)
    else:
        skipped = f", {received.n_skipped:,} without a label left out" if received.n_skipped else ""
        click.echo(f"{received.file}: {counted(received.n_rows, 'truth')} taken{skipped}")
        for line in _fate(received):
            click.echo(f"  {line}")
        if received.unknown:
            told = ", ".join(f"`{label}` ({counted(n, 'row')})" for label, n in received.unknown.items())
            click.echo(f"  the model does not know {told}: a new class, or a slip of the pen", err=True)


def _fate(received: Received) -> Iterator[str]:
    """Say what became of the truths, and how they were read."""
    told = received.truths
    if told is not None:
        corrected = f", {told.n_corrections:,} of them correct an earlier truth" if told.n_corrections else ""
        yield f"{told.n_met:,} met an answer{corrected}"
        for reason, number in told.reasons.items():
            yield f"{number:,} {UNMET[reason]}: {', '.join(told.examples[reason])}"
    elif received.n_rows:
        yield "they are too many to be followed to their answers here; palio monitor says how many met one"
    if received.values:
        yield f"business figures taken: {', '.join(received.values)}"
    if received.absent:
        yield f"business figures of [[value.kpis]] that the file does not have: {', '.join(received.absent)}"
    if received.zone:
        yield f"moments that name no zone were read in {received.zone} ([log] zone)"
    if received.n_days:
        yield f"{counted(received.n_days, 'moment')} without a time: the end of the day was taken"
