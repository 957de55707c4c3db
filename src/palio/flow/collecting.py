"""Collect the labelled rows that were served, as rows of the project, and add them to its data."""

from __future__ import annotations

import datetime as dt
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palio import data, store, truth
from palio.core.errors import NotFoundError, RefusedError
from palio.core.ids import digest
from palio.core.records import Column, Record, Schema, Snapshot
from palio.core.renewal import RetrainRequest
from palio.flow import appending, bundles, feedback, reading
from palio.flow.opened import Opened

if TYPE_CHECKING:
    import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]
FILE = "rows.parquet"
_TEXTS = ("boolean", "category", "text")
_PARTS = ("year", "month", "day", "hour", "minute", "second")


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


def count(opened: Opened, *, received_before: dt.datetime, answered_before: dt.datetime | None) -> int:
    """Count the labelled rows that a renewal would add now, by the newest data in the store; nothing is read anew.

    0 if the log cannot give rows of this project.
    """
    snapshot = _newest(opened)
    if obstacle(opened, snapshot.schema):
        return 0
    gatherer = Gatherer(opened, snapshot)
    for _ in gatherer.frames(received_before=received_before, answered_before=answered_before):
        pass
    return gatherer.n_fit


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
    log, features = opened.config.log, {column.name for column in schema.features}
    hidden = sorted(features & {*log.redact, *log.hash})
    if log.inputs in ("hash", "none") or log.durability == "off":
        setting = 'durability = "off"' if log.durability == "off" else f'inputs = "{log.inputs}"'
        return f"the prediction log holds no inputs ([log] {setting})"
    if hidden:
        return f"the prediction log does not hold `{hidden[0]}` as it was ([log] redact or hash)"
    strange = [column.name for column in schema.features if column.type in ("image", "boxes")]
    if strange:
        return f"the prediction log does not hold the pixels of `{strange[0]}`"
    method, remedy = opened.config.split.method, "add such rows with palio ingest --append"
    if schema.group is not None and schema.group not in features and method in ("auto", "grouped"):
        return (
            f"rows are kept together by `{schema.group}`, which the log does not hold, so that new rows of a group "
            f"could be in another part than its old ones: {remedy}"
        )
    if method in ("auto", "time"):
        for name in schema.time:
            if name not in features and _moment_as(schema.column(name)) is None:
                return f"rows are ordered by `{name}`, which the log does not hold: {remedy}"
    return ""


