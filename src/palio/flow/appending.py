"""Rows that were appended to the source: remembered by file, and appended again whenever the source is read anew."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from palio import data
from palio.core.errors import InputError, NotFoundError
from palio.core.ids import digest_of, short
from palio.core.records import Record, Snapshot
from palio.core.words import counted, listed
from palio.flow import sources
from palio.flow.opened import Opened


class Appended(Record, frozen=True, kw_only=True):
    """A file whose rows were appended, and where its rows are kept."""

    project: str
    name: str
    path: str
    """As seen from the project folder, where the file lies inside it or beside it."""
    content: str
    """SHA-256 of its bytes; of a folder, its fingerprint."""
    fingerprint: str
    """Identity of its rows, as they were read."""
    reading: str
    """Identity of the settings that decide what a cell means."""
    base: str
    """Identity of the project's own source at that time."""
    snapshot: str
    """The version that the rows made; they stand in it from `first_row` on."""
    first_row: int
    n_rows: int
    on_violation: str = ""
    """What was done with rows that break the contract; empty: as the settings say."""


def add(opened: Opened, newest: Snapshot, file: Path, *, base: str, on_violation: str = "") -> Snapshot:
    """Append the rows of `file` to the newest snapshot and remember it; a file that is in it already adds nothing.

    Args:
        opened: Whose rows.
        newest: The snapshot.
        file: With the new rows.
        base: Fingerprint of the project's own source, whose rows the snapshot begins with.
        on_violation: `refuse` or `quarantine`; empty: as the settings say.

    Raises:
        ContractError: the new rows break the schema.
    """
    expected = [column.name for column in newest.schema.columns]
    source = sources.open_one(opened, str(file), expected=expected)
    content = source.fingerprint if file.is_dir() else _content(file)
    if source.fingerprint == base:
        opened.skip("append")
        opened.progress.say(f"ingest    {source.name} is the source itself: its rows are in")
        return newest
    for known in _all(opened):
        if content == known.content or source.fingerprint == known.fingerprint:
            opened.skip("append")
            version = opened.store.records.require(Snapshot, known.snapshot).version
            opened.progress.say(f"ingest    the rows of {source.name} are in since version {version}")
            return newest
    snapshot = _ingest(opened, newest, source, on_violation)
    _tell_how_it_differs(opened, source, snapshot, snapshot.n_rows - newest.n_rows)
    one = Appended(
        project=opened.name,
        name=source.name,
        path=sources.as_seen_from(opened.folder, str(file)),
        content=content,
        fingerprint=source.fingerprint,
        reading=_reading(opened),
        base=base,
        snapshot=snapshot.id,
        first_row=newest.n_rows,
        n_rows=snapshot.n_rows - newest.n_rows,
        on_violation=on_violation,
    )
    opened.store.records.put(one, key=digest_of([one.project, one.content]))
    opened.store.steps.put("append", _key(opened, newest, one), snapshot.id)
    return snapshot


def replay(opened: Opened, first: Snapshot, base: str) -> Snapshot:
    """Append to a reading of the source all that was appended before, in order; what was done already is looked up.

    Args:
        opened: Whose rows.
        first: The reading.
        base: Fingerprint of the source.

    Raises:
        NotFoundError: rows are needed again, their file is gone or another one, and the rows that the store keeps
            cannot be read under the contract of now.
        ContractError: appended rows break the contract of now.
    """
    newest = first
    for one in _all(opened):
        if one.fingerprint == base:
            continue  # the file became the source itself
        key = _key(opened, newest, one)
        known = opened.store.steps.get("append", key)
        if known is not None:
            newest = opened.store.records.require(Snapshot, known)
            continue
        source_changed = one.base != base
        if source_changed and _holds(opened, first, one):
            _tell_that_it_is_in(opened, first, one)
        else:
            before, (newest, origin) = newest, _again(opened, newest, one)
            if newest.id != one.snapshot:
                _tell(opened, newest, one, origin, newest.n_rows - before.n_rows, source_changed)
        opened.store.steps.put("append", key, newest.id)
    return newest


def _again(opened: Opened, newest: Snapshot, one: Appended) -> tuple[Snapshot, str]:
    path = Path(sources.locate(opened.folder, one.path)).resolve()
    source = _unchanged(opened, path, newest, one)
    if source is not None:
        return _ingest(opened, newest, source, one.on_violation), "from the file"
    kept = opened.store.records.require(Snapshot, one.snapshot)
    obstacle = data.obstacle(kept.schema, newest.schema)
    if one.reading != _reading(opened):
        obstacle = "[data] `missing` or `decimal` was changed since"
    if not obstacle and not all(opened.store.blobs.exists(chunk.blob) for chunk in kept.chunks):
        obstacle = "they are no longer in the store"
    if obstacle:
        raise NotFoundError(
            f"{one.name}: {counted(one.n_rows, 'appended row')} {'is' if one.n_rows == 1 else 'are'} needed again, "
            f"but {path} "
            f"{'holds something else now' if path.exists() else 'is gone'}, and the rows that version {kept.version} "
            f"keeps do not serve: {obstacle}",
            hint=f"put the file back there (its SHA-256 begins with {short(one.content)}), or undo the change",
            facts={"file": str(path), "sha256": one.content, "n_rows": one.n_rows},
        )
    rows = data.StoredRows(opened.store, kept, name=one.name, first_row=one.first_row, n_rows=one.n_rows)
    return _ingest(opened, newest, rows, one.on_violation), f"from the rows that version {kept.version} keeps"


