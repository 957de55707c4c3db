"""Collect the labelled rows that were served, as rows of the project, and add them to its data."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from palio import data, split, store, truth
from palio.core.errors import NotFoundError, RefusedError
from palio.core.ids import digest
from palio.core.records import Record, Schema, Snapshot
from palio.core.renewal import RetrainRequest
from palio.flow import appending, bundles, feedback, reading
from palio.flow.opened import Opened

if TYPE_CHECKING:
    import polars as pl

FILE = "rows.parquet"


class Collected(Record, frozen=True, kw_only=True):
    """The labelled rows of a renewal, before they are added to the data."""

    request: str
    path: str
    """Of the file, as seen from the project folder."""
    content: str
    """SHA-256 of the file."""
    identities: str
    """Blob: a 64-bit hash of the prediction id and one of the label for each row, sorted by the first."""
    n_rows: int
    n_corrected: int = 0
    """Rows that an earlier renewal added, and whose label has changed since; the data keeps the label of then."""
    n_unfit: int = 0
    """Labelled rows left out because the log does not hold all their inputs."""
    n_repeated: int = 0
    """Labelled rows left out because the data holds their id already, or a newer answer has it."""
    notes: tuple[str, ...] = ()
    """What was put where the log holds no cell."""


def collect(opened: Opened, request: RetrainRequest) -> tuple[Collected, appending.Appended]:
    """Add the ripe labelled rows of a request to the data; again and again the same.

    The file is written once, whole or not at all; whoever is killed goes on with it. Rows that break the contract go to
    quarantine.

    Raises:
        RefusedError: the log cannot give rows of this project, or has none that an earlier renewal did not add.
    """
    known = opened.store.records.get(Collected, request.id)
    if known is None or appending.appended(opened, known.content) is None:
        before = reading.read(opened)
        known = known or _gather(opened, request, before.snapshot)
        file = opened.folder / known.path
        appending.add(opened, before.snapshot, file, base=before.fingerprint, on_violation="quarantine")
    appended = appending.appended(opened, known.content)
    if appended is None:
        raise RefusedError(
            f"renewal {request.id}: its rows are equal to the source of the project",
            hint="remove them from the source, or withdraw the renewal",
        )
    return known, appended


class Counts(NamedTuple):
    """The labelled rows that a renewal would add."""

    n_rows: int = 0
    only: str = ""
    """The class that all of them are of; empty if there are several, or values."""


def count(opened: Opened, *, received_before: dt.datetime, answered_before: dt.datetime | None) -> Counts:
    """Count the labelled rows that a renewal would add now, by the newest data in the store; nothing is read anew.

    There are no rows if the log cannot give any of this project.
    """
    snapshot = _newest(opened)
    if obstacle(opened, snapshot.schema):
        return Counts()
    gathering = gatherer(opened, snapshot)
    task, seen = gathering.task, set[str]()
    for rows, _, _ in gathering.frames(received_before=received_before, answered_before=answered_before):
        if task.kind == "classification" and len(seen) < 2:
            seen |= {str(one) for one in rows[task.target].unique().to_list()}
    return Counts(gathering.n_fit, next(iter(seen)) if len(seen) == 1 else "")


def hindrance(opened: Opened) -> str:
    """Say why no row of the log can be learned from, by the newest data in the store; empty if rows can."""
    if opened.champion is None:
        return ""
    return obstacle(opened, _newest(opened).schema)


def _newest(opened: Opened) -> Snapshot:
    manifest = bundles.find(opened, "champion").manifest
    added = [one for one in opened.store.records.all(appending.Appended) if one.project == opened.name]
    return opened.store.records.require(Snapshot, added[-1].snapshot if added else manifest.snapshot)


def first_row(opened: Opened, request: RetrainRequest) -> int:
    """Return where the rows that were collected for a request begin in the snapshot that they made."""
    rows = opened.store.records.require(Collected, request.id)
    appended = appending.appended(opened, rows.content)
    if appended is None:
        raise NotFoundError(f"renewal {request.id}: its rows were never added", hint="withdraw it and plan again")
    return appended.first_row


def obstacle(opened: Opened, schema: Schema) -> str:
    """Say why the log cannot give rows of this project; empty if it can."""
    log = opened.config.log
    if log.inputs in ("hash", "none") or log.durability == "off":
        setting = 'durability = "off"' if log.durability == "off" else f'inputs = "{log.inputs}"'
        return f"the prediction log holds no inputs ([log] {setting})"
    return truth.obstacle(
        schema,
        hidden={*log.redact, *log.hash},
        method=opened.config.split.method,
        keeps_pictures=log.pictures_mb > 0,
    )


def gatherer(opened: Opened, snapshot: Snapshot) -> truth.Gatherer:
    """Make ready to turn answers of the log into rows like those of a snapshot, whose ids are known."""
    files = {one.content for one in opened.store.records.all(appending.Appended) if one.project == opened.name}
    added = [one.identities for one in opened.store.records.all(Collected) if one.content in files]
    return truth.Gatherer(
        feedback.log_folder(opened),
        opened.name,
        schema=snapshot.schema,
        task=bundles.find(opened, "champion").manifest.task,
        ids=data.known_ids(opened.store, snapshot),
        learned=truth.Learned.read(opened.store.blobs.get(blob) for blob in added),
        holds_keys="key" not in opened.config.log.hash,
        pictures=_pictures(opened),
        part=(opened.config.split.by or split.PART) if opened.config.split.method == "given" else "",
    )


def _pictures(opened: Opened) -> store.KeptPictures:
    return store.KeptPictures(feedback.log_folder(opened), most_bytes=int(opened.config.log.pictures_mb * 2**20))


def _keep_pictures(opened: Opened, rows: pl.DataFrame, schema: Schema) -> None:
    """Put pictures that rows name into the store: those beside the log go in their time."""
    kept = _pictures(opened)
    for column in schema.features:
        for name in rows[column.name].unique().to_list() if column.type == "image" else ():
            if not opened.store.blobs.exists(name) and (held := kept.read(name)) is not None:
                opened.store.blobs.put(held)


def _gather(opened: Opened, request: RetrainRequest, snapshot: Snapshot) -> Collected:
    """Write the rows into a file of the renewal, and remember which they are; the snapshot holds those of before."""
    why = obstacle(opened, snapshot.schema)
    if why:
        raise RefusedError(f"renewal {request.id}: {why}", hint="see docs/reference/renewal.md")
    gathering = gatherer(opened, snapshot)
    found = gathering.gather(received_before=request.labels_until, answered_before=request.answered_before)
    if found is None:
        raise RefusedError(
            f"renewal {request.id}: the log holds no labelled row that could be added: {gathering.n_unfit:,} lack an "
            f"input, of {gathering.n_repeated:,} the data holds the id already",
            hint="see docs/reference/renewal.md",
        )
    _keep_pictures(opened, found.rows, snapshot.schema)
    file = store.Layout(opened.folder).root / "renewals" / request.id / FILE
    content = found.as_parquet()
    collected = Collected(
        request=request.id,
        path=str(file.relative_to(opened.folder)),
        content=digest(content),
        identities=opened.store.blobs.put(found.learned()),
        n_rows=found.rows.height,
        n_corrected=gathering.n_corrected,
        n_unfit=gathering.n_unfit,
        n_repeated=gathering.n_repeated,
        notes=gathering.notes,
    )
    store.write_whole(file, content)
    opened.store.records.put(collected, key=request.id)
    return collected
