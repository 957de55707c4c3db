"""Store rows as a snapshot, and read them back: consecutive chunks of Parquet, named by their content."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from palio.core.errors import ConflictError, InputError, did_you_mean
from palio.core.ids import canonical_json, short
from palio.core.progress import SILENT, Progress
from palio.core.records import Schema, Snapshot, Task, Violation
from palio.core.words import counted
from palio.data.cells.decimals import DecimalMarks
from palio.data.cells.later_days import LaterDays
from palio.data.cells.plain import DTYPES
from palio.data.chunks import ChunkWriter, read_chunks
from palio.data.contract import Tally, check, check_columns, marked, ragged, read_batch, refusal, spoilt
from palio.data.identity import snapshot_id
from palio.data.inference import resolve, survey
from palio.data.pictures.held import RULE, held_to_pictures
from palio.data.pictures.media import media
from palio.data.quarantine import Quarantine
from palio.data.source import Pictured, Source
from palio.measure import questions

if TYPE_CHECKING:
    import pyarrow as pa

    from palio.store import Store


def ingest(
    source: Source,
    *,
    store: Store,
    schema: Schema | None = None,
    target: str | int | None = None,
    parent: Snapshot | None = None,
    on_violation: str = "refuse",
    id_is_declared: bool = True,
    progress: Progress = SILENT,
) -> Snapshot:
    """Store the rows of a source as an immutable snapshot; equal rows under an equal contract are one snapshot.

    Args:
        source: Where the rows come from.
        store: Where they go.
        schema: The contract; None takes the parent's, or surveys the source.
        target: Column to predict, when `schema` is None.
        parent: Append to this snapshot: its chunks are kept, its contract holds, and ranges, categories and missing
            values widen to the new rows that it accepts.
        on_violation: `refuse` the source, or `quarantine` the rows that break the contract.
        id_is_declared: Whether a person named the contract's id: a repeated one breaks the contract then. An id that
            was guessed, as by a survey, is given up when it repeats.
        progress: Told how many rows were read.

    Raises:
        ContractError: rows break the contract and `on_violation` is `refuse`, or a column is absent;
            `facts["violations"]` lists all by column.
        InputError: the source cannot be read, or no row is left.
    """
    if schema is None and parent is not None:
        schema = parent.schema
    if schema is None:
        if target is None:
            raise InputError("neither a contract nor a target is given", hint="name the target")
        schema, id_is_declared = survey(source, target=target, progress=progress).schema, False
    elif target is not None:
        schema = msgspec.structs.replace(schema, target=resolve(target, source.columns, "target"))
    schema = marked(schema, source.missing)
    if isinstance(source, Pictured):
        source.progress = progress
        source.bring(store.blobs.put, store.blobs.exists, progress)
    optional = {c.name for c in schema.columns if not c.feature} - {
        schema.target,
        schema.id,
        schema.group,
        *schema.time,
    }
    needed = frozenset(c.name for c in schema.columns) - optional
    surplus = check_columns(schema, source.columns, source.name, needed=needed)
    for seed in itertools.count():
        writer = ChunkWriter(store, schema, parent, seed=seed, id_is_declared=id_is_declared)
        tally, quarantine = Tally(), Quarantine()
        tally.add(surplus)
        with quarantine:
            _stream(source, writer, tally, quarantine, refuse=on_violation == "refuse", progress=progress)
            if not writer.knows_ids():
                continue  # two ids share a hash: read all again with other hashes
            broken = [violation for violation in tally.rejects if violation.rule != RULE]
            if broken and on_violation == "refuse":
                raise refusal(source.name, broken)
            if writer.n_new == 0:
                raise InputError(
                    f"{source.name}: no row is left to store", hint="see the violations", facts=_facts(tally)
                )
            return _keep(source, writer, tally, quarantine)
    raise AssertionError  # the count never ends


def _stream(
    source: Source, writer: ChunkWriter, tally: Tally, quarantine: Quarantine, *, refuse: bool, progress: Progress
) -> None:
    schema = writer.schema
    names = [c.name for c in schema.columns]
    done = 0
    known = schema.columns if refuse and writer.parent is not None else ()
    watches = DecimalMarks(known, for_answers=False), LaterDays(known, for_answers=False)
    for batch in source.batches():
        cells = read_batch(batch, schema.columns)
        for watch in watches if known else ():
            watch.hold(cells, source.name)
        checked = check(cells, schema, first_row=done, skipped=source.skipped, on_unread="flag" if refuse else "reject")
        checked = held_to_pictures(checked, batch, schema, first_row=done)
        checked = writer.held_to_ids(checked, first_row=done)
        tally.add(checked.violations)
        accepted = checked.frame
        if checked.reasons:
            if not refuse or any(violation.rule == RULE for violation in checked.violations):
                raw = pl.DataFrame([one.raw.alias(name) for name, one in zip(names, cells, strict=True)])
                quarantine.add(raw, checked, first_row=done)
            accepted = accepted.filter(~checked.rejected)
        done += batch.num_rows
        if not refuse or all(violation.rule in ("id", RULE) for violation in tally.rejects):
            writer.add(accepted)
        else:  # a source that is refused is read on for the counts alone
            writer.is_whole = False
        progress.step("ingest", done, None)
    tally.add([msgspec.structs.replace(v, action="reject") for v in spoilt(tally.violations, done)], again=True)
    tally.add(ragged(source))
    quarantine.add_ragged(source)


def _keep(source: Source, writer: ChunkWriter, tally: Tally, quarantine: Quarantine) -> Snapshot:
    store, parent = writer.store, writer.parent
    schema, chunks, digests, description = writer.finish()
    known = store.records.get(Snapshot, identity := snapshot_id(schema, writer.n_rows, digests))
    if known is None:
        versions = [s.version for s in store.records.all(Snapshot)]
        known = Snapshot(
            id=identity,
            version=max(versions, default=0) + 1,
            parent=parent.id if parent else None,
            source=source.name,
            schema=schema,
            n_rows=writer.n_rows,
            n_unlabelled=writer.n_unlabelled,
            n_quarantined=quarantine.n_rows,
            column_digests=digests,
            chunks=chunks,
            profile=store.blobs.put(canonical_json(description)),
            violations=tally.violations,
            form=parent.form if parent else source.form,
            media=media(store, schema, chunks),
        )
        try:
            store.records.put(known, key=identity)
        except ConflictError:  # another process stored the same rows a moment ago
            known = store.records.get(Snapshot, identity) or known
    if not store.ledger.events(kind="data.ingest", subject=known.id, limit=1):
        held = f", {quarantine.n_rows:,} in quarantine" if quarantine.n_rows else ""
        store.ledger.append(
            "data.ingest",
            known.id,
            f"{'appended' if parent else 'ingested'} {counted(writer.n_new, 'row')} from {source.name}{held}: "
            f"version {known.version}, {counted(known.n_rows, 'row')}, snapshot {short(known.id)}",
            payload={
                "version": known.version,
                "source": source.name,
                "fingerprint": source.fingerprint,
                "n_rows": known.n_rows,
                "n_new": writer.n_new,
                "n_quarantined": quarantine.n_rows,
                "quarantine": quarantine.keep(store),
            },
        )
    return known


def frames(store: Store, snapshot: Snapshot, *, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a snapshot chunk by chunk, each chunk checked against its identity.

    Raises:
        IntegrityError: a stored chunk is not what its name says.
        InputError: there is no such column.
    """
    return read_chunks(store, snapshot.chunks, _known(snapshot, columns))


