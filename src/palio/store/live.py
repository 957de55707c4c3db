"""Find what must not be deleted: live bundles, and all that they cite."""

from __future__ import annotations

import contextlib
import re

import msgspec
import sqlalchemy as sa

from palio.core.errors import NotFoundError
from palio.core.serving import Rollout, RolloutState
from palio.store.blobs import Blobs
from palio.store.ledger import newest_line
from palio.store.promotions import previous_of, rows_of
from palio.store.tables import RECORDS

ROLLOUT = "renew.rollout"
"""Kinds of ledger lines that tell of rollouts begin so; each carries the `state` from then on."""
_MEDIA = re.compile(r'"media":"([0-9a-f]{64})"')
"""Blob of a snapshot that lists its pictures, one identity a line."""
_IDENTITY = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def live_bundles(connection: sa.Connection) -> dict[str, str]:
    """Return the bundles that are champion, may be after a rollback, or are being rolled out, each with the reason."""
    bundles: dict[str, str] = {}
    for model, rows in rows_of(connection).items():
        champion, previous = rows[-1], previous_of(rows)
        replaced = next((row for row in reversed(rows) if row.version == champion.previous), None)
        for row in (previous, replaced):
            if row is not None:
                bundles[row.bundle] = f"version {row.version} of model {model}, which a rollback may restore"
        rollout = _under_way(connection, model)
        if rollout is not None:
            bundles[rollout.challenger.bundle] = f"the challenger of model {model} in rollout {rollout.id}"
        bundles[champion.bundle] = f"the champion of model {model} (version {champion.version})"
    return bundles


def _under_way(connection: sa.Connection, model: str) -> Rollout | None:
    """Return the rollout of a model that is not over; None if there is none."""
    event = newest_line(connection, ROLLOUT, model)
    if event is None:
        return None
    state = msgspec.convert(event.payload["state"], RolloutState)
    if state.status not in ("running", "paused"):
        return None
    query = sa.select(RECORDS.c.json).where(RECORDS.c.kind == Rollout.__name__, RECORDS.c.key == state.rollout)
    text = connection.execute(query).scalar_one_or_none()
    return None if text is None else msgspec.json.decode(text, type=Rollout)


def live_identities(connection: sa.Connection, blobs: Blobs) -> dict[str, str]:
    """Return the identities of live bundles and of everything that they cite, each with the reason.

    Citations are all identities that stand in a live manifest, in the evidence and decision of its promotion, and in
    the records that these name, and so on. Too much may be kept, never too little.
    """
    kept = live_bundles(connection)
    papers = dict(kept)
    for model, rows in rows_of(connection).items():
        rollout = _under_way(connection, model)
        if rollout is not None and rollout.decision:
            papers[rollout.decision] = f"evidence for {kept[rollout.challenger.bundle]}"
        for row in rows:
            if row.bundle in kept:
                reason = f"evidence for {kept[row.bundle]}"
                papers |= {identity: reason for identity in (row.evidence, row.decision) if identity}
    found: dict[str, str] = {}
    waiting = list(papers.items())
    while waiting:
        identity, reason = waiting.pop()
        if identity in found:
            continue
        found[identity] = reason
        because = reason if reason.startswith("cited") else f"cited by {reason}"
        texts = list(connection.execute(sa.select(RECORDS.c.json).where(RECORDS.c.key == identity)).scalars())
        if identity in papers and _IDENTITY.fullmatch(identity):
            with contextlib.suppress(NotFoundError):  # a decision is a record, not a blob
                texts.append(blobs.get(identity).decode("utf-8", "replace"))
        waiting.extend((cited, because) for text in texts for cited in _IDENTITY.findall(text))
        for pictures in (cited for text in texts for cited in _MEDIA.findall(text)):
            with contextlib.suppress(NotFoundError):
                lines = blobs.get(pictures).decode("ascii", "replace").split()
                found |= dict.fromkeys((line for line in lines if line not in found), because)
    return found
