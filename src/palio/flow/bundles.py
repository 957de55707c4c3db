"""Find, verify and export the bundles of a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from palio import model
from palio.core.errors import NotFoundError
from palio.core.ids import is_digest, short
from palio.core.records import Check, Search, Signature
from palio.core.words import counted

if TYPE_CHECKING:
    from palio.flow.opened import Opened
    from palio.model import Bundle


def resolve(project: Opened, name: str) -> str:
    """Return the identity of the bundle called `name`: an identity or its start, a version, or `champion`.

    Raises:
        NotFoundError: nothing goes by that name.
    """
    history = project.store.promotions.history(project.name)
    if name == "champion":
        champion = project.store.promotions.champion(project.name)
        if champion is None:
            raise NotFoundError(
                f"model `{project.name}` has no champion yet",
                hint="run palio run first; if it ended with no, palio log says why",
            )
        return champion.bundle
    if is_digest(name):
        return name
    versions = {promotion.version: promotion.bundle for promotion in history}
    number = name.removeprefix("v")
    if number.isdecimal() and int(number) in versions:
        return versions[int(number)]
    known = set(versions.values()) | {search.bundle for search in project.store.records.all(Search)}
    found = sorted(identity for identity in known if len(name) >= 6 and identity.startswith(name))
    if len(found) == 1:
        return found[0]
    what = f"`{name}` fits {counted(len(found), 'bundle')}" if found else f"no bundle or version is called `{name}`"
    known_versions = ", ".join(str(version) for version in sorted(versions)) or "none yet"
    raise NotFoundError(what, hint=f"give champion, a version ({known_versions}) or at least 6 digits of an identity")


def find(project: Opened, name: str) -> Bundle:
    """Open the bundle called `name`; every byte is checked against its identity.

    Raises:
        NotFoundError: nothing goes by that name.
        IntegrityError: a member is not what its hash says.
    """
    return model.load(project.store, resolve(project, name))


def verify(project: Opened, name: str, trust: Sequence[str] = ()) -> Sequence[Check]:
    """Check every byte of a bundle, its golden rows against its graph, and who signed it."""
    keys = None
    if trust:
        keys = model.read_trust(trust, where="--trust")
    elif project.config.serve.trust:
        keys = model.read_trust(project.config.serve.trust, folder=project.folder, where="palio.toml [serve] trust")
    return model.verify(project.store, resolve(project, name), trust=keys)


def sign(project: Opened, name: str, key: Path) -> Signature:
    """Sign a bundle, after every byte of it has been checked, and write the signature into the ledger."""
    private = model.read_private_key(key)
    signature = private.sign(find(project, name).id)
    model.add_signature(project.store, signature)
    return signature


def adopt_signatures(project: Opened, name: str, folder: Path) -> tuple[Signature, ...]:
    """Write the signatures of an exported folder into the ledger: made where the key is, not where the store is.

    Raises:
        NotFoundError: the folder holds no signature of the bundle called `name`.
    """
    bundle = resolve(project, name)
    found = tuple(signature for signature in model.read_signatures(folder) if signature.bundle == bundle)
    if not found:
        raise NotFoundError(
            f"{folder}: there is no signature of bundle {short(bundle)} here",
            hint="export the bundle, sign the folder with palio model sign FOLDER, and name it here",
        )
    for signature in found:
        model.add_signature(project.store, signature)
    return found


def export(project: Opened, name: str, output: Path) -> Path:
    """Write a bundle as a folder and return it."""
    return model.export(project.store, resolve(project, name), output)
