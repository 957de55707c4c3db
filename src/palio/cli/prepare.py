"""The verbs before a model exists: init, ingest, split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from palio.cli.faces import listening, print_json, verb
from palio.core.errors import PalioError
from palio.core.words import counted

if TYPE_CHECKING:
    from palio.flow import Started

PAGE = "columns.html"
PICTURES = 12
"""With boxes, on that page."""


@click.command()
@click.argument("file", default="")
@click.option("--target", default="", help="Column to predict: a name, or a position (1 is the first, -1 the last).")
@click.option("--name", default="", help="Name of the model (default: the file's name).")
@click.option("--query", default="", help="Query, when FILE is a database URL (sqlite:///… or postgresql://…).")
@click.option("--task", type=click.Choice(["auto", "classification", "regression", "detection"]), default="auto")
@click.option("--positive", default="", help="The class of interest, for two classes.")
@click.option("--id", "id_column", default="", help="Column that names a row for good.")
@click.option("--group", default="", help="Column whose rows must stay in one part.")
@click.option("--time", "time", multiple=True, help="Column that orders the rows in time; repeat for year, month, …")
@click.option("--exclude", multiple=True, help="Column that no model may read, e.g. one known only afterwards.")
@click.option("--images", help="Folder or archive of the pictures that FILE names or speaks of.")
@click.option("--classes", help="Names of classes that boxes know by number alone, in order: person,car.")
@click.option("--header", type=click.Choice(["auto", "yes", "no"]), help="Whether the first line names the columns.")
@click.option("--separator", help="Between cells of a text file: a character, or tab.")
@click.option("--encoding", help="Of a text file: utf-8, cp1252, …")
@click.option("--quote", help="What encloses cells of a text file: one character, or none.")
@click.option("--comment", help="What begins a line of a text file that is passed over, or none.")
@click.option("--sheet", help="Sheet of a spreadsheet.")
@click.option("--range", "range", help="Cells of the sheet, as B3:F200 or B:F.")
@click.option("--decimal", type=click.Choice(["auto", ".", ","]), help="What stands before the decimals of a number.")
@click.option("--thousands", help="What parts thousands; `,` says that `.` stands before the decimals.")
@click.option("--missing", multiple=True, help='Cell that means "not known", in place of the usual; repeat; "": none.')
@click.option(
    "--date-order", type=click.Choice(["auto", "dmy", "mdy", "ymd"]), help="What the numbers of a date mean, in order."
)
@click.option(
    "--html",
    "html",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=Path(),
    help="Write how each column is read as a page, too (default: columns.html in the project).",
)
@click.option("--force", is_flag=True, help="Take another table, and forget what was changed in schema.toml.")
@verb
def init(file: str, folder: Path, as_json: bool, html: Path | None, **given: Any) -> None:
    """Look at FILE and write palio.toml and schema.toml, with a reason for each guess.

    In a project it looks again: what a person wrote stays, what is given here wins, what was found is found anew.
    """
    from palio import flow

    given = {key: value for key, value in given.items() if value not in (None, ())}
    with listening(as_json=as_json) as progress, _words_of_init():
        shown = 0 if html is None else PICTURES
        started = flow.init(file, folder=folder, progress=progress, specimens=shown, **given)
    page = None if html is None else _write(started, folder, html)
    if as_json:
        told = {key: value for key, value in msgspec.to_builtins(started).items() if key != "specimens"}
        print_json({**told, "html": None if page is None else str(page)})
        return
    from palio.cli.columns import show

    show(started, folder=folder, page=page)


_SETTING = re.compile(r"\[(?:data|project)\] (?!in\b)([a-z_]+)")


@contextmanager
def _words_of_init() -> Iterator[None]:
    """Name options where an error names settings: there may be no file yet that holds them."""
    try:
        yield
    except PalioError as error:
        error.message, error.hint = (
            _SETTING.sub(lambda found: "--" + found[1].replace("_", "-"), text) for text in (error.message, error.hint)
        )
        raise


def _write(started: Started, folder: Path, html: Path) -> Path:
    from palio import report

    name = started.name
    return report.save(
        folder / PAGE if html == Path() else html, report.columns_page(started, name=name, specimens=started.specimens)
    )


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
            f"snapshot {snapshot.id[:12]}, version {snapshot.version}: {counted(snapshot.n_rows, 'row')}, "
            f"{counted(len(snapshot.schema.features), 'feature')}, "
            f"{counted(snapshot.n_quarantined, 'row')} in quarantine"
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