def _unchanged(opened: Opened, path: Path, newest: Snapshot, one: Appended) -> data.Source | None:
    """Open what was appended, if it is still there as it was."""
    expected = [column.name for column in newest.schema.columns]
    if path.is_file():
        return sources.open_one(opened, str(path), expected=expected) if _content(path) == one.content else None
    with suppress(InputError, NotFoundError):  # a folder may be gone, or hold nothing any more
        source = sources.open_one(opened, str(path), expected=expected)
        return source if source.fingerprint == one.content else None
    return None


def appended(opened: Opened, content: str) -> Appended | None:
    """Return what is remembered of a file with this SHA-256 that was appended; None if it never was."""
    return opened.store.records.get(Appended, digest_of([opened.name, content]))


def _ingest(opened: Opened, newest: Snapshot, source: data.Source, on_violation: str = "") -> Snapshot:
    return data.ingest(
        source,
        store=opened.store,
        schema=newest.schema,
        parent=newest,
        on_violation=on_violation or opened.config.data.on_violation,
        id_is_declared=bool(opened.config.data.id),
        progress=opened.progress,
    )


_UNUSUAL = {
    "range": "out of the range of all rows before",
    "category": "with a value that no row before has",
    "missing": "missing, where no row before is",
    "form": "written in another way",
    "fraction": "not whole, as all before are",
    "type": "not to be read, taken as missing",
}


_FEW = 0.05
"""Up to this share, values beyond those before are what new rows bring."""


def _tell_how_it_differs(opened: Opened, source: data.Source, snapshot: Snapshot, n_new: int) -> None:
    """Say what is new about the rows: how they are written, and what none before them holds."""
    for note in source.notes:
        opened.progress.say(f"ingest    {note}")
    surplus = [v.column for v in snapshot.violations if v.rule == "surplus"]
    if surplus:
        opened.progress.say(f"ingest    {source.name}: not in the contract, so left out: {listed(surplus)}")
    for found in snapshot.violations:
        if found.rule in _UNUSUAL and found.action == "flag":
            example = f", e.g. {found.examples[0]}" if found.examples else ""
            text = f"`{found.column}`: {counted(found.n_rows, 'cell')} {_UNUSUAL[found.rule]}{example}"
            if found.n_rows > _FEW * n_new:
                opened.warn(text)
            else:
                opened.progress.say(f"ingest    {text}")


def _holds(opened: Opened, first: Snapshot, one: Appended) -> bool:
    kept = opened.store.records.require(Snapshot, one.snapshot)
    if not all(opened.store.blobs.exists(chunk.blob) for chunk in kept.chunks):
        return False
    return data.holds(opened.store, first, kept, first_row=one.first_row, n_rows=one.n_rows)


def _tell_that_it_is_in(opened: Opened, first: Snapshot, one: Appended) -> None:
    text = f"the source itself holds the {counted(one.n_rows, 'row')} of {one.name} now: not appended again"
    opened.store.ledger.append(
        "data.replay", first.id, text, payload={"file": one.path, "sha256": one.content, "n_rows": 0}
    )
    opened.progress.say(f"ingest    {text}")


def _tell(opened: Opened, snapshot: Snapshot, one: Appended, origin: str, n_rows: int, source_changed: bool) -> None:
    why = "changed" if source_changed else "is the same, its contract changed"
    text = f"appended the {counted(n_rows, 'row')} of {one.name} again, {origin}: the source {why}"
    opened.store.ledger.append_once(
        "data.replay",
        snapshot.id,
        f"{text}: version {snapshot.version}, {counted(snapshot.n_rows, 'row')}",
        payload={"file": one.path, "sha256": one.content, "origin": origin, "n_rows": n_rows},
    )
    opened.progress.say(f"ingest    {text}")


def _all(opened: Opened) -> list[Appended]:
    return [one for one in opened.store.records.all(Appended) if one.project == opened.name]


def _key(opened: Opened, newest: Snapshot, one: Appended) -> str:
    return digest_of({"onto": newest.id, "rows": one.content, "data": opened.config.data})


def _reading(opened: Opened) -> str:
    table = opened.config.data
    return digest_of([table.missing, table.decimal])


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
