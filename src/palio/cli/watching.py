"""The verb that shows how the champion does: `palio monitor`, on one screen, as a page or as JSON."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from palio.cli.faces import listening, print_json, verb
from palio.core.errors import InputError, RefusedError

if TYPE_CHECKING:
    from palio.core.monitoring import Review
    from palio.flow import Project

PAGE = Path("reports", "monitoring.html")
_FAILING = {"page": ("act",), "warn": ("act", "look")}


@click.command()
@click.option(
    "--html",
    "html",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=Path(),
    help="Write a page with time lines and columns, too (default: reports/monitoring.html in the project).",
)
@click.option("--since", help="How far to look back: 7d, or a day such as 2026-03-01 (default: monitor.history).")
@click.option("--window", default="", help="Length of a window, such as 1d or 6h (default: monitor.window).")
@click.option("--segment", "segments", multiple=True, help="Column whose values are judged apart, too; repeatable.")
@click.option("--fail-on", type=click.Choice(["page", "warn"]), help="Exit with 4 if such an alert is open.")
@verb
def monitor(
    folder: Path,
    as_json: bool,
    html: Path | None,
    since: str | None,
    window: str,
    segments: tuple[str, ...],
    fail_on: str | None,
) -> None:
    """Say how the champion does: quality, value, columns, answers, alerts, and what to do."""
    from palio import flow

    begin = None if since is None else read_since(since)
    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        review = project.monitor(since=begin, window=window, segments=segments)
        page = None if html is None else _write(project, review, html)
        currency = project.config.value.currency
    if as_json:
        print_json({**msgspec.to_builtins(review), "html": None if page is None else str(page)})
    else:
        from palio.cli.screen import show

        show(review, name=project.name, currency=currency, page=page)
    if fail_on is not None and review.verdict in _FAILING[fail_on]:
        sys.exit(RefusedError.exit_code)


def read_since(text: str, *, now: dt.datetime | None = None) -> dt.datetime:
    """Read a length of time before now, or a moment; without a zone it is UTC.

    Raises:
        InputError: it is neither.

    Example:
        >>> read_since("2026-03-01").isoformat()
        '2026-03-01T00:00:00+00:00'
    """
    from palio.core.clock import utc_now
    from palio.core.durations import read_duration

    try:
        at = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return (now or utc_now()) - read_duration(text)
        except (InputError, OverflowError):
            raise InputError(
                f"--since {text[:40]!r}: not understood", hint="write it as 7d, 12h, 2026-03-01 or 2026-03-01T08:00"
            ) from None
    return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _write(project: Project, review: Review, html: Path) -> Path:
    """Write the page; without a name, into the reports of the project."""
    from palio import report

    page = report.monitoring_page(
        review,
        name=project.name,
        currency=project.config.value.currency,
        cases=project.config.report.cases or "cases",
        promotions=project.store.promotions.history(project.name),
    )
    return report.save(project.folder / PAGE if html == Path() else html, page)
