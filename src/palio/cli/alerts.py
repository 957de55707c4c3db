"""The verb that tries out how people are told: alert."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from palio.cli.faces import print_json, verb
from palio.core.errors import UnavailableError


@click.group()
def alert() -> None:
    """Try out how people are told when a model needs them."""


@alert.command()
@verb
def test(folder: Path, as_json: bool) -> None:
    """Send a test alert over every channel of [alert], and say what came of it."""
    from palio import flow

    with flow.Project.open(folder) as project:
        deliveries = project.test_alerts()
    if as_json:
        print_json({"deliveries": deliveries})
    else:
        for one in deliveries:
            tries = "1 attempt" if one.attempts == 1 else f"{one.attempts} attempts"
            click.echo(f"{'ok  ' if one.ok else 'FAIL'}  {one.channel}: {one.reason} ({tries})")
    if not all(one.ok for one in deliveries):
        sys.exit(UnavailableError.exit_code)