class Gatherer:
    """Turn labelled answers of the log back into rows of the project; count what is left out and why.

    Args:
        opened: Whose log.
        snapshot: The newest; its ids are known.
    """

    def __init__(self, opened: Opened, snapshot: Snapshot) -> None:
        self._opened, self._schema = opened, snapshot.schema
        task = bundles.find(opened, "champion").manifest.task
        self._is_number = task.kind == "regression"
        self._known, self._labels = _known_identities(opened)
        self._ids = _known_ids(opened, snapshot)
        self.n_fit = self.n_corrected = self.n_unfit = self.n_repeated = 0
        self.notes = _notes(snapshot.schema)

    def frames(
        self, *, received_before: dt.datetime, answered_before: dt.datetime | None
    ) -> Iterator[tuple[pl.DataFrame, Array]]:
        """Yield rows with a helping column `@at` (the moment of the answer), and two hashes for each."""
        batches = truth.labelled(
            feedback.log_folder(self._opened),
            self._opened.name,
            until=answered_before,
            received_before=received_before,
        )
        for batch in batches:
            labels = self._labels_of(batch)
            hashes = np.stack([_hashes(batch["id"].tolist()), _hashes(labels)], axis=1)
            fresh = self._fresh(hashes)
            if self._is_number:
                fresh &= np.isfinite(batch["truth_number"])  # a class is no truth about a number
            if not fresh.any():
                continue
            if not self._holds_all_inputs(batch):
                self.n_unfit += int(fresh.sum())
                continue
            frame = self._frame(batch, labels)
            fresh &= self._fresh_ids(frame)
            self.n_fit += int(fresh.sum())
            if fresh.any():
                yield frame.filter(fresh), hashes[fresh]

    def _labels_of(self, batch: dict[str, Array]) -> list[Any]:
        numbers: list[Any] = batch["truth_number"].tolist()
        if self._is_number:
            return numbers
        return [
            text or (data.label(number) if number == number else "")
            for text, number in zip(batch["truth"].tolist(), numbers, strict=True)
        ]

    def _fresh(self, hashes: Array) -> Array:
        """Leave out the rows that an earlier renewal added; note those whose label has changed since."""
        if not len(self._known):
            return np.ones(len(hashes), bool)
        places = np.minimum(np.searchsorted(self._known, hashes[:, 0]), len(self._known) - 1)
        old = self._known[places] == hashes[:, 0]
        self.n_corrected += int((old & (self._labels[places] != hashes[:, 1])).sum())
        fresh: Array = ~old
        return fresh

    def _holds_all_inputs(self, batch: dict[str, Array]) -> bool:
        for column in self._schema.features:
            cells = batch.get(f"input.{column.name}")
            if cells is None or (cells.dtype.kind == "f") == (column.type in _TEXTS):
                return False
            if len(cells) and column.type in _TEXTS and not isinstance(cells[0], str):
                return False  # nothing was kept of it
        return True

    def _fresh_ids(self, frame: pl.DataFrame) -> Array:
        import polars as pl

        if self._schema.id is None:
            return np.ones(frame.height, bool)
        keys = frame[self._schema.id].cast(pl.String)
        repeated = keys.is_in(list(self._ids)).fill_null(value=False).to_numpy()
        self.n_repeated += int(repeated.sum())
        return ~repeated

    def _frame(self, batch: dict[str, Array], labels: list[Any]) -> pl.DataFrame:
        import polars as pl

        schema, at = self._schema, pl.Series("@at", batch["at"].astype("datetime64[us]"))
        columns = [_cells(column, batch[f"input.{column.name}"]) for column in schema.features]
        held = {column.name for column in schema.features}
        if schema.id is not None and schema.id not in held:
            is_held = "key" in batch and "key" not in self._opened.config.log.hash  # a hash is nobody's id
            keys = batch["key"].tolist() if is_held else [""] * len(labels)
            columns.append(pl.Series(schema.id, [key or None for key in keys], pl.String))
            held.add(schema.id)
        for name in schema.time:
            if name not in held:
                columns.append(_moment_of(schema.column(name), at))
                held.add(name)
        if schema.group is not None and schema.group not in held:
            columns.append(pl.Series(schema.group, [None] * len(labels), pl.String))
        kind = pl.Float64 if self._is_number else pl.String
        target = pl.Series(str(schema.target), [label if label != "" else None for label in labels], kind)
        return pl.DataFrame([*columns, target, at])


def _gather(opened: Opened, request: RetrainRequest, snapshot: Snapshot) -> Collected:
    """Write the rows into a file of the renewal, and remember which they are; the snapshot holds those of before."""
    why = obstacle(opened, snapshot.schema)
    if why:
        raise RefusedError(f"renewal {request.id}: {why}", hint="see docs/reference/renewal.md")
    gatherer = Gatherer(opened, snapshot)
    parts = list(gatherer.frames(received_before=request.labels_until, answered_before=request.answered_before))
    frame, hashes = _in_order(parts, snapshot.schema, gatherer)
    if frame is None:
        raise RefusedError(
            f"renewal {request.id}: the log holds no labelled row that could be added: {gatherer.n_unfit:,} lack an "
            f"input, of {gatherer.n_repeated:,} the data holds the id already",
            hint="see docs/reference/renewal.md",
        )
    folder = store.Layout(opened.folder).root / "renewals" / request.id
    buffer = io.BytesIO()
    frame.drop("@at").write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
    content = buffer.getvalue()
    collected = Collected(
        request=request.id,
        path=str((folder / FILE).relative_to(opened.folder)),
        content=digest(content),
        identities=opened.store.blobs.put(hashes[np.argsort(hashes[:, 0], kind="stable")].astype("<u8").tobytes()),
        n_rows=frame.height,
        n_corrected=gatherer.n_corrected,
        n_unfit=gatherer.n_unfit,
        n_repeated=gatherer.n_repeated,
        notes=gatherer.notes,
    )
    _write_whole(folder / FILE, content)
    opened.store.records.put(collected, key=request.id)
    return collected


