"""The verbs that use a champion: serve, predict, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from palio.cli.faces import listening, print_json, verb
from palio.cli.serve_access import key, policy
from palio.cli.serve_rollout import rollout
from palio.cli.signing import trusted
from palio.core.errors import InputError
from palio.core.words import counted

if TYPE_CHECKING:
    from palio.flow import Unusual


@click.group(invoke_without_command=True)
@click.option("--host", help="Address to listen on (default: serve.host, 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one (default: serve.port, 8080).")
@click.option("--grpc-port", type=int, help="Port for gRPC; 0 opens none (default: serve.grpc_port, 0).")
@click.option(
    "--bundle",
    "bundle",
    type=click.Path(path_type=Path),
    help="Serve an exported bundle folder; no project is needed.",
)
@click.option(
    "--onnx",
    "onnx",
    type=click.Path(path_type=Path),
    help="Serve an ONNX file made anywhere, named after the file; no project is needed.",
)
@click.option("--workers", type=int, help="Processes that answer on one port (default: serve.workers, 1).")
@click.option("--admin-port", type=int, help="Port for rules, keys and rollouts (default: serve.admin_port, none).")
@click.option(
    "--trust", multiple=True, help="Serve only bundles signed with this public key; repeatable (serve.trust)."
)
@click.option("--log", "log", type=click.Path(path_type=Path), help="Folder of the prediction log (default: log.dir).")
@verb
@click.pass_context
def serve(
    context: click.Context, /, folder: Path, as_json: bool, bundle: Path | None, onnx: Path | None, **options: Any
) -> None:
    """Answer requests with the champion; a newly promoted one is taken over without a restart.

    Without a further word the server starts; the words below say who may ask, and who answers.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    from palio import flow

    def ready(url: str) -> None:
        if as_json:
            print_json({"url": url})
        else:
            click.echo(f"serving on {url}   (POST {url}/predict, {url}/openapi.json, {url}/metrics)", err=True)

    if bundle is not None and onnx is not None:
        raise InputError("--bundle and --onnx exclude each other", hint="name one of them")
    log = options.pop("log")
    flags = {f"serve.{name}": value for name, value in options.items()}
    flags["serve.trust"] = trusted(options["trust"]) or None
    flags["log.dir"] = None if log is None else str(log.absolute())
    if onnx is not None:
        flow.serve_onnx(onnx, flags, ready)
    elif bundle is not None:
        flow.serve_bundle(bundle, flags, ready)
    else:
        flow.serve_project(folder, flags, ready)


serve.add_command(policy)
serve.add_command(key)
serve.add_command(rollout)


def _refuse_options_before(context: click.Context) -> None:
    """Refuse options in front of a further word: they would be lost."""
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        raise InputError(
            f"palio serve {context.invoked_subcommand}: an option stands in front of it",
            hint=f"write options behind: palio serve {context.invoked_subcommand} … --dir FOLDER",
        )


@click.command()
@click.argument("file")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write: .csv, .parquet, .json or .jsonl; boxes into a folder, too, drawn on the pictures.",
)
@click.option("--version", "version", type=int, help="Version of the model (default: the champion).")
@click.option("--query", default="", help="Query, when FILE is a database URL.")
@click.option("--decimal", type=click.Choice([".", ","]), default=None, help="What stands before decimals in FILE.")
@click.option("--images", default="", help="Folder or archive that paths of pictures in FILE start from.")
@click.option("--strict", is_flag=True, help="Refuse FILE if one of its rows cannot be answered.")
@click.option(
    "--threshold",
    type=float,
    help="How sure a box must be to be written (default: in a .json all boxes, else as the model was tuned).",
)
@verb
def predict(
    file: str,
    folder: Path,
    as_json: bool,
    output: Path,
    version: int | None,
    strict: bool,
    threshold: float | None,
    **how: Any,
) -> None:
    """Score FILE with the champion, in streams: one row out per row in, in order.

    A model of pictures takes a picture, a folder, a ZIP or tar archive, or a table or list of paths. One that finds
    boxes writes a document in the form of COCO (.json), one row a box, or pictures with the boxes on them.

    A row that cannot be answered keeps its line, with an empty prediction and the reason in the column `problem`.
    """
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        scored = project.predict(
            file,
            output,
            version=version,
            strict=strict,
            threshold=threshold,
            **{k: v or "" for k, v in how.items()},
        )
    if as_json:
        print_json(scored)
        return
    rows = counted(scored.n_rows, "row")
    click.echo(f"{scored.output}: {rows} by version {scored.version}")
    for note in scored.notes:
        click.echo(f"  {note}")
    for column, n in scored.flags.items():
        told = "; ".join(_unusual(one, n) for one in scored.unusual if one.column == column)
        click.echo(f"  {column}: {counted(n, 'row')} with something unusual: {told}")
    if scored.n_problems:
        click.echo(f"  {scored.n_problems:,} of {rows} could not be answered; the column `problem` says why:")
        for why in scored.problems:
            click.echo(f"    {why}")


def _unusual(one: Unusual, n_rows: int) -> str:
    """Say what is unusual, in how many cells where these are not all of the rows, and for example where."""
    what = one.what if one.n_cells == n_rows else f"{one.what} ({one.n_cells:,})"
    return one.example if one.example.startswith(what) else f"{what}, e.g. {one.example}"


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="Where to write (default: reports/ in the project).")
@verb
def report(folder: Path, as_json: bool, output: Path | None) -> None:
    """Write the report on the newest decision: one self-contained HTML file for a client."""
    from palio import flow

    with (
        listening(as_json=as_json) as progress,
        flow.Project.open(folder, progress=progress) as project,
    ):
        path = project.report(output=output)
    if as_json:
        print_json({"report": str(path)})
    else:
        click.echo(path)
