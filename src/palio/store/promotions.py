"""Say what is live: a ledger of promotions, changed by compare-and-set, one transaction each."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, InputError, IntegrityError, NotFoundError
from palio.core.ids import short
from palio.core.records import Decision, Promotion
from palio.store.blobs import Blobs
from palio.store.engine import Database
from palio.store.ledger import PROMOTION_KINDS, clean, lock_head, operating_system_user, write_line
from palio.store.records import write_record
from palio.store.tables import PROMOTIONS, to_moment, to_text

Kind = Literal["promote", "rollback", "import"]


class Promotions:
    """What each model's champion is, was, and why. Champion and previous are derived, never set."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock = utc_now) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    def append(
        self,
        model: str,
        bundle: str,
        *,
        expected: int | None,
        kind: Kind,
        decision: Decision | None,
        evidence: str,
        reason: str,
        actor: str | None,
        event_text: str,
        version: int | None = None,
    ) -> Promotion:
        """Make `bundle` the champion of `model`, if the champion still is `expected`.

        The promotion, its ledger line and the decision are written together or not at all.

        Args:
            model: Name of the model.
            bundle: Identity of the bundle; its manifest and members must be in the store.
            expected: Version that is champion now, as the caller believes; None: there is none yet.
            kind: `promote` and `import` make a new version; `rollback` restores an earlier one.
            decision: Kept as a record.
            evidence: Identity of what the decision rests on.
            reason: Why, for people.
            actor: Who; the user of this process if None.
            event_text: Sentence of the ledger line; `{version}` is filled in.
            version: For a rollback: which version is restored; the latest with this bundle if None.

        Raises:
            ConflictError: the champion is not `expected`, or is this very bundle already.
            NotFoundError: the bundle or a member of it is not in the store; no such version to roll back to.
            IntegrityError: the manifest is damaged.
            InputError: the model's name is empty or too long.
        """
        if not model.strip() or len(model) > 200:
            raise InputError(
                f"model {model[:40]!r}: the name must have 1 to 200 characters", hint="choose another name"
            )
        at, who = to_text(self._clock()), clean(actor or operating_system_user())
        with self._database.write() as connection:
            head = lock_head(connection)
            rows = _rows(connection, model)
            champion = rows[-1] if rows else None
            self._check(model, bundle, champion, expected, kind)
            self._check_whole(bundle)
            number = _number(model, bundle, rows, kind, version)
            row: dict[str, Any] = {
                "model": clean(model),
                "version": number,
                "bundle": bundle,
                "previous": None if champion is None else champion.version,
                "kind": kind,
                "decision": None if decision is None else decision.id,
                "evidence": evidence,
                "actor": who,
                "reason": clean(reason),
            }
            if decision is not None:
                write_record(connection, decision, decision.id, at=at)
            row |= {"sequence": head.sequence + 1, "at": at}
            told = {name: value for name, value in row.items() if name not in ("sequence", "at")}
            text = event_text.replace("{version}", str(number))
            write_line(
                connection, head, PROMOTION_KINDS[kind], bundle, text, payload={"promotion": told}, actor=who, at=at
            )
            connection.execute(PROMOTIONS.insert().values(**row))
        return _promotion(row)

    def champion(self, model: str) -> Promotion | None:
        """Return the promotion that is in force, or None."""
        history = self.history(model)
        return history[-1] if history else None

    def previous(self, model: str) -> Promotion | None:
        """Return the promotion that a rollback would restore, or None.

        That is the champion which the present version replaced when it was new, so that repeated rollbacks walk back
        and never return to what was left.
        """
        with self._database.read() as connection:
            row = previous_of(_rows(connection, model))
        return None if row is None else _promotion(row._mapping)

    def history(self, model: str) -> list[Promotion]:
        """Return every promotion of a model, oldest first."""
        with self._database.read() as connection:
            return [_promotion(row._mapping) for row in _rows(connection, model)]

    def models(self) -> list[str]:
        """Return the names of all models that ever had a champion, sorted."""
        with self._database.read() as connection:
            return sorted(connection.execute(sa.select(PROMOTIONS.c.model).distinct()).scalars())

    def _check(self, model: str, bundle: str, champion: Any, expected: int | None, kind: Kind) -> None:
        found = None if champion is None else champion.version
        if found != expected:
            present = "there is no champion" if found is None else f"the champion is version {found}"
            assumed = "none" if expected is None else f"version {expected}"
            raise ConflictError(
                f"model {model}: {present}, but this was decided against {assumed}",
                hint="somebody promoted or rolled back meanwhile: decide again against the present champion",
                facts={"model": model, "expected": expected, "found": found},
            )
        if champion is not None and champion.bundle == bundle and kind != "rollback":
            raise ConflictError(
                f"model {model}: bundle {short(bundle)} is the champion already (version {champion.version})",
                hint="there is nothing to do",
                facts={"model": model, "version": champion.version},
            )

    def _check_whole(self, bundle: str) -> None:
        manifest = self._blobs.get(bundle)
        try:
            files = msgspec.json.decode(manifest)["files"]
            members = {str(name): str(identity) for name, identity in files.items()}
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            raise IntegrityError(
                f"bundle {short(bundle)}: this blob is not the manifest of a bundle", hint="give the bundle's identity"
            ) from None
        for name, identity in members.items():
            if not self._blobs.exists(identity):
                raise NotFoundError(
                    f"bundle {short(bundle)}: its member {name} is not in {self._blobs.where}",
                    hint="train again, or restore the blob from a backup",
                )


def rows_of(connection: sa.Connection) -> dict[str, list[Any]]:
    """Return all promotions, oldest first, by model."""
    by_model: dict[str, list[Any]] = {}
    for row in connection.execute(sa.select(PROMOTIONS).order_by(PROMOTIONS.c.sequence)):
        by_model.setdefault(row.model, []).append(row)
    return by_model


def previous_of(rows: list[Any]) -> Any:
    """Return the row that a rollback from the last of `rows` would restore, or None."""
    if not rows:
        return None
    origin = _origin(rows, rows[-1].version)
    return None if origin is None or origin.previous is None else _origin(rows, origin.previous)


def _origin(rows: list[Any], version: int) -> Any:
    return next((row for row in rows if row.version == version and row.kind != "rollback"), None)


def _rows(connection: sa.Connection, model: str) -> list[Any]:
    query = sa.select(PROMOTIONS).where(PROMOTIONS.c.model == model).order_by(PROMOTIONS.c.sequence)
    return list(connection.execute(query))


def _number(model: str, bundle: str, rows: list[Any], kind: Kind, version: int | None) -> int:
    if kind != "rollback":
        return 1 + max((row.version for row in rows), default=0)
    fitting = [row.version for row in rows if row.bundle == bundle and version in (None, row.version)]
    if not fitting:
        raise NotFoundError(
            f"model {model}: no earlier version holds bundle {short(bundle)}", hint="run palio log to see the versions"
        )
    return int(max(fitting))


def _promotion(row: Any) -> Promotion:
    return Promotion(**{**row, "at": to_moment(row["at"])})