def _in_order(
    parts: list[tuple[pl.DataFrame, Array]], schema: Schema, gatherer: Gatherer
) -> tuple[pl.DataFrame | None, Array]:
    """Put rows in the order of their answers; of answers about one id only the newest stays."""
    import polars as pl

    if not parts:
        return None, np.empty((0, 2), np.uint64)
    frame = pl.concat([part for part, _ in parts]).with_columns(
        pl.Series("@a", np.concatenate([hashes[:, 0] for _, hashes in parts])),
        pl.Series("@b", np.concatenate([hashes[:, 1] for _, hashes in parts])),
    )
    frame = frame.sort("@at", "@a")
    hashes = frame.select("@a", "@b").to_numpy().astype(np.uint64)
    frame = frame.drop("@a", "@b")
    if schema.id is not None:
        newest = frame.with_row_index("@row").filter(
            pl.col(schema.id).is_null() | (pl.col("@row") == pl.col("@row").last().over(schema.id))
        )
        gatherer.n_repeated += frame.height - newest.height
        frame = newest.drop("@row")
    return frame, hashes


def _cells(column: Column, cells: Array) -> pl.Series:
    """Turn what the graph was fed back into cells."""
    import polars as pl

    if column.type in _TEXTS:
        return pl.Series(column.name, [cell or None for cell in cells.tolist()], pl.String)
    numbers = pl.Series(column.name, np.asarray(cells, np.float64)).fill_nan(None)
    if column.type == "datetime":
        return (numbers * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return numbers


def _moment_as(column: Column) -> str | None:
    """Say how the moment of an answer is written into a column of time; None if that is not known."""
    if column.type == "datetime":
        return "datetime"
    name = column.name.lower()
    return name if column.type in ("number", "integer") and name in _PARTS else None


def _moment_of(column: Column, at: pl.Series) -> pl.Series:
    import polars as pl

    form = _moment_as(column)
    if form == "datetime":
        return at.dt.replace_time_zone("UTC").alias(column.name)
    if form is None:
        return pl.Series(column.name, [None] * len(at), pl.Float64)
    part: pl.Series = getattr(at.dt, form)()
    return part.cast(pl.Float64).alias(column.name)


def _notes(schema: Schema) -> tuple[str, ...]:
    """Say what stands where the log holds no cell."""
    held = {column.name for column in schema.features} | {schema.target, schema.id}
    rest = [column for column in schema.columns if column.name not in held]
    moments = [f"`{c.name}`" for c in rest if c.name in schema.time and _moment_as(c) is not None]
    missing = [f"`{c.name}`" for c in rest if f"`{c.name}`" not in moments]
    notes = [f"The moment of the answer stands for {', '.join(moments)}."] if moments else []
    if missing:
        notes.append(f"Missing in them, for the log holds no more than the inputs of the model: {', '.join(missing)}.")
    return tuple(notes)


def _known_identities(opened: Opened) -> tuple[Array, Array]:
    """Return the rows that earlier renewals added, sorted, and their labels, as hashes."""
    files = {one.content for one in opened.store.records.all(appending.Appended) if one.project == opened.name}
    added = [one.identities for one in opened.store.records.all(Collected) if one.content in files]
    found = [np.frombuffer(opened.store.blobs.get(identity), "<u8").reshape(-1, 2) for identity in added]
    pairs = np.concatenate([np.empty((0, 2), np.uint64), *found])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return pairs[:, 0], pairs[:, 1]


def _known_ids(opened: Opened, snapshot: Snapshot) -> set[str]:
    """Return the ids of the data as text."""
    import polars as pl

    name = snapshot.schema.id
    if name is None:
        return set()
    frame = data.read(opened.store, snapshot, columns=[name])
    return set(frame[name].cast(pl.String).drop_nulls().to_list())


def _hashes(values: list[Any]) -> Array:
    """Hash texts or numbers to 64 bits, the same in every process."""
    import hashlib

    return np.fromiter(
        (int.from_bytes(hashlib.blake2b(str(value).encode(), digest_size=8).digest(), "little") for value in values),
        np.uint64,
        len(values),
    )


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, readable by its owner only: it holds what callers sent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    with waiting.open("wb") as file:
        waiting.chmod(0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
