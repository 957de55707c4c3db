"""Keep the bytes of pictures that were asked about, by their SHA-256, up to a size: the newest ones."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = ".pictures"
"""In the folder of the log, readable by its owner only; no model is called so."""
SWEEP = 0.05
"""Of the size that is allowed: so much may be written before it is looked whether something must go."""


class KeptPictures:
    """Pictures beside the prediction log. Safe beside other processes; a file is there whole or not at all.

    Args:
        folder: Root of the log.
        most_bytes: Beyond this the pictures go that were not asked about for longest; 0: none is kept.

    Example:
        >>> import tempfile
        >>> kept = KeptPictures(Path(tempfile.mkdtemp()), most_bytes=1000)
        >>> kept.keep("ab12", b"bytes")
        >>> kept.read("ab12"), kept.has("cd34")
        (b'bytes', False)
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._root, self._most = folder / FOLDER, most_bytes
        self._n_new = most_bytes  # what others wrote is looked at with the first one

    def keep(self, digest: str, data: bytes) -> None:
        """Keep a picture; of one that is kept it is noted that it was asked about again.

        What the disk refuses is not kept: an answer is logged without it.
        """
        if self._most <= 0 or len(data) > self._most:
            return
        path = self._path(digest)
        with contextlib.suppress(OSError):
            if path.exists():
                os.utime(path)
                return
            for folder in (self._root, path.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            part.touch(mode=0o600)
            part.write_bytes(data)
            part.replace(path)
            self._n_new += len(data)
            if self._n_new > SWEEP * self._most:
                self._sweep()

    def has(self, digest: str) -> bool:
        """Tell whether a picture is kept."""
        return bool(digest) and self._path(digest).is_file()

    def read(self, digest: str) -> bytes | None:
        """Return the bytes of a picture; None: they are not kept."""
        try:
            return self._path(digest).read_bytes() if digest else None
        except OSError:
            return None

    def forget(self, *, days: float) -> int:
        """Remove what was not asked about for so many days, 0: nothing; return how many pictures that were."""
        before = time.time() - 86_400 * days
        old = [path for at, _, path in self._all() if days and at < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _sweep(self) -> None:
        self._n_new = 0
        found = sorted(self._all(), reverse=True)
        total = 0
        for _, size, path in found:
            total += size
            if total > self._most:
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._root.glob("*/*"):
            with contextlib.suppress(OSError):  # another process removed it
                told = path.lstat()
                yield told.st_mtime, told.st_size, path

    def _path(self, digest: str) -> Path:
        name = "".join(letter for letter in digest if letter.isalnum())
        return self._root / name[:2] / name
