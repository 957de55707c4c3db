"""Know where things lie, in one place, and name places without their secrets."""

from __future__ import annotations

import re
from pathlib import Path

from palio.core.errors import InputError
from palio.core.ids import is_digest

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY = re.compile(r"\?.*", re.DOTALL)
OURS = ".palio"
"""The folder in a project that belongs to Palio."""


class Layout:
    """The files of a project's store.

    Example:
        >>> Layout(Path("bank")).ledger.as_posix()
        'bank/.palio/ledger.db'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def root(self) -> Path:
        """The folder that belongs to Palio."""
        return self.folder / OURS

    @property
    def ledger(self) -> Path:
        """The SQLite database."""
        return self.root / "ledger.db"

    @property
    def lock(self) -> Path:
        """Held while the database is created or upgraded."""
        return self.root / "ledger.lock"

    @property
    def pictures(self) -> Path:
        """Notes about pictures, which may be thrown away."""
        return self.root / "pictures.db"

    @property
    def unfinished(self) -> Path:
        """States of long fits that are under way on this machine; they may be thrown away."""
        return self.root / "unfinished"

    @property
    def blobs(self) -> Path:
        """The content-addressed files."""
        return self.root / "blobs"

    def predictions(self, named: str = "") -> Path:
        """Return the folder of the prediction log: what `[log] dir` names, from the project, or one of the store."""
        return self.folder / Path(named).expanduser() if named else self.root / "predictions"


def blob_name(identity: str) -> str:
    """Return where the blob called `identity` lies below the blobs' root: two digits of folder, then the file.

    Raises:
        InputError: not an identity; so that no path can be built from what a caller or a file says.

    Example:
        >>> blob_name("ab" * 32)[:9]
        'ab/ababab'
    """
    if not is_digest(identity):
        raise InputError(
            f"blob {identity[:80]!r}: not an identity, which has 64 hexadecimal digits", hint="give the full SHA-256"
        )
    return f"{identity[:2]}/{identity[2:]}"


def without_secrets(url: str) -> str:
    """Name a database or bucket for people: without user, password and query, where secrets travel.

    Example:
        >>> without_secrets("postgresql://ann:secret@db:5432/palio?password=x")
        'postgresql://db:5432/palio'
    """
    return _CREDENTIALS.sub("", _QUERY.sub("", url))
