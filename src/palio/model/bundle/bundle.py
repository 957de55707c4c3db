"""Keep a model as a bundle: a manifest and members, each named by the hash of its bytes.

The identity of a bundle is the SHA-256 of its manifest, and the manifest holds the SHA-256 of each member: whoever
changes a byte and repairs the hashes has made another bundle.
"""

from __future__ import annotations

import dataclasses
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec
import numpy.typing as npt

from palio.core.errors import InputError, IntegrityError, NotFoundError
from palio.core.ids import canonical_json, digest, is_digest, short
from palio.core.records import ColumnShape, Manifest, Parity, Schema, Task
from palio.measure import decode_description
from palio.model.bundle.card import write_card
from palio.model.bundle.golden import Golden, decode_golden, encode_golden
from palio.model.bundle.reference import REFERENCE, ROWS, decode_reference, decode_rows, encode_reference, encode_rows
from palio.model.bundle.signing import MAX_SIGNATURES, read_signatures, signatures_of, write_signatures
from palio.model.cells.feeds import feeds_from_frame
from palio.model.graph.session import Device, Graph
from palio.model.reading.readers import brief

if TYPE_CHECKING:
    import polars as pl

    from palio.core.monitoring import Reference
    from palio.model.bundle.signing import Trust
    from palio.model.graph.stages import Stages
    from palio.store import Blobs, Store

Array = npt.NDArray[Any]

MANIFEST, GRAPH, PROFILE, GOLDEN, CARD = "manifest.json", "model.onnx", "profile.json", "golden.json", "card.md"
MEMBERS = (GRAPH, GOLDEN, CARD, REFERENCE)
FORMATS = {
    1: (GRAPH, PROFILE, GOLDEN, CARD),
    2: (GRAPH, PROFILE, GOLDEN, CARD, REFERENCE, ROWS),
    3: (*MEMBERS, ROWS),
}
"""Format of the manifest → its members. Since format 3 the reference tells what the profile told."""
OPTIONAL = {3: (ROWS,)}
"""Members of a format that a bundle may lack: without rows it serves, but cannot be watched for drift."""
_ON_DEMAND = (REFERENCE, ROWS)
"""Checked when the bundle is opened, but not kept in memory: a server reads the reference only to explain."""
_MAX_BYTES = {
    GRAPH: 1 << 30,
    PROFILE: 1 << 26,
    GOLDEN: 1 << 26,
    CARD: 1 << 24,
    REFERENCE: 1 << 26,
    ROWS: 1 << 26,
    MANIFEST: 1 << 26,
}