def batches(store: Store, snapshot: Snapshot, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a snapshot as Arrow batches, in order. Errors as in `frames`."""
    for frame in frames(store, snapshot, columns=columns):
        yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def read(store: Store, snapshot: Snapshot, *, columns: Sequence[str] | None = None, rows: Any = None) -> pl.DataFrame:
    """Read rows of a snapshot into memory.

    Args:
        store: Where the chunks are.
        snapshot: What to read.
        columns: Which columns, in this order; None: all.
        rows: Boolean mask of shape (n_rows,), or positions in any order, which the result follows; None: all.

    Raises:
        InputError: no such column, or `rows` does not fit.
        IntegrityError: a stored chunk is not what its name says.
    """
    names = _known(snapshot, columns)
    wanted = None if rows is None else np.asarray(rows)
    if wanted is not None and wanted.dtype == bool and wanted.shape != (snapshot.n_rows,):
        raise InputError(
            f"rows: a mask of shape {wanted.shape}, wanted is ({snapshot.n_rows},)",
            hint="mask all rows of the snapshot",
        )
    positions = None if wanted is None else np.flatnonzero(wanted) if wanted.dtype == bool else wanted.astype(np.int64)
    if positions is not None and len(positions) and not 0 <= positions.min() <= positions.max() < snapshot.n_rows:
        raise InputError(
            f"rows: positions up to {positions.max()}, the snapshot has {snapshot.n_rows}", hint="count rows from 0"
        )
    order = None if positions is None else np.argsort(positions, kind="stable")
    ordered = None if positions is None or order is None else positions[order]
    found: list[pl.DataFrame] = []
    start = 0
    for chunk in snapshot.chunks:
        end = start + chunk.n_rows
        if ordered is None:
            found.extend(read_chunks(store, (chunk,), names))
        else:
            first, last = np.searchsorted(ordered, [start, end])
            if last > first:
                found.extend(f[ordered[first:last] - start] for f in read_chunks(store, (chunk,), names))
        start = end
    types = {c.name: DTYPES[c.type] for c in snapshot.schema.columns}
    empty = pl.DataFrame(schema={name: types[name] for name in names or types})
    frame: pl.DataFrame = pl.concat([empty, *found], rechunk=True)
    if order is None or (order[:-1] < order[1:]).all():
        return frame
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return frame.select(pl.all().gather(back))


def target_array(frame: pl.DataFrame, task: Task) -> np.ndarray[Any, Any]:
    """Return the truth of each row: the index in `task.classes` (negative: missing or no such), value, or `Objects`.

    Example:
        >>> task = Task(kind="classification", target="y", classes=("no", "yes"))
        >>> target_array(pl.DataFrame({"y": ["yes", None, "no"]}), task).tolist()
        [1, -1, 0]
    """
    cells, question = frame[task.target], questions.of(task)
    if cells.dtype.is_float():
        return question.truth(cells.fill_null(float("nan")).to_numpy())
    if task.kind == "detection":
        return question.truth(cells.to_list())
    held = cells.unique().drop_nulls()
    truth = question.truth([*held.to_list(), None])
    places = cells.replace_strict(held, np.arange(len(held)), default=len(held), return_dtype=pl.Int64)
    return np.asarray(truth[places.to_numpy()])


def _known(snapshot: Snapshot, columns: Sequence[str] | None) -> list[str] | None:
    names = {c.name: None for c in snapshot.schema.columns}
    for name in columns or ():
        if name not in names:
            raise InputError(f"columns: there is no column `{name}`", hint=did_you_mean(name, names))
    return None if columns is None else list(columns)


def _facts(tally: Tally) -> dict[str, Any]:
    violations: tuple[Violation, ...] = tally.violations
    return {"violations": msgspec.to_builtins(list(violations))}
