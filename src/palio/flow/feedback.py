"""Take late truths from a file, in streams: memory does not grow with its rows."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from palio import serve, store, truth
from palio.core.clock import utc_now
from palio.core.errors import InputError, did_you_mean
from palio.core.monitoring import TruthCount
from palio.core.records import Record
from palio.core.serving import Feedback
from palio.flow import bundles, sources
from palio.flow.opened import Opened

BATCH_ROWS = 10_000
CALLER = "feedback"
MOST_FOLLOWED = 2_000_000
"""Truths of a file that are followed to their answers; 200 bytes of memory each."""


class Received(Record, frozen=True, kw_only=True):
    """Feedback that was taken from a file."""

    file: str
    n_rows: int
    n_skipped: int
    """Rows without a label: their truth is not known yet."""
    unknown: dict[str, int] = msgspec.field(default_factory=dict)
    """Labels that are no class of the champion, and their rows: a new class, or a slip of the pen."""
    log: str
    """Folder of the prediction log."""
    truths: TruthCount | None = None
    """What became of them: met an answer or not, and why; None where there were too many to be followed."""
    values: tuple[str, ...] = ()
    """Columns that were taken as business figures."""
    absent: tuple[str, ...] = ()
    """Columns that `[[value.kpis]]` names and the file does not have."""
    zone: str = ""
    """In which moments were read that name none; empty if all did."""
    n_days: int = 0
    """Moments that are a day without a time: its end was taken."""


def log_folder(opened: Opened) -> Path:
    """Return where the prediction log of the project lies."""
    return store.Layout(opened.folder).predictions(opened.config.log.dir)


def take(
    opened: Opened,
    file: str,
    *,
    identity: str = "",
    key: str = "",
    label: str = "",
    at: str = "",
    values: Sequence[str] = (),
    query: str = "",
) -> Received:
    """Write the truths in `file` to the prediction log; each batch is on disk before the next is read.

    Args:
        opened: Whose champion was asked.
        file: CSV, Parquet, JSON lines, or a database URL with `query`.
        identity: Column of prediction ids; by default `prediction_id` if there is one.
        key: Column of row keys; by default `key`, or the id column of the schema, if there is one.
        label: Column of the truth; by default `label`, or the target of the schema.
        at: Column that says when the truth was known; by default `at` if there is one, else now. A day without a time
            means its end; without a zone that of `[log] zone` holds.
        values: Columns of business figures; those that `[[value.kpis]]` names are taken where the file has them.
        query: SQL query, when `file` is a database URL.

    Raises:
        InputError: a column is missing.
        ContractError: a row makes no sense; rows of earlier batches are taken. Taking a file twice changes nothing.
        NotFoundError: there is no champion whose answers these could be.
    """
    manifest = bundles.find(opened, "champion").manifest
    wanted = {
        "prediction_id": [identity or "prediction_id"],
        "key": [key] if key else ["key", manifest.schema.id or "key"],
        "label": [label] if label else ["label", manifest.task.target],
        "at": [at or "at"],
    }
    named = [kpi.column for kpi in opened.config.value.kpis if kpi.column]
    expected = [name for names in (*wanted.values(), values, named) for name in names]
    source = sources.open_one(opened, file, query=query, expected=expected)
    values = tuple(dict.fromkeys((*values, *(name for name in named if name in source.columns))))
    columns = _columns(
        source.columns,
        wanted,
        named={"prediction_id": identity, "key": key, "at": at},
        values=values,
        file=file,
    )
    folder = log_folder(opened)
    options = opened.config.log
    redaction = store.Redaction(empty=options.redact, hashed=options.hash, salt=options.salt or store.salt_of(folder))
    truths, began = serve.Truths.of(manifest, zone=options.zone), utc_now()
    unknown = Counter[str]()
    n_rows = n_skipped = 0
    with store.FeedbackLog(folder, opened.name, redaction=redaction) as log:
        for batch in source.batches():
            rows = batch.select(sorted(set(columns.values()) | set(values))).to_pylist()
            found = _read(
                rows, columns, values, truths, missing=set(source.missing), first=n_rows + n_skipped, file=source.name
            )
            log.add(found, caller=CALLER)
            unknown.update(truths.unknown(found))
            n_rows, n_skipped = n_rows + len(found), n_skipped + len(rows) - len(found)
            opened.progress.step("feedback", n_rows)
    return Received(
        file=source.name,
        n_rows=n_rows,
        n_skipped=n_skipped,
        unknown=dict(unknown),
        log=str(folder),
        truths=_followed(opened, folder, began) if n_rows <= MOST_FOLLOWED else None,
        values=values,
        absent=tuple(dict.fromkeys(name for name in named if name not in source.columns)),
        zone=truths.zone if truths.n_without_zone else "",
        n_days=truths.n_days,
    )


def _followed(opened: Opened, folder: Path, began: dt.datetime) -> TruthCount | None:
    """Say what became of the truths that were taken since then."""
    opened.progress.say("Looking for the answers that these truths are about.")
    model, days = opened.name, opened.config.log.retention_days
    new = truth.Names.of(store.scan_log(folder, model, since=began, kind="feedback"), caller=CALLER)
    again = partial(truth.feedback_about, folder, model, new)
    truths = truth.Truths(again())
    truths.meet(store.scan_log(folder, model))
    return truths.account(again, since=began, removed_before=began - dt.timedelta(days=days) if days else None)


def _columns(
    there: Sequence[str], wanted: Mapping[str, list[str]], *, named: Mapping[str, str], values: Sequence[str], file: str
) -> dict[str, str]:
    """Find out which column holds what."""
    for name in [*(n for n in named.values() if n), *values]:
        if name not in there:
            raise InputError(f"{file}: no column `{name}`", hint=did_you_mean(name, there))
    found = {field: next((n for n in names if n in there), "") for field, names in wanted.items()}
    if not found["label"]:
        raise InputError(f"{file}: no column for the label", hint=f"name it with --label; {_list(there)}")
    if not found["prediction_id"] and not found["key"]:
        raise InputError(
            f"{file}: no column says which rows these are", hint=f"name it with --id or --key; {_list(there)}"
        )
    return {field: name for field, name in found.items() if name}


def _read(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    values: Sequence[str],
    truths: serve.Truths,
    *,
    missing: set[str],
    first: int,
    file: str,
) -> list[Feedback]:
    now = utc_now()
    found = []
    for number, row in enumerate(rows, start=first + 1):
        cells = {
            name: None if isinstance(cell, str) and cell.strip() in missing else cell for name, cell in row.items()
        }
        given: dict[str, Any] = {field: cells[name] for field, name in columns.items()}
        given["label"] = row[columns["label"]]
        if truths.is_missing(given["label"]):
            continue
        given["values"] = {name: cells[name] for name in values if cells[name] is not None}
        found.append(truths.read(given, now=now, where=f"{file} row {number}", any_id=True))
    return found


def _list(names: Sequence[str]) -> str:
    return "there are " + ", ".join(f"`{name}`" for name in names[:12])
