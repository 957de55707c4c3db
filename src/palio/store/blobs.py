"""Keep bytes by their SHA-256: on this disk, or behind any fsspec URL.

What is handed out has been checked: bytes that are not what their name says are refused by name.
"""

from __future__ import annotations

import abc
import hashlib
import io
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from palio.core.errors import ConfigError, IntegrityError, NotFoundError, UnavailableError
from palio.core.ids import digest, short
from palio.store.layout import blob_name, without_secrets

_PIECE_BYTES = 1 << 20
_IN_MEMORY_BYTES = 16 << 20
_WHOLE_OR_NOTHING = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}  # an object appears when it is complete
Guard = Callable[[str], AbstractContextManager[None]]


class Blobs(abc.ABC):
    """Bytes by their identity. Writing twice is harmless; reading checks; deleting asks the guard first."""

    where: str
    """The place, for people."""
    place: str
    """The place as `open_blobs` takes it; a URL may hold secrets."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.guard: Guard = guard or (lambda _: nullcontext())

    def put(self, data: bytes) -> str:
        """Keep `data` and return its identity; on disk when this returns. A damaged copy is replaced.

        Raises:
            UnavailableError: the place cannot be written.
        """
        identity = digest(data)
        self._write(identity, io.BytesIO(data))
        return identity

    def put_file(self, path: Path) -> str:
        """Keep the content of a file, in pieces, and return its identity.

        Raises:
            NotFoundError: no such file.
            UnavailableError: the place cannot be written, or the file changed while it was read.
        """
        try:
            with path.open("rb") as source:
                identity = hashlib.file_digest(source, "sha256").hexdigest()
                source.seek(0)
                self._write(identity, source)
        except (FileNotFoundError, IsADirectoryError):
            raise NotFoundError(f"{path}: there is no such file", hint="check the path") from None
        return identity

    def get(self, identity: str) -> bytes:
        """Return the bytes called `identity`.

        Raises:
            InputError: not an identity.
            NotFoundError: no such blob.
            IntegrityError: the bytes are not what their name says.
        """
        data = self._read(identity)
        if digest(data) != identity:
            raise self._damaged(identity, len(data))
        return data

    @abc.abstractmethod
    def open(self, identity: str) -> BinaryIO:
        """Open the bytes called `identity` for reading and seeking; checked before the first byte is handed out.

        The caller closes the file. Errors as in `get`.
        """

    @abc.abstractmethod
    def local_path(self, identity: str) -> Path | None:
        """Return a file on this disk with the (checked) bytes, or None where blobs live elsewhere. Errors as in `get`.

        A file is checked once a process, and again when its size or time of change differs.
        """

    @abc.abstractmethod
    def exists(self, identity: str) -> bool:
        """Tell whether there is such a blob. Does not read it."""

    @abc.abstractmethod
    def size(self, identity: str) -> int:
        """Return the number of bytes; `NotFoundError` if there is no such blob."""

    def delete(self, identity: str) -> None:
        """Remove a blob.

        Raises:
            RefusedError: a live bundle is it or cites it.
            NotFoundError: no such blob.
        """
        with self.guard(identity):
            self._remove(identity)

    @abc.abstractmethod
    def _write(self, identity: str, source: BinaryIO) -> None: ...

    @abc.abstractmethod
    def _read(self, identity: str) -> bytes: ...

    @abc.abstractmethod
    def _remove(self, identity: str) -> None: ...

    def _absent(self, identity: str) -> NotFoundError:
        return NotFoundError(
            f"blob {short(identity)}: not in {self.where}",
            hint="it was deleted or belongs to another store: run the step that made it again",
            facts={"blob": identity},
        )

    def _damaged(self, identity: str, n_bytes: int) -> IntegrityError:
        return IntegrityError(
            f"blob {short(identity)}: its {n_bytes:,} bytes in {self.where} are not what their name says",
            hint="restore this blob from a backup, or run the step that made it again",
            facts={"blob": identity, "size_bytes": n_bytes},
        )


class LocalBlobs(Blobs):
    """Blobs as files: written beside, synced, then renamed, so that a reader never sees half a blob."""

    def __init__(self, root: Path, guard: Guard | None = None) -> None:
        super().__init__(guard)
        self.root = root
        self.where = self.place = str(root)
        self._checked: set[tuple[str, int, int]] = set()

    def open(self, identity: str) -> BinaryIO:
        """See `Blobs.open`."""
        with self._plain_words(identity):
            return self._check(identity).open("rb")

    def local_path(self, identity: str) -> Path:
        """See `Blobs.local_path`."""
        with self._plain_words(identity):
            return self._check(identity)

    def exists(self, identity: str) -> bool:
        """See `Blobs.exists`."""
        return self._path(identity).is_file()

    def size(self, identity: str) -> int:
        """See `Blobs.size`."""
        with self._plain_words(identity):
            return self._path(identity).stat().st_size

    def _path(self, identity: str) -> Path:
        return self.root / blob_name(identity)

    def _check(self, identity: str) -> Path:
        path = self._path(identity)
        state = path.stat()
        key = (identity, state.st_mtime_ns, state.st_size)
        if key not in self._checked:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != identity:
                    raise self._damaged(identity, state.st_size)
            self._checked.add(key)
        return path

    def _write(self, identity: str, source: BinaryIO) -> None:
        with self._plain_words(identity):
            path = self._path(identity)
            if path.is_file():
                try:
                    self._check(identity)
                except IntegrityError:
                    pass  # written anew below
                else:
                    return
            is_new_folder = not path.parent.is_dir()
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.parent / f".{uuid.uuid4().hex}.tmp"
            try:
                with beside.open("xb") as file:
                    _copy_as(identity, source, file)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            _sync_folder(path.parent)
            if is_new_folder:
                _sync_folder(self.root)

    def _read(self, identity: str) -> bytes:
        with self._plain_words(identity):
            return self._path(identity).read_bytes()

    def _remove(self, identity: str) -> None:
        with self._plain_words(identity):
            self._path(identity).unlink()

    @contextmanager
    def _plain_words(self, identity: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._absent(identity) from None
        except OSError as error:
            _blame(self.where, error.strerror or str(error))


class RemoteBlobs(Blobs):
    """Blobs behind an fsspec URL (S3, GCS, Azure, SFTP, …). Needs the fsspec package of that protocol."""

    def __init__(self, url: str, guard: Guard | None = None) -> None:
        super().__init__(guard)
        import fsspec  # kept out of the start-up of projects that live on one disk

        self.where, self.place = without_secrets(url), url
        self._protocol = url.partition("://")[0].rpartition("::")[2]
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise UnavailableError(
                f"{self.where}: the fsspec package for `{self._protocol}` is not installed",
                hint=f"install {error.name or 'the package that fsspec names for this protocol'}",
            ) from None
        except ValueError:
            raise ConfigError(
                f"[store] blobs: `{self._protocol}` is not a protocol that fsspec knows",
                hint="use a folder or a URL such as s3://bucket/folder",
            ) from None

    def open(self, identity: str) -> BinaryIO:
        """See `Blobs.open`; up to 16 MB are held in memory, more on this disk."""
        copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 # the caller closes it
        try:
            with self._plain_words(identity), self._files.open(self._path(identity), "rb") as source:
                seen = _copy(source, copy)
            if seen != identity:
                raise self._damaged(identity, copy.tell())
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy  # type: ignore[return-value]  # has every method of a binary file, but not the type

    def local_path(self, identity: str) -> None:
        """See `Blobs.local_path`."""
        self._path(identity)

    def exists(self, identity: str) -> bool:
        """See `Blobs.exists`."""
        with self._plain_words(identity):
            return bool(self._files.exists(self._path(identity)))

    def size(self, identity: str) -> int:
        """See `Blobs.size`."""
        with self._plain_words(identity):
            return int(self._files.size(self._path(identity)))

    def _path(self, identity: str) -> str:
        return f"{self._root.rstrip('/')}/{blob_name(identity)}"

    def _write(self, identity: str, source: BinaryIO) -> None:
        with self._plain_words(identity):
            path = self._path(identity)
            if self._files.exists(path):
                try:
                    self.open(identity).close()
                except IntegrityError:
                    pass  # written anew below
                else:
                    return
            at_once = self._protocol in _WHOLE_OR_NOTHING
            target = path if at_once else f"{path}.{uuid.uuid4().hex}.tmp"
            if not at_once:
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                with self._files.open(target, "wb") as file:
                    _copy_as(identity, source, file)
            except BaseException:
                if self._files.exists(target):  # closing may have stored what is not whole
                    self._files.rm_file(target)
                raise
            if not at_once:
                self._files.mv(target, path)

    def _read(self, identity: str) -> bytes:
        with self._plain_words(identity):
            return bytes(self._files.cat_file(self._path(identity)))

    def _remove(self, identity: str) -> None:
        with self._plain_words(identity):
            self._files.rm_file(self._path(identity))

    @contextmanager
    def _plain_words(self, identity: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._absent(identity) from None
        except (OSError, ValueError) as error:
            _blame(self.where, without_secrets(str(error).partition("\n")[0]))


def open_blobs(place: str, default: Path) -> Blobs:
    """Open the blobs at `place`: a folder, an fsspec URL, or (empty) the folder `default`.

    Raises:
        ConfigError: fsspec does not know the protocol.
        UnavailableError: the protocol's package is not installed.
    """
    if not place:
        return LocalBlobs(default)
    if place.startswith("file://"):
        return LocalBlobs(Path(place.removeprefix("file://")))
    return RemoteBlobs(place) if "://" in place else LocalBlobs(Path(place))


def _copy(source: Any, target: Any) -> str:
    seen = hashlib.sha256()
    while piece := source.read(_PIECE_BYTES):
        seen.update(piece)
        target.write(piece)
    return seen.hexdigest()


def _copy_as(identity: str, source: Any, target: Any) -> None:
    if _copy(source, target) != identity:
        raise UnavailableError(
            f"blob {short(identity)}: the file changed while it was read", hint="retry when nobody writes to it"
        )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _blame(where: str, said: str) -> NoReturn:
    raise UnavailableError(
        f"{where}: {said}", hint="check that the place exists, has room, and that this user may write there"
    ) from None
