"""Keep what must not be known out of the prediction log: columns left empty, or replaced by a keyed hash."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from palio.core.errors import UnavailableError
from palio.store.arrow import Array

SALT_FILE = ".salt"
SALT_BYTES = 32


class Redaction:
    """Which columns are left empty, which are hashed, and with what salt.

    A hash is BLAKE2b (RFC 7693), keyed with the salt, 64 bits for a cell and 128 for a row: equal values stay equal, so
    that rows can be joined, and nobody without the salt can try out values.

    Example:
        >>> redaction = Redaction(empty=["name"], hashed=["key"], salt="pepper")
        >>> first, second = redaction.texts(["4711", "4711"])
        >>> first == second, first == "4711", len(first)
        (True, False, 16)
    """

    def __init__(self, *, empty: Iterable[str] = (), hashed: Iterable[str] = (), salt: str = "") -> None:
        self.empty = frozenset(empty)
        self.hashed = frozenset(hashed) - self.empty
        self._salt = hashlib.blake2b(salt.encode(), digest_size=SALT_BYTES).digest()

    def texts(self, values: Sequence[str]) -> list[str]:
        """Hash texts; an empty one stays empty."""
        return [self._cell(value.encode("utf-8", "replace")) if value else "" for value in values]

    def rows(self, columns: Sequence[Sequence[Array]]) -> list[str]:
        """Hash whole rows: the cells of all columns together, texts with their length before them.

        Args:
            columns: Per column one array per row.
        """
        parts = [[_bytes_of(cell) for cell in cells] for cells in columns]
        return [self._hash(b"".join(row), 16) for row in zip(*parts, strict=True)]

    def _cell(self, data: bytes) -> str:
        return self._hash(data, 8)

    def _hash(self, data: bytes, size: int) -> str:
        return hashlib.blake2b(data, digest_size=size, key=self._salt).hexdigest()


def _bytes_of(cell: Array) -> bytes:
    if cell.dtype != object:
        return cell.tobytes()
    encoded = [str(value).encode("utf-8", "replace") for value in cell.ravel()]
    return b"".join(len(text).to_bytes(8, "little") + text for text in encoded)


def salt_of(folder: Path) -> str:
    """Return the salt of a log that has none in its settings: made at random once, kept beside it, for its owner only.

    Raises:
        UnavailableError: the folder cannot be written.
    """
    path = folder / SALT_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            new = folder / f".salt-{secrets.token_hex(4)}"
            handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(SALT_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(new, path)  # the first of several workers wins, the others read what it wrote
            except FileExistsError:
                pass
            finally:
                new.unlink()
        return path.read_text("utf-8")
    except OSError as error:
        raise UnavailableError(
            f"{folder}: the prediction log cannot be kept here: {(error.strerror or 'failed').lower()}",
            hint='make it writable, name another folder with --log, or keep no log ([log] durability = "off")',
        ) from None