class Facts(TypedDict):
    """What the maker of a bundle tells about it; the rest of the manifest follows from the graph."""

    task: Task
    schema: Schema
    family: str
    params: dict[str, Any]
    seed: int
    n_parameters: int
    snapshot: str
    parts: str
    trained_on: tuple[str, ...]
    metrics: dict[str, dict[str, float]]
    parity: tuple[Parity, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """A model that was opened: every byte has been checked against its identity."""

    id: str
    manifest: Manifest
    graph: Graph
    members: Mapping[str, bytes] = field(repr=False)
    blobs: Blobs | None = field(default=None, repr=False, compare=False)
    """Where the bytes of pictures are that rows name by their identity."""

    def feeds(self, frame: pl.DataFrame) -> dict[str, Array]:
        """Turn rows of the store that the bundle came from into feeds of its graph. Errors as in `feeds_from_frame`."""
        return feeds_from_frame(frame, self.manifest.schema, self.blobs)

    def golden(self) -> Golden:
        """Return the golden rows and their answers."""
        return decode_golden(self.members[GOLDEN])

    def shapes(self) -> tuple[ColumnShape, ...]:
        """Return what the columns of the training rows look like, and statistics and answers where they are known."""
        if PROFILE not in self.members:
            return decode_reference(self.members[REFERENCE]).columns
        try:
            return decode_description(self.members[PROFILE]).columns
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(PROFILE, error) from None

    def stages(self) -> Stages | None:
        """Take the graph apart where its columns first meet; None if it cannot be (needs the package `onnx`)."""
        from palio.model.graph.stages import stages_of

        return stages_of(self.members[GRAPH])

    def card(self) -> str:
        """Return the model card, Markdown."""
        return self.members[CARD].decode("utf-8")

    def reference(self) -> Reference | None:
        """Return what the model was trained on, in bins; None in a bundle that cannot be watched: it lacks the rows."""
        if ROWS not in self.members:
            return None
        return decode_reference(self.members[REFERENCE])

    def reference_rows(self) -> Mapping[str, Array] | None:
        """Return rows that the model had not seen when it answered them; None in a bundle that holds none.

        Columns as in the prediction log (`input.<column>`, `prediction`, `probability_<class>`); `truth` as the
        prediction is; and `block` (0 to 7), the run of rows in time or file order that a row belongs to.
        """
        if ROWS not in self.members:
            return None
        return decode_rows(self.members[ROWS], self.manifest.schema, self.manifest.task)


class _Members(Mapping[str, bytes]):
    """The bytes of the members: some at hand, others read, and checked again, when they are asked for."""

    def __init__(self, held: dict[str, bytes], fetched: dict[str, Callable[[], bytes]]) -> None:
        self._held, self._fetched = held, fetched

    def __getitem__(self, name: str) -> bytes:
        return self._held[name] if name in self._held else self._fetched[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._held or name in self._fetched

    def __iter__(self) -> Iterator[str]:
        return iter((*self._held, *self._fetched))

    def __len__(self) -> int:
        return len(self._held) + len(self._fetched)


def pack(
    store: Store,
    graph: bytes,
    *,
    golden: Golden,
    reference: Reference,
    reference_rows: Mapping[str, Array] | None = None,
    **facts: Unpack[Facts],
) -> str:
    """Put a model into the store and return its identity. Equal models get equal identities.

    Args:
        graph: The ONNX file.
        golden: From `make_golden`.
        reference: From `make_reference`; with answers, if the model is to be watched for drift.
        reference_rows: From `sample_rows`; without them the model cannot be watched.
        facts: The fields of `Manifest` that the maker knows.

    Raises:
        IntegrityError: the graph is not plain, self-contained ONNX.
    """
    session = Graph(graph)
    rules = tuple(brief(one) for one in session.readings)
    manifest = Manifest(
        format=3,
        inputs=session.inputs,
        outputs=session.outputs,
        files={},
        readings=rules,
        precision=session.precision,
        **facts,
    )
    members = {
        GRAPH: graph,
        GOLDEN: encode_golden(golden),
        CARD: write_card(manifest, n_rows=reference.n_rows).encode(),
        REFERENCE: encode_reference(reference),
    }
    if reference_rows is not None:
        members[ROWS] = encode_rows(reference_rows)
    files = {name: store.blobs.put(data) for name, data in members.items()}
    return store.blobs.put(canonical_json(msgspec.structs.replace(manifest, files=files)))


def load(store: Store, bundle: str, *, threads: int = 1, device: Device = "cpu", trust: Trust | None = None) -> Bundle:
    """Open a bundle of the store.

    Raises:
        NotFoundError: there is no such bundle.
        RefusedError: `trust` is given, and none of its keys signed the bundle; then no byte of it has been read.
        IntegrityError: a member is not what its hash says, by name; or the graph is not the one described.
    """
    if trust is not None:
        trust.require(bundle, signatures_of(store, bundle))
    data = _get(store, bundle, MANIFEST, bundle)
    opened = _open(data, bundle, lambda name, identity: _get(store, identity, name, bundle), threads, device)
    return dataclasses.replace(opened, blobs=store.blobs)


def open_folder(
    path: Path, *, expected: str = "", threads: int = 1, device: Device = "cpu", trust: Trust | None = None
) -> Bundle:
    """Open a bundle that was exported to a folder. Only the members' own files are read.

    Args:
        path: Holds `manifest.json` and the members.
        expected: Identity that the bundle must have; without it the folder vouches for itself only.
        trust: Keys of which one must have signed it, in `signature.json`.

    Raises:
        NotFoundError: there is no bundle.
        RefusedError: no key of `trust` signed it; then nothing but the manifest's hash has been looked at.
        IntegrityError: a member is truncated, edited or absent, by name; or the bundle is not the expected one.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        raise NotFoundError(f"{path}: there is no bundle here", hint="name a folder written by palio model export")
    data = _read(path, MANIFEST)
    identity = digest(data)
    if expected and identity != expected:
        raise IntegrityError(
            f"{MANIFEST}: this is bundle {short(identity)}, not {short(expected)}", hint="export the bundle again"
        )
    if trust is not None:
        trust.require(identity, read_signatures(path))
    return _open(data, identity, lambda name, _: _read(path, name), threads, device)


def export(store: Store, bundle: str, path: Path) -> Path:
    """Write a bundle as a folder, with its signatures if there are any, all or nothing; return the folder.

    Raises:
        InputError: the folder exists and is not empty.
        NotFoundError, IntegrityError: as `load`.
    """
    path = Path(path)
    opened = load(store, bundle)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path}: exists and is not an empty folder", hint="name a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        # The manifest goes as it is: written anew, one of another version of Palio would be another bundle.
        for name, data in {MANIFEST: _get(store, bundle, MANIFEST, bundle), **opened.members}.items():
            (scratch / name).write_bytes(data)
        if signatures := signatures_of(store, bundle):
            write_signatures(scratch, signatures[-MAX_SIGNATURES:])
        scratch.chmod(0o755)
        if path.exists():
            path.rmdir()
        scratch.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}", hint="name a folder you may write to"
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path


def _open(data: bytes, identity: str, read: Any, threads: int, device: Device) -> Bundle:
    if digest(data) != identity:
        raise _changed(MANIFEST, identity)
    manifest = _decode(data, Manifest, MANIFEST)
    if manifest.format not in FORMATS:
        raise IntegrityError(
            f"{MANIFEST}: format {manifest.format}, this version of Palio reads {min(FORMATS)} to {max(FORMATS)}",
            hint="open it with the version of Palio that made it",
        )
    names = [
        name
        for name in FORMATS[manifest.format]
        if name in manifest.files or name not in OPTIONAL.get(manifest.format, ())
    ]
    if set(manifest.files) != set(names) or not all(is_digest(value) for value in manifest.files.values()):
        raise IntegrityError(f"{MANIFEST}: it must name {', '.join(names)}, each with its SHA-256", hint=_RESTORE)

    def checked(name: str) -> bytes:
        member: bytes = read(name, manifest.files[name])
        if digest(member) != manifest.files[name]:
            raise _changed(name, identity)
        return member

    held: dict[str, bytes] = {}
    fetched: dict[str, Callable[[], bytes]] = {}
    for name in names:
        member = checked(name)
        if name in _ON_DEMAND:
            fetched[name] = partial(checked, name)
        else:
            held[name] = member
    members = _Members(held, fetched)
    graph = Graph(members[GRAPH], threads, max_bytes=_MAX_BYTES[GRAPH], device=device)
    if (graph.inputs, graph.outputs) != (manifest.inputs, manifest.outputs):
        raise IntegrityError(f"{GRAPH}: its inputs and outputs are not those of {MANIFEST}", hint=_RESTORE)
    return Bundle(id=identity, manifest=manifest, graph=graph, members=members)


_RESTORE = "restore the bundle from the store or a backup"


def _changed(name: str, bundle: str) -> IntegrityError:
    return IntegrityError(
        f"{name}: its bytes are not what bundle {short(bundle)} says", hint=_RESTORE, facts={"member": name}
    )


def _decode(data: bytes, kind: Any, name: str) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> IntegrityError:
    return IntegrityError(f"{name}: not readable: {error}", hint=_RESTORE, facts={"member": name})


def _get(store: Store, identity: str, name: str, bundle: str) -> bytes:
    if not is_digest(identity):
        raise NotFoundError(f"`{identity[:80]}` is no identity of a bundle", hint="give 64 hexadecimal digits")
    try:
        return store.blobs.get(identity)
    except NotFoundError:
        if name == MANIFEST:
            raise NotFoundError(f"there is no bundle {short(bundle)}", hint="list versions with palio log") from None
        raise IntegrityError(
            f"{name}: missing from bundle {short(bundle)}", hint=_RESTORE, facts={"member": name}
        ) from None
    except IntegrityError as error:
        raise IntegrityError(f"{name}: {error.message}", hint=error.hint, facts={"member": name}) from None


def _read(folder: Path, name: str) -> bytes:
    try:
        path = folder / name
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe or a device would never end
            raise IntegrityError(f"{name}: not a plain file", hint=_RESTORE, facts={"member": name})
        if state.st_size > _MAX_BYTES[name]:
            raise IntegrityError(f"{name}: larger than {_MAX_BYTES[name]} bytes", hint=_RESTORE, facts={"member": name})
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(
            f"{name}: cannot be read: {error.strerror}", hint=_RESTORE, facts={"member": name}
        ) from None
