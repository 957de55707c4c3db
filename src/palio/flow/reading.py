"""Read the project's source, once a verb: all that comes after is handed on and asks no more.

Where the store is, but the source cannot be reached, the newest reading of it goes on, and that is said.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from palio import data
from palio.core.config import DataTable
from palio.core.errors import NotFoundError, UnavailableError
from palio.core.ids import digest_of, short
from palio.core.records import Snapshot
from palio.core.words import counted
from palio.flow import appending, sources
from palio.flow.opened import Opened

UNREACHABLE = "data.unreachable"
"""Kind of the line in the ledger which says that a snapshot stood for a source that could not be reached."""


class Reading(NamedTuple):
    """The source as it was at one moment, and the rows that were made of it."""

    snapshot: Snapshot
    """With all rows that were appended."""
    fingerprint: str
    """Of the source."""


def read(opened: Opened) -> Reading:
    """Read the source into a snapshot; rows that were appended to it later are part of it, under any contract.

    Raises:
        NotFoundError: the source is not there, and it was never read under these settings and this contract.
        UnavailableError: the same of a database that does not answer.
        ContractError: rows break the contract.
    """
    habits = opened.config.data, sources.contract_digest(opened)
    place = digest_of([opened.name, *habits])  # names the source and how it is read, without what is in it now
    try:
        source = sources.of(opened)
    except (NotFoundError, UnavailableError) as error:
        return _newest(opened, place, habits, error)

    def make() -> Snapshot:
        return data.ingest(
            source,
            store=opened.store,
            schema=sources.contract(opened),
            target=opened.config.data.target,
            on_violation=opened.config.data.on_violation,
            id_is_declared=bool(opened.config.data.id),
            progress=opened.progress,
        )

    first = opened.once("ingest", _inputs(source.fingerprint, *habits), Snapshot, make)
    if opened.store.steps.get("source", place) != source.fingerprint:
        opened.store.steps.put("source", place, source.fingerprint)
    return Reading(appending.replay(opened, first, source.fingerprint), source.fingerprint)


def _newest(
    opened: Opened, place: str, habits: tuple[DataTable, str], error: NotFoundError | UnavailableError
) -> Reading:
    """Go on with the newest reading of a source that cannot be reached now."""
    fingerprint = opened.store.steps.get("source", place)
    if fingerprint is None:
        raise error
    known = opened.store.steps.get("ingest", digest_of(_inputs(fingerprint, *habits)))
    if known is None:
        raise error
    first = opened.store.records.require(Snapshot, known)
    snapshot = appending.replay(opened, first, fingerprint)
    lines = opened.store.ledger.events(kind="data.ingest", subject=snapshot.id, limit=1)
    made = f" of {lines[0].at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if lines else ""
    text = (
        f"the source cannot be reached ({error.message}), so this goes on with the newest snapshot of it: "
        f"{short(snapshot.id)}, version {snapshot.version}{made}, {counted(snapshot.n_rows, 'row')}"
    )
    opened.store.ledger.append_once(UNREACHABLE, snapshot.id, text, payload={"source": first.source})
    opened.warn(text)
    return Reading(snapshot, fingerprint)


def _inputs(fingerprint: str, table: DataTable, contract: str) -> dict[str, Any]:
    return {"source": fingerprint, "data": table, "contract": contract}
