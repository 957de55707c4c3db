"""The words of `palio model` that make keys and sign bundles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from palio.cli.faces import print_json, verb
from palio.core.errors import InputError
from palio.core.ids import short

if TYPE_CHECKING:
    from palio.core.records import Signature
    from palio.model import Trust


@click.command()
@click.option("--private", "private", required=True, type=click.Path(path_type=Path), help="File for the private key.")
@click.option("--public", "public", required=True, type=click.Path(path_type=Path), help="File for the public key.")
@verb
def keygen(folder: Path, as_json: bool, private: Path, public: Path) -> None:  # noqa: ARG001 - no project is needed
    """Make a pair of keys (ed25519): one that signs bundles, and one that servers check them with."""
    from palio import model

    key = model.make_keys(private, public)
    if as_json:
        print_json({"key": key.id, "public": key.text, "files": [str(private), str(public)]})
    else:
        click.echo(f"key       {short(key.id)}")
        click.echo(f"private   {private}: keep it; whoever has it signs in your name")
        click.echo(f'public    {public}: for servers, [serve] trust = ["{key.text}"]')


@click.command()
@click.argument("bundle", default="champion")
@click.option("--key", "key", type=click.Path(path_type=Path), help="File of the private key.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Take the signatures of this exported folder instead, signed where the key is.",
)
@verb
def sign(bundle: str, folder: Path, as_json: bool, key: Path | None, source: Path | None) -> None:
    """Sign a bundle, after checking every byte of it.

    BUNDLE may also be the folder of an exported bundle; then no project is needed, and the signature lies beside it.
    """
    if (key is None) == (source is None):
        raise InputError("palio model sign: give either --key or --from", hint="name the private key with --key FILE")
    signatures: Sequence[Signature] = ()
    if key is not None and is_exported(bundle):
        signatures = [_sign_folder(Path(bundle), key)]
    else:
        from palio import flow

        with flow.Project.open(folder) as project:
            if source is not None:
                signatures = project.adopt_signatures(bundle, source)
            elif key is not None:
                signatures = [project.sign(bundle, key)]
    if as_json:
        print_json({"signatures": signatures})
    else:
        for signature in signatures:
            click.echo(f"bundle {short(signature.bundle)} signed with key {short(signature.key)}")


def is_exported(name: str) -> bool:
    """Tell whether what is called a bundle is the folder of an exported one."""
    try:
        return (Path(name) / "manifest.json").is_file()
    except (OSError, ValueError):
        return False


def trusted(entries: Sequence[str]) -> tuple[str, ...]:
    """Return public keys as they were given, and files of them by their full path: so they mean the same everywhere."""
    return tuple(str(Path(entry).absolute()) if _is_file(entry) else entry for entry in entries)


def read_keys(entries: Sequence[str]) -> Trust | None:
    """Read public keys from the command line; None if there is none."""
    from palio import model

    return model.read_trust(entries, where="--trust") if entries else None


def _is_file(entry: str) -> bool:
    try:
        return Path(entry).is_file()
    except (OSError, ValueError):
        return False


def _sign_folder(folder: Path, file: Path) -> Signature:
    from palio import model

    signature = model.read_private_key(file).sign(model.open_folder(folder).id)
    held = model.read_signatures(folder)
    if signature not in held:
        model.write_signatures(folder, [*held, signature])
    return signature
